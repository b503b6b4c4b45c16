-- core.hub_base_models: the parents of every model, under their present names.
--
-- How a parent is declared, added by review, dropped or moved is written in hub.sql.
--
-- Needs files.sql and hub.sql.
SELECT model AS model_id_hf, parent AS base_model_id_hf FROM hub_parents
