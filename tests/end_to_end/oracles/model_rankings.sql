-- mart.model_rankings: the rated models of every board, category overall, with the lab of the label
-- and its country on the publish date.
--
--   rank_ordinal  1 + models rated strictly higher
--   rank_ub       1 + models whose lower bound is above the upper bound of this one
--   gap_to_leader the highest rating minus this one
--
-- Left out: the open weights of a license (the registry's list), probabilities and scale segments,
-- which have tests of their own; boards that other sources complete; labels that the source left
-- blank, which are carried over from other days.
-- Covers: publish_date >= DATE '2026-01-01'
--
-- Needs files.sql.
WITH rated AS (
    SELECT arena_rows.*, lab_id
    FROM arena_rows
    LEFT JOIN namespaces ON system = 'lmarena' AND namespace = lower(organization)
        AND publish_date >= valid_from AND publish_date < valid_to
    WHERE category = 'overall' AND rating IS NOT NULL AND lower(trim(model_name)) NOT IN (
        SELECT lower(trim(name)) FROM registry('arena_exclusions'))
)
SELECT
    board, publish_date, model_name, rated.lab_id, lab_name,
    coalesce(country_code, 'XX') AS country_code,
    rank_published, rating, rating_lower, rating_upper, vote_count,
    rank() OVER (PARTITION BY board, publish_date ORDER BY rating DESC) AS rank_ordinal,
    count(*) OVER (PARTITION BY board, publish_date, rating) AS n_tied,
    CASE WHEN rating_upper IS NOT NULL THEN 1 + (
        SELECT count(*) FROM rated AS other
        WHERE other.board = rated.board AND other.publish_date = rated.publish_date
            AND other.rating_lower > rated.rating_upper
    ) END AS rank_ub,
    max(rating) OVER (PARTITION BY board, publish_date) - rating AS gap_to_leader,
    count(*) OVER (PARTITION BY board, publish_date) AS n_models_board
FROM rated LEFT JOIN labs ON labs.lab_id = rated.lab_id
    AND publish_date >= valid_from AND publish_date < valid_to
