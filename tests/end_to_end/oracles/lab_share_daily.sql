-- mart.lab_share_daily: the share of each lab in open models on the Hub.
--
-- Take the models of a population (hub_counted) and add up a metric: that is the denominator, each
-- model once. A lab gets the part of each model that it is credited with (hub_credited): all of it
-- as its publisher, or by equal parts as the lab of a root. Namespaces that nobody examined are one
-- row, `unexamined`.
-- By base, if of no model the lineage is recorded, there is no share.
--
-- Needs files.sql and hub.sql.
WITH sums AS (
    SELECT
        as_of_date, population, metric, metric_window, attribution, lab_id,
        any_value(country_code) AS country_code,
        sum(value * weight) AS numerator,
        count(DISTINCT model) AS n_models
    FROM hub_counted JOIN hub_credited USING (as_of_date, model)
    WHERE value IS NOT NULL GROUP BY ALL
),
shares AS (
    SELECT *, attribution = 'publisher' OR lineage_coverage > 0 AS is_known
    FROM sums JOIN hub_totals USING (as_of_date, population, metric, metric_window)
)
SELECT
    as_of_date, population, metric, metric_window, attribution,
    coalesce(lab_id, 'unexamined') AS lab_id, country_code, shares.lab_id IS NOT NULL AS is_examined,
    CASE WHEN is_known THEN numerator / denominator END AS share,
    CASE WHEN attribution = 'base' THEN lineage_coverage END AS lineage_coverage,
    CASE WHEN NOT is_known THEN 'lineage_not_recorded' END AS share_missing,
    CASE WHEN is_known THEN numerator END AS numerator,
    denominator,
    CASE WHEN is_known THEN n_models END AS n_models
FROM shares
