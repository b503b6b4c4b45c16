-- Macros of every warehouse and release file. Open the file directly, or USE it: a macro looks up its
-- tables in the current database. An argument that names no value of the table is an error with the
-- values to choose from, not an empty answer. The comments, each with an example, are at the end.

-- The value, if it is one of the known ones.
CREATE MACRO meta.one_of(what, chosen, known) AS
CASE WHEN list_contains(known, chosen) THEN chosen
    ELSE error(concat('unknown ', what, ' ''', chosen, '''; choose ', array_to_string(known, ', ')))
END;

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
WITH known AS (
    SELECT list(DISTINCT board ORDER BY board) AS boards,
        list(DISTINCT category ORDER BY category) AS categories
    FROM core.arena_ratings
), asked AS (
    SELECT meta.one_of('board', board_, boards) AS board,
        meta.one_of('category', category_, categories) AS category
    FROM known
)
SELECT segment_id, publish_date, model_id, model_name_arena, rating,
    lag(publish_date) OVER before AS previous_publish_date,
    rating - lag(rating) OVER before AS rating_change
FROM core.arena_ratings JOIN asked USING (board, category)
WHERE rating IS NOT NULL
WINDOW before AS (PARTITION BY segment_id, model_id ORDER BY publish_date)
ORDER BY publish_date, rank_ordinal, model_name_arena;

-- Shares of countries on all days, by one definition.
CREATE MACRO mart.shares(
    population := 'all', metric := 'downloads_30d', attribution := 'publisher',
    credit := 'fractional'
) AS TABLE
WITH known AS (
    SELECT list(DISTINCT s.population ORDER BY s.population) AS populations,
        list(DISTINCT s.metric ORDER BY s.metric) AS metrics,
        list(DISTINCT s.attribution ORDER BY s.attribution) AS attributions,
        list(DISTINCT s.credit ORDER BY s.credit) AS credits
    FROM mart.country_share_daily AS s
), asked AS (
    SELECT meta.one_of('population', population, populations) AS p,
        meta.one_of('metric', metric, metrics) AS m,
        meta.one_of('attribution', attribution, attributions) AS a,
        meta.one_of('credit', credit, credits) AS c
    FROM known
)
SELECT s.as_of_date, s.country_code, s.country_name, s.share_lower, s.share, s.share_upper,
    s.n_models, s.panel_id
FROM mart.country_share_daily AS s JOIN asked
    ON s.population = p AND s.metric = m AND s.attribution = a AND s.credit = c
ORDER BY s.as_of_date, s.share DESC, s.country_code;

-- mart.country_share_daily for one metric, attribution and day; fractional credit.
CREATE MACRO mart.share_by_country(metric, attribution, day) AS TABLE
WITH known AS (
    SELECT list(DISTINCT s.metric ORDER BY s.metric) AS metrics,
        list(DISTINCT s.attribution ORDER BY s.attribution) AS attributions,
        list(DISTINCT s.as_of_date::VARCHAR ORDER BY s.as_of_date::VARCHAR) AS days
    FROM mart.country_share_daily AS s
), asked AS (
    SELECT meta.one_of('metric', metric, metrics) AS m,
        meta.one_of('attribution', attribution, attributions) AS a,
        meta.one_of('day', day::DATE::VARCHAR, days)::DATE AS d
    FROM known
)
SELECT s.population, s.country_code, s.country_name, s.share_lower, s.share, s.share_upper,
    s.n_models
FROM mart.country_share_daily AS s JOIN asked
    ON s.metric = m AND s.attribution = a AND s.as_of_date = d AND s.credit = 'fractional'
ORDER BY s.population, s.share DESC, s.country_code;

-- Models of the newest listing that declare a model as their parent, or one of its derivatives.
CREATE MACRO mart.derived_from(base) AS TABLE
WITH RECURSIVE asked AS (
    SELECT CASE WHEN EXISTS (FROM mart.models AS k WHERE lower(k.model) = lower(base))
        OR EXISTS (FROM core.hub_base_models AS k WHERE lower(k.base_model_id_hf) = lower(base))
        THEN lower(base)
        ELSE error(concat('unknown model ''', base, '''; mart.models has the ids')) END AS root
), walk AS (
    SELECT root AS node, 0 AS steps FROM asked
    UNION
    SELECT lower(e.model_id_hf), steps + 1
    FROM walk JOIN core.hub_base_models AS e ON lower(e.base_model_id_hf) = node WHERE steps < 32
), nearest AS (
    SELECT node, min(steps) AS steps FROM walk WHERE steps > 0 GROUP BY node
)
SELECT n.steps, m.model, m.lab_name, m.country_name, m.base_model_id_hf, m.relation, m.created_on,
    m.downloads_30d, m.likes
FROM nearest AS n JOIN mart.models AS m ON lower(m.model) = n.node
WHERE m.counters_missing IS NULL AND n.node NOT IN (SELECT root FROM asked)
ORDER BY n.steps, m.downloads_30d DESC NULLS LAST, m.model;

-- First on a board, on its newest publish date up to a day.
CREATE MACRO mart.leader_on(board, day) AS TABLE
WITH known AS (
    SELECT list(DISTINCT r.board ORDER BY r.board) AS boards FROM mart.model_rankings AS r
), asked AS (
    SELECT meta.one_of('board', board, boards) AS b FROM known
), newest AS (
    SELECT b, coalesce(max(r.publish_date), error(concat('no board ''', b, ''' up to ', day::DATE)))
        AS publish_date
    FROM asked LEFT JOIN mart.model_rankings AS r ON r.board = b AND r.publish_date <= day::DATE
    GROUP BY b
)
SELECT r.publish_date, r.model_name, r.lab_name, r.country_name, r.rating, r.rating_lower,
    r.rating_upper, r.n_tied, r.probability_best, r.is_open_weights
FROM mart.model_rankings AS r JOIN newest ON r.board = b AND r.publish_date = newest.publish_date
WHERE r.rank_ordinal = 1
ORDER BY r.model_name;

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
    WHERE is_usable AND counter_source = meta.one_of('source_', source_, (
        SELECT list(DISTINCT counter_source ORDER BY counter_source) FROM core.hub_all_time_days))
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

COMMENT ON MACRO meta.one_of IS
'The value, if it is in the list; else an error with the list. Example: SELECT meta.one_of(''unit'', ''kg'', [''g'', ''kg''])';
COMMENT ON MACRO TABLE mart.shares IS
'Shares of countries on all days, by one definition. Days of different panels are not comparable (panel_id). Example: FROM mart.shares(population := ''llm_vlm'') WHERE country_code = ''CN''';
COMMENT ON MACRO TABLE mart.share_by_country IS
'Shares of countries in every population on one day, by fractional credit. Example: FROM mart.share_by_country(''downloads_30d'', ''publisher'', ''2026-08-15'')';
COMMENT ON MACRO TABLE mart.derived_from IS
'Models of the newest listing that derive from a model, with the number of steps between them. Example: FROM mart.derived_from(''Qwen/Qwen3-8B'')';
COMMENT ON MACRO TABLE mart.leader_on IS
'First on an Arena board, on its newest publish date up to a day; several if they tie; none if a rated row of the board was rejected. Example: FROM mart.leader_on(''text'', DATE ''2026-06-30'')';
COMMENT ON MACRO TABLE mart.as_of IS
'Shares as they were known on a day: the registry as it was then. Example: FROM mart.as_of(''2026-08-10'')';
COMMENT ON MACRO TABLE mart.share_window IS
'Downloads and shares of countries between two days, from all-time counters. Example: FROM mart.share_window(''2025-01-01'', ''2025-06-30'', source_ := ''hub_evolution'')';
COMMENT ON MACRO TABLE core.rating_change IS
'Change of the rating of each model since its board before, never across a break of the scale. Example: FROM core.rating_change(''text'', ''overall'')';
COMMENT ON MACRO TABLE meta.why IS
'The snapshots behind the rows of a table that match a condition. Example: FROM meta.why(''mart.country_share_daily'', ''country_code = ''''CN'''''')';
