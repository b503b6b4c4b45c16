-- mart.trending_share_daily: the places of each country among the Hub's trending models.
--
-- Of a day with several strips the last one counts. Its models are numbered among themselves (data
-- sets and Spaces take no place); the first 5 and the first 10 are looked at. By publisher a place
-- belongs to the country of the uploader's lab on that day. By base it belongs to those of the roots
-- of the lineage, by equal parts; where nothing is recorded of that, to the country of the lab that
-- makes the family of the model's name (n_places_by_name), else to XX (n_places_without_lineage).
--
-- Needs files.sql and hub.sql.
CREATE OR REPLACE TEMP TABLE trending_items AS
WITH strips AS (
    SELECT regexp_extract(filename, '/hub_trending/([^/]+)/', 1) AS strip, "recentlyTrending" AS items
    FROM read_json(
        getvariable('archive') || '/hub_trending/*/trending.json*',
        filename = true, hive_partitioning = false,
        columns = {'recentlyTrending':
            'STRUCT("repoType" VARCHAR, "repoData" STRUCT(id VARCHAR, author VARCHAR))[]'}
    )
)
SELECT
    strip[:10]::DATE AS as_of_date, strip, position, item."repoType" AS repo_type,
    item."repoData".id AS model, item."repoData".author AS author
FROM (
    SELECT strip, unnest(items) AS item, generate_subscripts(items, 1) AS position FROM strips
)
WHERE as_of_date <= getvariable('as_of');

CREATE OR REPLACE TEMP TABLE names AS SELECT DISTINCT model FROM trending_items;

WITH last_strips AS (
    FROM trending_items QUALIFY strip = max(strip) OVER (PARTITION BY as_of_date)
),
places AS (
    SELECT as_of_date, model, author,
        row_number() OVER (PARTITION BY as_of_date ORDER BY position) AS place
    FROM last_strips WHERE repo_type = 'model'
),
owners AS (
    SELECT as_of_date, namespace, lab_id
    FROM (SELECT DISTINCT as_of_date FROM places), namespaces
    WHERE system = 'hub' AND as_of_date >= valid_from AND as_of_date < valid_to
),
with_lineage AS (
    SELECT model, weight,
        CASE WHEN root LIKE '%/%' THEN lower(split_part(root, '/', 1)) END AS namespace
    FROM hub_roots WHERE model IN (FROM hub_with_lineage)
),
known AS (
    SELECT as_of_date, place, 'publisher' AS attribution, 'uploader' AS known_by, 1.0 AS weight,
        lower(author) AS namespace, NULL AS maker
    FROM places
    UNION ALL
    SELECT as_of_date, place, 'base', 'lineage', weight, namespace, NULL
    FROM places JOIN with_lineage USING (model)
    UNION ALL
    SELECT as_of_date, place, 'base', CASE WHEN lab_id IS NULL THEN 'nothing' ELSE 'name' END, 1.0,
        NULL, lab_id
    FROM places LEFT JOIN families_of_names() USING (model) LEFT JOIN families USING (family_id)
    WHERE model NOT IN (SELECT model FROM with_lineage)
),
placed AS (
    SELECT known.*, coalesce(country_code, 'XX') AS country_code
    FROM known LEFT JOIN owners USING (as_of_date, namespace)
    LEFT JOIN labs ON labs.lab_id = coalesce(owners.lab_id, maker)
        AND as_of_date >= valid_from AND as_of_date < valid_to
),
countries AS (
    SELECT as_of_date, top_n, attribution, country_code,
        sum(weight) AS n_places,
        coalesce(sum(weight) FILTER (known_by = 'name'), 0) AS by_name,
        coalesce(sum(weight) FILTER (known_by = 'nothing'), 0) AS without_lineage
    FROM placed JOIN (SELECT unnest([5, 10]) AS top_n) ON place <= top_n
    GROUP BY ALL
)
SELECT
    as_of_date, top_n, attribution, country_code, n_places,
    CASE WHEN attribution = 'base' THEN by_name END AS n_places_by_name,
    CASE WHEN attribution = 'base' THEN without_lineage END AS n_places_without_lineage,
    sum(n_places) OVER one_top AS n_places_total,
    n_places / sum(n_places) OVER one_top AS share
FROM countries WINDOW one_top AS (PARTITION BY as_of_date, top_n, attribution)
