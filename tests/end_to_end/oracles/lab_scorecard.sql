-- mart.lab_scorecard: what is known of each lab on a day, every measure the newest up to that day.
--
--   hub     its share of the 30-day downloads of all models listed, by publisher and by base, the
--           part of the downloads whose maker was examined, and the part with a recorded lineage; by
--           base there is no share if of no model the lineage is recorded
--   arena   on each of nine boards (category overall) its best model: rank (1 + models rated
--           strictly higher), rating, gap to the leader, and how often it would win against it,
--           1 / (1 + 10^(gap/400)). Of several best models of one rating the one that the source
--           ranks first is named, then the first by name
--   notable its models in Epoch's newest table, each once in full, those of the 12 months up to
--           the table's day, and the part with open weights of those whose access is known
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
-- HUB
hub_day AS (
    SELECT days.as_of_date, max(hub_listing.as_of_date) AS hub_as_of_date
    FROM days JOIN hub_listing ON hub_listing.as_of_date <= days.as_of_date GROUP BY ALL
),
hub_share AS (
    SELECT as_of_date AS hub_as_of_date, attribution, lab_id,
        sum(value * weight) / any_value(denominator) AS share
    FROM hub_counted JOIN hub_credited USING (as_of_date, model)
    JOIN hub_totals USING (as_of_date, population, metric)
    WHERE population = 'all' AND metric = 'downloads_30d' AND value IS NOT NULL
        AND (attribution = 'publisher' OR lineage_coverage > 0)
    GROUP BY ALL
),
hub_share_on_day AS (
    SELECT as_of_date, lab_id,
        any_value(share) FILTER (attribution = 'publisher') AS hub_share_publisher,
        any_value(share) FILTER (attribution = 'base') AS hub_share_base
    FROM hub_day JOIN hub_share USING (hub_as_of_date) WHERE lab_id IS NOT NULL GROUP BY ALL
),
hub_coverage AS (
    SELECT hub_day.as_of_date, any_value(lineage_coverage) AS hub_lineage_coverage_base,
        coalesce(sum(share) FILTER (attribution = 'publisher' AND lab_id IS NOT NULL), 0)
            AS hub_coverage_publisher,
        CASE WHEN hub_lineage_coverage_base > 0 THEN
            coalesce(sum(share) FILTER (attribution = 'base' AND lab_id IS NOT NULL), 0) END
            AS hub_coverage_base
    FROM hub_day JOIN hub_share USING (hub_as_of_date)
    JOIN hub_totals ON hub_totals.as_of_date = hub_as_of_date
        AND population = 'all' AND metric = 'downloads_30d'
    GROUP BY ALL
),
-- ARENA
boards AS (
    SELECT unnest(['text', 'text_style_control', 'webdev', 'vision', 'search_style_control',
        'text_to_image', 'image_edit', 'text_to_video', 'image_to_video']) AS board
),
rated AS (
    SELECT board, publish_date, model_name, rating, rank_published, lab_id,
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
    SELECT as_of_date, lab_id, board, model_name, place, n_tied, rating, gap
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
-- ONE ROW PER LAB AND DAY
cards AS (
    SELECT as_of_date, lab_id FROM hub_share_on_day
    UNION SELECT as_of_date, lab_id FROM best
    UNION SELECT as_of_date, lab_id FROM notable_on_day
),
by_board AS (
    SELECT as_of_date, lab_id, board, publish_date, model_name, place, n_tied, rating, gap,
        1 / (1 + 10 ^ (gap / 400)) AS win_rate,
        CASE WHEN publish_date IS NULL THEN 'no_board'
            WHEN rating IS NULL THEN 'not_on_board' END AS missing
    FROM cards CROSS JOIN boards LEFT JOIN board_day USING (as_of_date, board)
    LEFT JOIN best USING (as_of_date, lab_id, board)
),
arena AS (
    PIVOT by_board ON board IN ('text', 'text_style_control', 'webdev', 'vision',
        'search_style_control', 'text_to_image', 'image_edit', 'text_to_video', 'image_to_video')
    USING any_value(publish_date) AS publish_date, any_value(model_name) AS model,
        any_value(place) AS rank_ordinal, any_value(n_tied) AS n_tied,
        any_value(rating) AS rating, any_value(gap) AS gap_to_leader,
        any_value(win_rate) AS win_rate, any_value(missing) AS missing
    GROUP BY as_of_date, lab_id
)
SELECT
    arena.*,
    lab_name, parent_lab_id, kind, country_code,
    hub_as_of_date, hub_share_publisher, hub_share_base,
    hub_coverage_publisher, hub_coverage_base, hub_lineage_coverage_base,
    CASE WHEN hub_as_of_date IS NULL THEN 'no_observation'
        WHEN hub_share_publisher IS NULL THEN 'no_model' END AS hub_share_publisher_missing,
    CASE WHEN hub_as_of_date IS NULL THEN 'no_observation'
        WHEN hub_lineage_coverage_base = 0 THEN 'lineage_not_recorded'
        WHEN hub_share_base IS NULL THEN 'no_model' END AS hub_share_base_missing,
    vintage_date AS notable_vintage_date, notable_coverage,
    n_notable_models, n_notable_models_12m, n_access_known, open_weights_share,
    CASE WHEN vintage_date IS NULL THEN 'no_vintage'
        WHEN n_notable_models IS NULL THEN 'not_listed' END AS notable_missing,
    CASE WHEN vintage_date IS NULL THEN 'no_vintage'
        WHEN n_notable_models IS NULL THEN 'not_listed'
        WHEN n_access_known = 0 THEN 'access_unknown' END AS open_weights_missing
FROM arena JOIN lab_on_day USING (as_of_date, lab_id)
LEFT JOIN hub_day USING (as_of_date)
LEFT JOIN hub_share_on_day USING (as_of_date, lab_id)
LEFT JOIN hub_coverage USING (as_of_date)
LEFT JOIN epoch_coverage ON vintage_date <= as_of_date
LEFT JOIN notable_on_day USING (as_of_date, lab_id)
