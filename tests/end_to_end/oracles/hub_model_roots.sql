-- core.hub_model_roots: where the walk up the declared lineage of every model ends.
--
-- How the walk goes is written in hub.sql. A root that no listing holds is a stub.
--
-- Left out: lineages that lead back to themselves or are deeper than 32 steps; the recordings have
-- none, and the test says so.
--
-- Needs files.sql and hub.sql.
SELECT
    model AS model_id_hf, root AS root_model_id_hf, weight, depth,
    CASE WHEN is_listed THEN 'root' ELSE 'stub' END AS end_reason
FROM hub_roots
