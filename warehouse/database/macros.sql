-- Table macros of every warehouse and release file. Open the file directly, or USE it: a macro
-- looks up its tables in the current database.

-- What was known on `day`: shares of 30-day downloads of all models on the newest observation up to
-- that day, by the registry as of that day; fractional credit. `known_at` is the requested day.
-- Days before the first version of the registry use that version. The lineage is that of this
-- build, and days before the first day of core.hub_daily_counters return no rows.
-- `observatory as-of` covers those days and uses the lineage of the day.
CREATE MACRO mart.as_of(day) AS TABLE
WITH clock AS (
    SELECT greatest(day::DATE, (SELECT min(known_from) FROM raw.registry_labs)) AS known,
        (SELECT max(as_of_date) FROM core.hub_daily_counters WHERE as_of_date <= day::DATE) AS seen
), labs AS (
    SELECT lab_id, country_code FROM raw.registry_labs, clock
    WHERE known_from <= known AND (known_to IS NULL OR known < known_to)
        AND valid_from <= seen AND (valid_to IS NULL OR seen < valid_to)
), names AS (
    SELECT lower(namespace) AS namespace_key, min(lab_id) AS lab_id
    FROM raw.registry_namespaces, clock
    WHERE system = 'hub' AND known_from <= known AND (known_to IS NULL OR known < known_to)
        AND valid_from <= seen AND (valid_to IS NULL OR seen < valid_to)
    GROUP BY ALL
), counted AS (
    SELECT c.model_id_hf, m.author, c.downloads_30d, m.lineage_recorded
    FROM core.hub_daily_counters AS c JOIN core.hub_models AS m USING (model_id_hf), clock
    WHERE c.as_of_date = seen AND c.downloads_30d IS NOT NULL
), credited AS ( -- decimals add up exactly, so sums do not depend on the number of threads
    SELECT 'publisher' AS attribution, author AS namespace,
        downloads_30d::DECIMAL(38, 18) AS downloads
    FROM counted
    UNION ALL
    SELECT 'base', nullif(split_part(root_model_id_hf, '/', 1), root_model_id_hf),
        (downloads_30d * weight)::DECIMAL(38, 18)
    FROM counted JOIN core.hub_model_roots USING (model_id_hf)
), summed AS (
    SELECT attribution, coalesce(country_code, 'XX') AS country_code, sum(downloads) AS numerator
    FROM credited LEFT JOIN names ON namespace_key = lower(namespace) LEFT JOIN labs USING (lab_id)
    GROUP BY ALL
), checked AS ( -- shares by base are unknown if no lineage was recorded
    SELECT * REPLACE (CASE WHEN attribution = 'publisher' OR EXISTS (
        SELECT 1 FROM counted JOIN core.hub_model_roots AS r USING (model_id_hf)
        WHERE downloads_30d > 0 AND (lineage_recorded OR r.root_model_id_hf <> counted.model_id_hf)
    ) THEN numerator END AS numerator) FROM summed
)
SELECT (SELECT seen FROM clock) AS as_of_date, day::DATE AS known_at, attribution,
    country_code, numerator / sum(numerator) OVER (PARTITION BY attribution) AS share,
    numerator::DOUBLE AS numerator
FROM checked ORDER BY attribution, share DESC, country_code;

-- Change of each model's rating since its previous board, in arena points, within one scale
-- segment. The first board of a model after a scale break has none. Never subtract ratings of
-- core.arena_ratings across segments.
CREATE MACRO core.rating_change(board_, category_) AS TABLE
SELECT segment_id, publish_date, model_id, model_name_arena, rating,
    lag(publish_date) OVER before AS previous_publish_date,
    rating - lag(rating) OVER before AS rating_change
FROM core.arena_ratings
WHERE board = board_ AND category = category_ AND rating IS NOT NULL
WINDOW before AS (PARTITION BY segment_id, model_id ORDER BY publish_date)
ORDER BY publish_date, rank_ordinal, model_name_arena;

-- mart.country_share_daily for one metric, attribution and day; fractional credit.
CREATE MACRO mart.share_by_country(metric_, attribution_, day) AS TABLE
SELECT population, country_code, country_name, share_lower, share, share_upper, n_models
FROM mart.country_share_daily
WHERE metric = metric_ AND attribution = attribution_ AND as_of_date = day::DATE
    AND credit = 'fractional'
ORDER BY population, share DESC, country_code;

-- The snapshots behind the rows of a table that match a condition, as far as this file shows:
-- FROM meta.why('mart.country_share_daily', 'country_code = ''CN''').
-- `named_by`: row = the row names the snapshot; day = archived under the date of the row;
-- table = all snapshots of the source that the table was built from. `observatory trace` goes on
-- to the bytes.
CREATE MACRO meta.why(table_, condition := 'true') AS TABLE
WITH matching AS (
    SELECT DISTINCT line ->> 'snapshot_id' AS snapshot_id,
        coalesce(line ->> 'as_of_date', line ->> 'vintage_date') AS day
    FROM query('SELECT to_json(found) AS line FROM ' || table_ || ' AS found WHERE ' || condition)
), candidates AS (
    SELECT t.source, s.snapshot_id, s.snapshot_date, CASE
            WHEN s.snapshot_id IN (SELECT snapshot_id FROM matching) THEN 'row'
            WHEN s.snapshot_date::VARCHAR IN (SELECT day FROM matching) THEN 'day'
            ELSE 'table' END AS named_by,
        s.retrieved_at, s.url, t.license, t.citation, s.sidecar_sha256
    FROM meta.table_sources AS t LEFT JOIN meta.snapshots AS s USING (source)
    WHERE t.table_name = table_ AND EXISTS (FROM matching)
), nearest AS (
    SELECT *, min(CASE named_by WHEN 'row' THEN 1 WHEN 'day' THEN 2 ELSE 3 END)
        OVER (PARTITION BY source) AS best FROM candidates
)
SELECT * EXCLUDE (best) FROM nearest
WHERE best = CASE named_by WHEN 'row' THEN 1 WHEN 'day' THEN 2 ELSE 3 END
ORDER BY source, snapshot_date;

-- Downloads and shares of countries in any window, by publisher and all models: counters of the
-- last day minus those of the first. The window begins after the usable day nearest to `start_` and
-- ends on the one nearest to `end_` (`first_counter_on`, `last_counter_on`). Models without a
-- counter on the first day that may have existed then are left out. Windows with bounds, other
-- populations and attributions are in mart.country_share_window.
CREATE MACRO mart.share_window(start_, end_, source_ := 'hub_evolution') AS TABLE
WITH usable AS (
    SELECT as_of_date AS day FROM core.hub_all_time_days
    WHERE counter_source = source_ AND is_usable
), ends AS (
    SELECT (SELECT day FROM usable ORDER BY abs(day - start_::DATE), day LIMIT 1) AS first_on,
        (SELECT day FROM usable ORDER BY abs(day - end_::DATE), day LIMIT 1) AS last_on
), counters AS (
    SELECT as_of_date AS day, model_id_hf, downloads_all_time AS n, author, created_at
    FROM core.hub_all_time_counters WHERE counter_source = source_
    UNION ALL
    SELECT as_of_date, model_id_hf, downloads_all_time, NULL, NULL
    FROM core.hub_daily_counters WHERE source_ = 'hub'
), spans AS (
    SELECT coalesce(m.author, l.author) AS author, last_on, greatest(l.n - CASE
            WHEN coalesce(m.created_at, l.created_at)::DATE > first_on THEN 0 ELSE f.n END, 0) AS n
    FROM ends JOIN counters AS l ON l.day = last_on
    LEFT JOIN counters AS f ON f.day = first_on AND f.model_id_hf = l.model_id_hf
    LEFT JOIN core.hub_models AS m ON m.model_id_hf = l.model_id_hf
    WHERE first_on < last_on AND (f.n IS NOT NULL
        OR coalesce(m.created_at, l.created_at)::DATE > first_on)
), labs AS (
    SELECT lab_id, country_code FROM core.labs, ends
    WHERE valid_from <= last_on AND (valid_to IS NULL OR last_on < valid_to)
), names AS (
    SELECT namespace_key, min(lab_id) AS lab_id FROM core.namespaces, ends
    WHERE system = 'hub' AND valid_from <= last_on AND (valid_to IS NULL OR last_on < valid_to)
    GROUP BY ALL
), summed AS (
    SELECT coalesce(country_code, 'XX') AS country_code, sum(n)::DOUBLE AS downloads
    FROM spans LEFT JOIN names ON namespace_key = lower(author) LEFT JOIN labs USING (lab_id)
    GROUP BY ALL
)
SELECT first_on AS first_counter_on, last_on AS last_counter_on, country_code, downloads,
    downloads / nullif(sum(downloads) OVER (), 0) AS share
FROM ends, summed ORDER BY downloads DESC, country_code;
