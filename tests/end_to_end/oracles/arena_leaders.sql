-- mart.arena_leaders: the best model of each country on every board, category and publish date.
--
-- A model's country is that of the lab behind its organization, on the publish date. Its rank is
-- 1 + the number of models of the board that are rated strictly higher. Of several best models of
-- one rating, the one that the source ranks first is named, then the first by name.
-- rank_ub is 1 + the number of models whose lower bound is above the model's upper bound.
-- The gap is the leader's rating minus the model's; the leader wins with 1 / (1 + 10^(-gap/400)).
-- Open means that the license label on the board stands for weights that can be had.
--
-- Left out, because they need more than a short query: boards that the frozen Space or arena-catalog
-- complete (files.sql lists them), scale segments and the lags that depend on them, and the
-- probabilities (numerical integration).
-- Covers: (board, publish_date) NOT IN (FROM arena_completed)
--
-- Needs files.sql.
WITH named AS (
    SELECT arena_rows.*, coalesce(exact.model_id, folded.model_id, 'lmarena:' || lower(trim(model_name)))
            AS model_id
    FROM arena_rows
    LEFT JOIN arena_aliases AS exact ON model_name = exact.name
    LEFT JOIN (
        SELECT lower(trim(name)) AS name, min(model_id) AS model_id FROM arena_aliases
        GROUP BY ALL HAVING count(DISTINCT arena_aliases.model_id) = 1
    ) AS folded ON lower(trim(model_name)) = folded.name
    WHERE rating IS NOT NULL
        AND lower(trim(model_name)) NOT IN (
            SELECT lower(trim(name)) FROM registry('arena_exclusions'))
),
models AS ( -- a model that the board names twice counts by the row with more votes
    FROM named QUALIFY row_number() OVER (
        PARTITION BY board, category, publish_date, model_id ORDER BY vote_count DESC NULLS LAST) = 1
),
known AS (
    SELECT
        models.*, labs.lab_id, coalesce(labs.country_code, 'XX') AS country_code,
        is_open_weights::BOOLEAN AS is_open
    FROM models
    LEFT JOIN namespaces ON system = 'lmarena' AND namespace = lower(organization)
        AND publish_date >= namespaces.valid_from AND publish_date < namespaces.valid_to
    LEFT JOIN labs ON labs.lab_id = namespaces.lab_id
        AND publish_date >= labs.valid_from AND publish_date < labs.valid_to
    LEFT JOIN registry('arena_licenses') AS labels ON labels.license = models.license
),
placed AS (
    SELECT
        *,
        rank() OVER (one_board ORDER BY rating DESC) AS place,
        count(*) OVER (PARTITION BY board, category, publish_date, rating) AS n_tied,
        max(rating) OVER one_board AS leader_rating,
        max(rating) FILTER (is_open) OVER one_board AS leader_open_rating,
        count(*) OVER one_board AS n_models_board,
        row_number() OVER (PARTITION BY board, category, publish_date, country_code
            ORDER BY rating DESC, rank_published NULLS LAST, model_name) AS place_at_home,
        row_number() OVER (PARTITION BY board, category, publish_date, country_code, is_open
            ORDER BY rating DESC, rank_published NULLS LAST, model_name) AS place_at_home_open
    FROM known WINDOW one_board AS (PARTITION BY board, category, publish_date)
),
-- The best rank by upper bound is that of the country's highest upper bound.
upper_bounds AS (
    SELECT board, category, publish_date, country_code, max(rating_upper) AS upper_bound
    FROM known GROUP BY ALL HAVING upper_bound IS NOT NULL
),
ranks_ub AS (
    SELECT board, category, publish_date, upper_bounds.country_code,
        1 + count(*) FILTER (rating_lower > upper_bound) AS best_rank_ub
    FROM upper_bounds JOIN known USING (board, category, publish_date)
    GROUP BY ALL
)
SELECT
    board, category, publish_date, country_code,
    ends_with(board, '_style_control') AS is_style_controlled,
    any_value(model_name) FILTER (place_at_home = 1) AS best_model,
    any_value(model_id) FILTER (place_at_home = 1) AS best_model_id,
    any_value(lab_id) FILTER (place_at_home = 1) AS best_lab_id,
    min(place) AS best_rank_ordinal,
    any_value(n_tied) FILTER (place_at_home = 1) AS best_n_tied,
    any_value(ranks_ub.best_rank_ub) AS best_rank_ub,
    any_value(controlled.best_rank_ub) AS best_rank_ub_style_control,
    max(rating) AS rating,
    any_value(rating_lower) FILTER (place_at_home = 1) AS rating_lower,
    any_value(rating_upper) FILTER (place_at_home = 1) AS rating_upper,
    any_value(leader_rating) - max(rating) AS gap_to_leader,
    1 / (1 + 10 ^ ((max(rating) - any_value(leader_rating)) / 400)) AS expected_win_rate_of_leader,
    count(*) FILTER (place <= 1) AS n_top1,
    count(*) FILTER (place <= 3) AS n_top3,
    count(*) FILTER (place <= 5) AS n_top5,
    count(*) FILTER (place <= 10) AS n_top10,
    count(*) FILTER (place <= 20) AS n_top20,
    count(*) FILTER (place <= 50) AS n_top50,
    count(*) FILTER (place <= 100) AS n_top100,
    count(*) AS n_models,
    any_value(n_models_board) AS n_models_board,
    any_value(model_name) FILTER (is_open AND place_at_home_open = 1) AS best_open_model,
    any_value(model_id) FILTER (is_open AND place_at_home_open = 1) AS best_open_model_id,
    min(place) FILTER (is_open) AS best_open_rank_ordinal,
    max(rating) FILTER (is_open) AS best_open_rating,
    any_value(leader_rating) - max(rating) FILTER (is_open) AS best_open_gap_to_leader,
    coalesce(max(rating) FILTER (is_open) = any_value(leader_open_rating), false)
        AS is_open_weight_leader,
    count(*) FILTER (is_open) AS n_open_models,
    count(*) FILTER (is_open IS NULL) AS n_models_license_unknown
FROM placed
LEFT JOIN ranks_ub USING (board, category, publish_date, country_code)
LEFT JOIN ranks_ub AS controlled
    ON controlled.board = replace(placed.board, '_style_control', '') || '_style_control'
    AND controlled.category = placed.category AND controlled.publish_date = placed.publish_date
    AND controlled.country_code = placed.country_code
GROUP BY board, category, publish_date, country_code
