-- mart.labs: every lab of the registry, its country today and before, its namespaces on the Hub,
-- what it has in the newest listing, and its places on the newest boards.
--
--   hub     its repositories, their downloads and likes, counted from the listing
--   arena   of the newest board of each kind (category overall) its best model; the best of these
--           places, of several the text board, then the first by name
--   country the countries in order, with the day since when
--
-- Left out: shares, coverages and notable models, which are those of lab_measures.sql; boards that
-- arena-catalog completes.
--
-- Needs files.sql and hub.sql.
WITH held AS (
    SELECT * FROM labs WHERE getvariable('as_of') >= valid_from AND getvariable('as_of') < valid_to
),
history AS (
    SELECT lab_id, string_agg(country_code || CASE WHEN year(valid_from) > 1900
        THEN ' from ' || valid_from ELSE '' END, ', ' ORDER BY valid_from) AS countries
    FROM (FROM labs QUALIFY country_code IS DISTINCT FROM
        lag(country_code) OVER (PARTITION BY lab_id ORDER BY valid_from))
    GROUP BY lab_id
),
names AS (
    SELECT lab_id, count(DISTINCT namespace) AS n FROM namespaces
    WHERE system = 'hub'
        AND getvariable('as_of') >= valid_from AND getvariable('as_of') < valid_to
    GROUP BY lab_id
),
listed AS (
    SELECT lab_id, metric, sum(value) AS amount
    FROM hub_counted JOIN hub_credited USING (as_of_date, model)
    WHERE population = 'all' AND attribution = 'publisher' AND value IS NOT NULL
        AND as_of_date = (SELECT max(as_of_date) FROM hub_listing)
    GROUP BY ALL
),
rated AS (
    SELECT board, publish_date, lab_id,
        rank() OVER (PARTITION BY board, publish_date ORDER BY rating DESC) AS place,
        max(rating) OVER (PARTITION BY board, publish_date) - rating AS gap
    FROM arena_rows
    LEFT JOIN namespaces ON system = 'lmarena' AND namespace = lower(organization)
        AND publish_date >= valid_from AND publish_date < valid_to
    WHERE category = 'overall' AND rating IS NOT NULL AND lower(trim(model_name)) NOT IN (
        SELECT lower(trim(name)) FROM registry('arena_exclusions'))
    QUALIFY publish_date = max(publish_date) OVER (PARTITION BY board)
),
best AS (
    SELECT lab_id, board, publish_date, min(place) AS place, min(gap) AS gap
    FROM rated WHERE lab_id IS NOT NULL GROUP BY ALL
),
places AS (
    SELECT lab_id, string_agg(board || ' ' || place, ', '
            ORDER BY place, board <> 'text', board) AS arena_places,
        first(board ORDER BY place, board <> 'text', board) AS arena_board,
        first(publish_date ORDER BY place, board <> 'text', board) AS arena_publish_date,
        first(gap ORDER BY place, board <> 'text', board) AS arena_gap_to_leader,
        min(place) AS arena_rank_ordinal
    FROM best GROUP BY lab_id
)
SELECT
    lab_id, lab_name, getvariable('as_of') AS as_of_date, held.country_code,
    held.parent_lab_id, held.kind, coalesce(names.n, 0) AS n_hub_namespaces,
    any_value(amount) FILTER (metric = 'models') AS hub_models,
    any_value(amount) FILTER (metric = 'downloads_30d') AS hub_downloads_30d,
    any_value(amount) FILTER (metric = 'likes') AS hub_likes,
    arena_board, arena_publish_date, arena_rank_ordinal, arena_gap_to_leader, arena_places,
    CASE WHEN arena_board IS NULL THEN 'not_on_board' END AS arena_missing
FROM held LEFT JOIN names USING (lab_id) LEFT JOIN listed USING (lab_id)
LEFT JOIN places USING (lab_id) LEFT JOIN history USING (lab_id)
GROUP BY ALL
