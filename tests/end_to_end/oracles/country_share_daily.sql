-- mart.country_share_daily: the share of each country in open models on the Hub.
--
-- Take the models of a population (hub_counted) and add up a metric: that is the denominator, each
-- model once. A model's countries are those of the labs that are credited with it (hub_credited).
--   full         each country of a model gets all of it, so shares can exceed 1 in sum
--   fractional   the countries get the parts that their labs have, so shares sum to 1
-- In doubt is what falls to ZZ (examined, no single country) and XX (nobody examined it), and by base
-- all models of whose lineage nothing is recorded. share_lower gives a country nothing of that,
-- share_upper all of it. By base, if of no model the lineage is recorded, there is no share.
-- The Herfindahl index is the sum of the squared shares of the examined labs, by parts.
--
-- Needs files.sql and hub.sql.
WITH parts AS (
    SELECT as_of_date, population, metric, metric_window, attribution, lab_id, country_code, model,
        value, weight, attribution = 'publisher' OR is_recorded AS is_sure
    FROM hub_counted JOIN hub_credited USING (as_of_date, model)
    WHERE value IS NOT NULL
),
numerators AS (
    SELECT * EXCLUDE (model, value, weight, lab_id, is_sure), 'fractional' AS credit,
        sum(value * weight) AS numerator, sum(value * weight) FILTER (is_sure) AS sure,
        count(DISTINCT model) AS n_models
    FROM parts GROUP BY ALL
    UNION ALL BY NAME
    SELECT * EXCLUDE (model, value, is_sure), 'full' AS credit,
        sum(value) AS numerator, sum(value) FILTER (is_sure) AS sure, count(*) AS n_models
    FROM (SELECT DISTINCT * EXCLUDE (weight, lab_id) FROM parts) GROUP BY ALL
),
lab_shares AS (
    SELECT as_of_date, population, metric, attribution, lab_id,
        sum(value * weight) / any_value(denominator) AS share
    FROM parts JOIN hub_totals USING (as_of_date, population, metric)
    WHERE lab_id IS NOT NULL AND (attribution = 'publisher' OR lineage_coverage > 0) GROUP BY ALL
),
top_labs AS (
    SELECT as_of_date, population, metric, attribution,
        sum(share ^ 2) AS herfindahl_labs,
        arg_min(lab_id, (-round(share, 12), lab_id)) AS top_lab_id,
        max(share) AS top_lab_share
    FROM lab_shares GROUP BY ALL
),
shares AS (
    SELECT *,
        country_code IN ('ZZ', 'XX') AS is_unknown,
        attribution = 'publisher' OR lineage_coverage > 0 AS is_known,
        coalesce(sum(sure) FILTER (is_unknown) OVER one_cut, 0) / denominator
            + CASE WHEN attribution = 'base' THEN 1 - lineage_coverage ELSE 0 END AS doubt
    FROM numerators JOIN hub_totals USING (as_of_date, population, metric, metric_window)
    WINDOW one_cut AS (PARTITION BY as_of_date, population, metric, attribution, credit)
)
SELECT
    as_of_date, population, metric, metric_window, attribution, credit, country_code,
    CASE WHEN is_known THEN numerator / denominator END AS share,
    CASE WHEN is_known THEN
        CASE WHEN is_unknown THEN 0 ELSE coalesce(sure, 0) / denominator END END AS share_lower,
    CASE WHEN is_known THEN
        least(1, CASE WHEN is_unknown THEN doubt ELSE coalesce(sure, 0) / denominator + doubt END)
        END AS share_upper,
    CASE WHEN attribution = 'base' THEN lineage_coverage END AS lineage_coverage,
    CASE WHEN NOT is_known THEN 'lineage_not_recorded' END AS share_missing,
    CASE WHEN is_known THEN numerator END AS numerator,
    denominator,
    CASE WHEN is_known THEN n_models END AS n_models,
    n_models_population, n_models_without_counter,
    herfindahl_labs, top_lab_id, top_lab_share
FROM shares LEFT JOIN top_labs USING (as_of_date, population, metric, attribution)
