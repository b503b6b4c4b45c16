-- The models of the Hub: who counts, what is counted, and who made them. Needs files.sql.
--
-- The shares differ only in whom they credit, so their common part is here. The tables to know:
--   hub_models     one row per model
--   hub_parents    one row per model and parent               (compared with core.hub_base_models)
--   hub_roots      one row per model and root of its lineage  (compared with core.hub_model_roots)
--   hub_counted    one row per day, model, population and metric
--   hub_credited   one row per day, attribution, model and lab that is credited with it
--   hub_totals     one row per day, population and metric: the denominators
--
-- Left out, because the recordings have none: renames and parents that only the Hub's object ids
-- show, parents that are declared by an address or a path, and lineages that lead back to themselves.

-- A model keeps the newest value that any snapshot has of each attribute.
CREATE OR REPLACE TEMP TABLE hub_models AS
SELECT
    model,
    lower(arg_max(author, as_of_date)) AS namespace, -- that uploaded it
    arg_max(object_id, as_of_date) AS last_object_id,
    arg_max(created_at, as_of_date)::DATE AS created_on,
    arg_max(pipeline_tag, as_of_date) AS pipeline_tag
FROM hub_listing GROUP BY model;

-- LINEAGE AS DECLARED. Records that say anything of a model's parents, also that there are none: a
-- list of tags without a parent says so if it is the Hub's whole list.
CREATE OR REPLACE TEMP TABLE hub_lineage_records AS
SELECT *, list_filter(tags, lambda tag: starts_with(tag, 'base_model:')) AS parent_tags
FROM hub_listing
WHERE base_models IS NOT NULL OR len(parent_tags) > 0
    OR len(tags) = 0 OR list_contains(tags, pipeline_tag)
    OR len(list_filter(tags, lambda tag: starts_with(tag, 'region:'))) > 0;

-- The newest of them counts. Where the field baseModels names any parent, it decides alone;
-- elsewhere the tags `base_model:X` and `base_model:<relation>:X` do. What cannot be a repository is
-- no parent, such as "org/Name (Merge)". Review adds a parent that the author left out, and drops
-- one that is wrong.
CREATE OR REPLACE TEMP TABLE hub_declared AS
WITH records AS (
    FROM hub_lineage_records QUALIFY as_of_date = max(as_of_date) OVER (PARTITION BY model)
),
named AS (
    SELECT model, parent.id AS declared FROM records, unnest(base_models.models) AS each(parent)
    UNION ALL
    SELECT model, regexp_extract(tag, '^base_model:(?:[a-z_]+:)?(.+)$', 1)
    FROM records, unnest(parent_tags) AS each(tag)
    WHERE coalesce(len(base_models.models), 0) = 0
)
SELECT model, declared FROM named
WHERE regexp_full_match(declared, '[\w.-]+(/[\w.-]+)?') AND (lower(model), lower(declared)) NOT IN (
    SELECT (lower(model_id_hf), lower(base_model_id_hf)) FROM registry('lineage_exceptions')
    WHERE action = 'drop'
)
UNION
SELECT model_id_hf, base_model_id_hf FROM registry('lineage_exceptions')
WHERE action = 'add' AND model_id_hf IN (SELECT model FROM hub_models);

-- NAMES THAT MOVED: a namespace that was renamed, or a legacy name without namespace (the longest
-- prefix that fits).
CREATE OR REPLACE TEMP TABLE hub_moved AS
SELECT
    name,
    arg_max(new_namespace, coalesce(length(old_name_prefix), 0))
        || '/' || split_part(name, '/', -1) AS present
FROM (SELECT model AS name FROM hub_models UNION SELECT declared FROM hub_declared)
JOIN registry('model_renames')
    ON name LIKE '%/%' AND lower(split_part(name, '/', 1)) = lower(old_namespace)
    OR name NOT LIKE '%/%' AND starts_with(name, old_name_prefix)
GROUP BY name;

-- COUNTED ONCE. If a day lists a repository under two names, an old and its present one or two that
-- differ by case alone, one is counted: the present one, of several the one with more downloads. Two
-- object ids are two repositories, whatever their names.
CREATE OR REPLACE TEMP TABLE hub_doubles AS
WITH listed AS (
    SELECT
        as_of_date, model, last_object_id,
        first_value(model) OVER one_repository AS counted_model,
        first_value(last_object_id) OVER one_repository AS counted_object_id
    FROM hub_listing JOIN hub_models USING (model) LEFT JOIN hub_moved ON name = model
    WINDOW one_repository AS (
        PARTITION BY as_of_date, lower(coalesce(present, model))
        ORDER BY lower(present) <> lower(model) NULLS FIRST, downloads_30d DESC NULLS LAST, model
    )
)
SELECT as_of_date, model FROM listed
WHERE model <> counted_model AND NOT coalesce(last_object_id <> counted_object_id, false);

-- PARENTS under their present names, unless the declared one is itself listed today. A name counts
-- once, whatever its case.
CREATE OR REPLACE TEMP TABLE hub_parents AS
WITH listed_today AS (
    SELECT lower(model) AS name FROM (
        FROM hub_listing QUALIFY as_of_date = max(as_of_date) OVER ()
    ) ANTI JOIN hub_doubles USING (as_of_date, model)
),
parents AS (
    SELECT model, CASE WHEN lower(declared) IN (FROM listed_today) THEN declared
        ELSE coalesce(present, declared) END AS parent
    FROM hub_declared LEFT JOIN hub_moved ON name = declared
)
SELECT model, lower(parent) AS parent_key, min(parent) AS parent
FROM parents WHERE lower(parent) <> lower(model)
GROUP BY model, parent_key;

-- ROOTS. Walk from every model to its parents, their parents and so on. Several parents share by
-- equal parts. The walk ends at a model that names no parent, listed or not.
CREATE OR REPLACE TEMP TABLE hub_roots AS
WITH RECURSIVE edges AS (
    SELECT DISTINCT lower(model) AS child, parent_key AS parent,
        1.0 / count(DISTINCT parent_key) OVER (PARTITION BY lower(model)) AS part
    FROM hub_parents
),
walk AS (
    SELECT model, lower(model) AS node, 1.0::DOUBLE AS weight, 0 AS depth FROM hub_models
    UNION ALL
    SELECT model, edges.parent, weight * part, depth + 1
    FROM walk JOIN edges ON edges.child = node WHERE depth < 32
),
listed AS (SELECT lower(model) AS node, min(model) AS model FROM hub_models GROUP BY node),
lost AS (SELECT parent_key AS node, min(parent) AS model FROM hub_parents GROUP BY node)
SELECT
    walk.model,
    CASE WHEN depth = 0 THEN walk.model ELSE coalesce(listed.model, lost.model) END AS root,
    sum(weight) AS weight,
    max(depth) AS depth,
    listed.model IS NOT NULL AS is_listed
FROM walk LEFT JOIN listed USING (node) LEFT JOIN lost USING (node)
WHERE node NOT IN (SELECT child FROM edges)
GROUP BY ALL;

-- WHO COUNTS, AND WHAT. One row per day, model, population and metric; `value` is null where the
-- metric was not recorded or does not apply. "In the N days before" a day are that day and the
-- N - 1 days before it.
CREATE OR REPLACE TEMP TABLE hub_owners AS
SELECT as_of_date, namespace, lab_id, namespaces.kind, country_code
FROM (SELECT DISTINCT as_of_date FROM hub_listing), namespaces JOIN labs USING (lab_id)
WHERE system = 'hub'
    AND as_of_date >= namespaces.valid_from AND as_of_date < namespaces.valid_to
    AND as_of_date >= labs.valid_from AND as_of_date < labs.valid_to;

-- A counter is a spike if it is above ten times the median of the model's own counters in the
-- 31 days before, of which at least three were observed.
CREATE OR REPLACE TEMP TABLE hub_spikes AS
SELECT now.as_of_date, now.model
FROM hub_listing AS now JOIN hub_listing AS earlier
    ON earlier.model = now.model AND earlier.downloads_30d IS NOT NULL
    AND earlier.as_of_date < now.as_of_date AND earlier.as_of_date >= now.as_of_date - 31
GROUP BY now.as_of_date, now.model, now.downloads_30d
HAVING count(*) >= 3 AND now.downloads_30d > 10 * median(earlier.downloads_30d);

CREATE OR REPLACE TEMP TABLE hub_counted AS
WITH seen AS (
    SELECT
        as_of_date, model, downloads_30d, downloads_all_time, likes, kind, hub_models.pipeline_tag,
        as_of_date - created_on AS age,
        (as_of_date, model) IN (SELECT (as_of_date, model) FROM hub_spikes) AS is_spike
    FROM (FROM hub_listing ANTI JOIN hub_doubles USING (as_of_date, model)) AS hub_listing JOIN hub_models USING (model)
    LEFT JOIN hub_owners USING (as_of_date, namespace)
),
populations AS (
    SELECT *, unnest(list_filter([
        'all',
        CASE WHEN pipeline_tag IN ('text-generation', 'image-text-to-text', 'any-to-any')
            THEN 'llm_vlm' END,
        CASE WHEN age BETWEEN 0 AND 364 THEN 'created_1y' END,
        CASE WHEN kind IN ('lab', 'academia', 'community') THEN 'first_party' END,
        CASE WHEN kind IS DISTINCT FROM 'ci' THEN 'without_ci' END,
        CASE WHEN NOT is_spike OR age BETWEEN 0 AND 59 THEN 'without_spikes' END
    ], lambda name: name IS NOT NULL)) AS population
    FROM seen
)
SELECT
    as_of_date, model, population,
    unnest([
        {metric: 'downloads_30d', metric_window: '30d', value: downloads_30d},
        {metric: 'downloads_all_time', metric_window: 'all_time', value: downloads_all_time},
        {metric: 'likes', metric_window: 'all_time', value: likes},
        {metric: 'models', metric_window: 'all_time', value: 1},
        {metric: 'new_models_30d', metric_window: '30d',
            value: CASE WHEN age BETWEEN 0 AND 29 THEN 1 END}
    ], recursive := true)
FROM populations;

-- WHO IS CREDITED. By publisher the lab whose namespace uploaded the model; by base the labs at
-- its roots, by parts. A namespace that nobody examined has no lab (null) and the country XX.
-- By base it matters whether anything is recorded of a model's lineage: some snapshot says what its
-- parents are, also that there are none, or review does. Without that it counts for its uploader.
-- Of a day whose own listing has neither tags nor baseModels, nothing is recorded.
CREATE OR REPLACE TEMP TABLE hub_with_lineage AS
SELECT model FROM hub_lineage_records UNION SELECT model FROM hub_roots WHERE root <> model;

CREATE OR REPLACE TEMP TABLE hub_days_with_lineage AS
SELECT DISTINCT as_of_date FROM hub_lineage_records;

CREATE OR REPLACE TEMP TABLE hub_credited AS
WITH credited AS (
    SELECT as_of_date, 'publisher' AS attribution, model, model AS root, 1.0 AS weight,
        namespace
    FROM (SELECT DISTINCT as_of_date, model FROM hub_listing) JOIN hub_models USING (model)
    UNION ALL
    SELECT as_of_date, 'base', model, root, weight,
        CASE WHEN root LIKE '%/%' THEN lower(split_part(root, '/', 1)) END
    FROM (SELECT DISTINCT as_of_date, model FROM hub_listing) JOIN hub_roots USING (model)
)
SELECT
    credited.* EXCLUDE (namespace), lab_id, coalesce(country_code, 'XX') AS country_code,
    model IN (FROM hub_with_lineage) AND as_of_date IN (FROM hub_days_with_lineage) AS is_recorded
FROM credited LEFT JOIN hub_owners USING (as_of_date, namespace);

-- The sum that every share is divided by: each model of the population once. The part of it whose
-- models have a recorded lineage says how far shares by base can be trusted.
CREATE OR REPLACE TEMP TABLE hub_totals AS
SELECT
    as_of_date, population, metric, metric_window,
    sum(value)::DOUBLE AS denominator,
    coalesce(sum(value) FILTER (
        model IN (FROM hub_with_lineage) AND as_of_date IN (FROM hub_days_with_lineage)
    ), 0) / denominator AS lineage_coverage,
    count(value) AS n_models_population,
    count(*) - count(value) AS n_models_without_counter
FROM hub_counted GROUP BY ALL HAVING denominator > 0;

-- FAMILIES of the repositories in a table `names` (column model). The name without its namespace is
-- matched against the registry's rules; of those that match, the one with the smallest priority says
-- the family. If two families have equal right, the model has none.
-- The rules are one query each, put together here: DuckDB is fast where a pattern is a constant.
SET VARIABLE family_rules = (
    SELECT string_agg(
        format('SELECT model, ''{}'' AS family_id, {} AS priority FROM names WHERE {} '
                || 'regexp_matches(split_part(model, ''/'', -1), ''{}'', ''i'')',
            family_id, priority,
            CASE WHEN namespace IS NULL THEN ''
                ELSE format('starts_with(lower(model), ''{}/'') AND', namespace) END,
            replace(pattern, '''', '''''')),
        ' UNION ALL ')
    FROM family_rules
);
CREATE OR REPLACE TEMP TABLE names (model VARCHAR);
CREATE OR REPLACE TEMP MACRO families_of_names() AS TABLE
SELECT model, min(family_id) AS family_id
FROM (
    FROM query(getvariable('family_rules'))
    QUALIFY priority = min(priority) OVER (PARTITION BY model)
)
GROUP BY model HAVING count(DISTINCT family_id) = 1;
