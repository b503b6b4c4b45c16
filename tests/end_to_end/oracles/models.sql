-- mart.models: the models of the Hub's newest listing with their counters, lineage and lab.
--
--   lab        of the namespace that uploaded it, with its country on the newest day
--   parent     the first by name of those that it declares; `n_derivatives` are the listed models
--              that declare it
--   root       where the lineage ends, of several the one with the largest part, then by name
--
-- Left out: families, places on the boards and statements that name a model, which
-- tests/transforms/test_models.py counts by hand; models that the newest listing lacks.
-- Covers: counters_missing IS NULL
--
-- Needs files.sql and hub.sql.
WITH newest AS (
    SELECT * FROM hub_listing ANTI JOIN hub_doubles USING (as_of_date, model)
    WHERE as_of_date = (SELECT max(as_of_date) FROM hub_listing)
),
owners AS (
    SELECT namespace, lab_id, lab_name, country_code
    FROM namespaces JOIN labs USING (lab_id)
    WHERE system = 'hub'
        AND getvariable('as_of') >= namespaces.valid_from
        AND getvariable('as_of') < namespaces.valid_to
        AND getvariable('as_of') >= labs.valid_from AND getvariable('as_of') < labs.valid_to
),
parents AS (
    SELECT model, first(parent ORDER BY parent) AS base, count(*) AS n FROM hub_parents GROUP BY model
),
roots AS (
    SELECT model, first(root ORDER BY weight DESC, root) AS root
    FROM hub_roots WHERE root <> model GROUP BY model
),
children AS (
    SELECT lower(parent) AS parent_key, count(*) AS n FROM hub_parents
    WHERE model IN (SELECT model FROM newest) GROUP BY ALL
)
SELECT
    newest.model, split_part(newest.model, '/', -1) AS model_name,
    newest.as_of_date AS hub_as_of_date, downloads_30d, downloads_all_time, newest.likes,
    lab_id, lab_name, coalesce(country_code, 'XX') AS country_code,
    base AS base_model_id_hf, root AS root_model_id_hf,
    CASE WHEN newest.model IN (FROM hub_with_lineage) THEN coalesce(parents.n, 0) END
        AS n_base_models,
    coalesce(children.n, 0) AS n_derivatives,
    CASE WHEN newest.model NOT IN (FROM hub_with_lineage) THEN 'not_recorded' END
        AS lineage_missing,
    true AS is_open_weights,
    NULL::VARCHAR AS counters_missing
FROM newest JOIN hub_models USING (model) LEFT JOIN owners ON owners.namespace = hub_models.namespace
LEFT JOIN parents ON parents.model = newest.model LEFT JOIN roots ON roots.model = newest.model
LEFT JOIN children ON parent_key = lower(newest.model)
