-- mart.lab_measures: what is known of each lab on a day, every measure the newest up to that day.
--
--   hub     its models, their downloads and likes, and
--           its share of the 30-day downloads of all models listed, by publisher and by base, the
--           part of the downloads whose maker was examined, and the part with a recorded lineage; by
--           base there is no share if of no model the lineage is recorded
--   arena   on each of nine boards (category overall) its best model: rank (1 + models rated
--           strictly higher), rating, gap to the leader, and how often it would win against it,
--           1 / (1 + 10^(gap/400)). Of several best models of one rating the one that the source
--           ranks first is named, then the first by name
--   notable its models in Epoch's newest table, each once in full, those of the 12 months up to
--           the table's day, and the part with open weights of those whose access is known
--   openrouter no share: the archives that are counted here have no rankings of OpenRouter, which
--           tests/end_to_end/test_openrouter.py counts
-- A lab has a row on a day on which any of this is known of it. The days are those of the Hub's
-- listing and the build's own.
--
-- Left out: days before 2026, when arena-catalog completes the boards.
-- Covers: as_of_date >= DATE '2026-01-01'
--
-- Needs files.sql and hub.sql.
WITH days AS (
    SELECT DISTINCT as_of_date FROM hub_listing UNION SELECT getvariable('as_of')
),
lab_on_day AS (
    SELECT as_of_date, labs.* FROM days JOIN labs
        ON as_of_date >= valid_from AND as_of_date < valid_to
),
-- HUB. Shares and amounts of the newest day that has the metric.
hub_amount AS (
    SELECT as_of_date AS observed_on, metric, attribution, lab_id, any_value(lineage_coverage) AS
        lineage_coverage, sum(value * weight) AS amount, amount / any_value(denominator) AS share
    FROM hub_counted JOIN hub_credited USING (as_of_date, model)
    JOIN hub_totals USING (as_of_date, population, metric)
    WHERE population = 'all' AND value IS NOT NULL
    GROUP BY ALL
),
hub_measure (measure, metric, attribution) AS (
    VALUES ('hub_share_publisher', 'downloads_30d', 'publisher'),
        ('hub_share_base', 'downloads_30d', 'base'), ('hub_models', 'models', 'publisher'),
        ('hub_downloads_30d', 'downloads_30d', 'publisher'), ('hub_likes', 'likes', 'publisher'),
        ('hub_downloads_all_time', 'downloads_all_time', 'publisher')
),
hub_day AS (
    SELECT days.as_of_date, measure, max(observed_on) AS observed_on
    FROM days, hub_measure JOIN hub_amount USING (metric, attribution)
    WHERE observed_on <= days.as_of_date GROUP BY ALL
),
hub_about AS (
    SELECT as_of_date, measure, observed_on,
        CASE WHEN attribution = 'base' THEN any_value(lineage_coverage) END AS lineage_coverage,
        CASE WHEN attribution = 'publisher' OR any_value(lineage_coverage) > 0 THEN
            coalesce(sum(share) FILTER (lab_id IS NOT NULL), 0) END AS coverage
    FROM hub_day JOIN hub_measure USING (measure)
    JOIN hub_amount USING (observed_on, metric, attribution)
    GROUP BY as_of_date, measure, observed_on, attribution
),
hub_value AS (
    SELECT as_of_date, measure, lab_id,
        CASE WHEN starts_with(measure, 'hub_share') THEN share ELSE amount END AS value
    FROM hub_day JOIN hub_measure USING (measure)
    JOIN hub_amount USING (observed_on, metric, attribution)
    WHERE lab_id IS NOT NULL AND (attribution = 'publisher' OR lineage_coverage > 0)
),
-- ARENA
boards AS (
    SELECT unnest(['text', 'text_style_control', 'webdev', 'vision', 'search_style_control',
        'text_to_image', 'image_edit', 'text_to_video', 'image_to_video']) AS board
),
rated AS (
    SELECT board, publish_date, model_name, rating, rating_lower, rating_upper, rank_published,
        lab_id,
        rank() OVER one_board AS place,
        count(*) OVER (PARTITION BY board, publish_date, rating) AS n_tied,
        max(rating) OVER (PARTITION BY board, publish_date) - rating AS gap
    FROM arena_rows
    LEFT JOIN namespaces ON system = 'lmarena' AND namespace = lower(organization)
        AND publish_date >= valid_from AND publish_date < valid_to
    WHERE category = 'overall' AND rating IS NOT NULL AND lower(trim(model_name)) NOT IN (
        SELECT lower(trim(name)) FROM registry('arena_exclusions'))
    WINDOW one_board AS (PARTITION BY board, publish_date ORDER BY rating DESC)
),
board_day AS (
    SELECT as_of_date, board, max(publish_date) AS publish_date
    FROM days CROSS JOIN boards LEFT JOIN rated USING (board)
    WHERE publish_date <= as_of_date GROUP BY ALL
),
best AS (
    SELECT as_of_date, lab_id, board, model_name, place, n_tied, rating, rating_lower,
        rating_upper, gap
    FROM board_day JOIN rated USING (board, publish_date) WHERE lab_id IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY as_of_date, lab_id, board
        ORDER BY rating DESC, rank_published NULLS LAST, model_name) = 1
),
-- NOTABLE
epoch_lab AS (
    SELECT vintage_date, record, 1 / count(*) OVER (PARTITION BY record) AS part, lab_id,
        published::DATE > vintage_date - INTERVAL 12 MONTH AND published::DATE <= vintage_date
            AS is_recent,
        regexp_matches(accessibility, '^open (weights|access|source)', 'i') AS is_open
    FROM ( -- a comma that a blank follows belongs to the name
        SELECT *, coalesce(published::DATE, vintage_date) AS day,
            lower(trim(unnest(regexp_extract_all(organizations, '(?:[^,]|, )+')))) AS namespace
        FROM epoch_notable WHERE organizations IS NOT NULL
    ) AS each LEFT JOIN namespaces ON system = 'epoch' AND namespaces.namespace = each.namespace
        AND day >= valid_from AND day < valid_to
),
epoch_coverage AS (
    SELECT vintage_date,
        coalesce(sum(part) FILTER (lab_id IS NOT NULL), 0) / sum(part) AS notable_coverage
    FROM epoch_lab GROUP BY ALL
),
notable AS (
    SELECT lab_id,
        count(*) AS n_notable_models,
        count(*) FILTER (is_recent) AS n_notable_models_12m,
        count(is_open) AS n_access_known,
        count(*) FILTER (is_open) / nullif(count(is_open), 0) AS open_weights_share
    FROM (SELECT DISTINCT record, lab_id, is_recent, is_open FROM epoch_lab)
    WHERE lab_id IS NOT NULL GROUP BY ALL
),
notable_on_day AS (
    SELECT as_of_date, notable.* FROM days, notable, epoch_coverage
    WHERE vintage_date <= as_of_date
),
-- ONE ROW PER LAB, MEASURE AND DAY
known AS (
    SELECT as_of_date, lab_id FROM hub_value
    UNION SELECT as_of_date, lab_id FROM best
    UNION SELECT as_of_date, lab_id FROM notable_on_day
),
hub AS (
    SELECT as_of_date, lab_id, measure, value, observed_on, coverage, lineage_coverage,
        CASE WHEN value IS NOT NULL THEN NULL
            WHEN measure = 'hub_share_base' AND lineage_coverage = 0 THEN 'lineage_not_recorded'
            WHEN observed_on IS NULL THEN 'no_observation' ELSE 'no_model' END AS missing_reason
    FROM known CROSS JOIN (SELECT measure FROM hub_measure)
    LEFT JOIN hub_about USING (as_of_date, measure)
    LEFT JOIN hub_value USING (as_of_date, measure, lab_id)
),
arena AS (
    SELECT as_of_date, lab_id, 'arena_' || board AS measure, rating AS value,
        rating_lower AS value_lower, rating_upper AS value_upper, publish_date AS observed_on,
        model_name, place AS rank_ordinal, n_tied, gap AS gap_to_leader,
        1 / (1 + 10 ^ (gap / 400)) AS win_rate,
        CASE WHEN publish_date IS NULL THEN 'no_board'
            WHEN rating IS NULL THEN 'not_on_board' END AS missing_reason
    FROM known CROSS JOIN boards LEFT JOIN board_day USING (as_of_date, board)
    LEFT JOIN best USING (as_of_date, lab_id, board)
),
notable_measure AS (
    SELECT known.as_of_date, known.lab_id, vintage_date AS observed_on,
        notable_coverage AS coverage, unnest([
            {measure: 'notable_models', value: n_notable_models, n_known: NULL},
            {measure: 'notable_models_12m', value: n_notable_models_12m, n_known: NULL},
            {measure: 'notable_open_weights_share', value: open_weights_share,
                n_known: n_access_known}
        ], recursive := true)
    FROM known LEFT JOIN epoch_coverage ON vintage_date <= known.as_of_date
    LEFT JOIN notable_on_day USING (as_of_date, lab_id)
)
SELECT each.*, lab_name, country_code FROM (
    FROM hub UNION ALL BY NAME FROM arena UNION ALL BY NAME
    SELECT *, CASE WHEN value IS NOT NULL THEN NULL WHEN observed_on IS NULL THEN 'no_vintage'
        WHEN n_known = 0 THEN 'access_unknown' ELSE 'not_listed' END AS missing_reason
    FROM notable_measure
    UNION ALL BY NAME
    SELECT as_of_date, lab_id, 'openrouter_token_share' AS measure,
        'no_ranking' AS missing_reason FROM known
) AS each JOIN lab_on_day USING (as_of_date, lab_id)
