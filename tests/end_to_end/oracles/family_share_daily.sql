-- mart.family_share_daily: the share of each family of models in open models on the Hub.
--
-- The name of a repository says its family (families_of_names in hub.sql).
--   publisher    the name says the family and the family's own lab uploaded it
--   base         the root of the lineage is such a model, by parts
--   name         the name says the family, whoever uploaded it
-- Models without a family are one row, `none`. By base, if of no model the lineage is recorded, there
-- is no share.
--
-- Needs files.sql and hub.sql.
CREATE OR REPLACE TEMP TABLE names AS
SELECT model FROM hub_models UNION SELECT root FROM hub_roots;

WITH named AS (
    SELECT model AS root, family_id FROM families_of_names()
),
credited AS (
    SELECT as_of_date, attribution, model, weight,
        CASE WHEN families.lab_id = hub_credited.lab_id THEN family_id END AS family_id
    FROM hub_credited LEFT JOIN named USING (root) LEFT JOIN families USING (family_id)
    UNION ALL
    SELECT as_of_date, 'name', model, weight, family_id
    FROM hub_credited LEFT JOIN named USING (root) WHERE attribution = 'publisher'
),
sums AS (
    SELECT
        as_of_date, population, metric, metric_window, attribution,
        coalesce(family_id, 'none') AS family_id,
        sum(value * weight) AS numerator,
        count(DISTINCT model) AS n_models
    FROM hub_counted JOIN credited USING (as_of_date, model)
    WHERE value IS NOT NULL GROUP BY ALL
),
shares AS (
    SELECT *, attribution <> 'base' OR lineage_coverage > 0 AS is_known
    FROM sums JOIN hub_totals USING (as_of_date, population, metric, metric_window)
)
SELECT
    as_of_date, population, metric, metric_window, attribution, family_id,
    CASE WHEN is_known THEN numerator / denominator END AS share,
    CASE WHEN attribution = 'base' THEN lineage_coverage END AS lineage_coverage,
    CASE WHEN NOT is_known THEN 'lineage_not_recorded' END AS share_missing,
    CASE WHEN is_known THEN numerator END AS numerator,
    denominator,
    CASE WHEN is_known THEN n_models END AS n_models,
    n_models_population
FROM shares
