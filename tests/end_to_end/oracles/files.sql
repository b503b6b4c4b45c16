-- The files, read as tables. Nothing is corrected, joined or judged here.
--
-- Every oracle reads these views and nothing else. To try one by hand:
--
--     SET VARIABLE archive = 'data/archive';
--     SET VARIABLE registry = 'warehouse/registry';
--     SET VARIABLE as_of = DATE '2026-08-15';
--     .read tests/end_to_end/oracles/files.sql
--     .read tests/end_to_end/oracles/hub.sql
--     .read tests/end_to_end/oracles/country_share_daily.sql
--
-- `as_of` is the last day that the build looks at; later snapshots do not exist for it.

-- The Hub's listing: one row per snapshot day and listed model.
CREATE OR REPLACE TEMP TABLE hub_listing AS
SELECT
    regexp_extract(filename, '/hub/(\d{4}-\d\d-\d\d)/', 1)::DATE AS as_of_date,
    id AS model,
    "_id" AS object_id,
    coalesce(author, nullif(split_part(id, '/', 1), id)) AS author,
    createdAt AS created_at,
    pipeline_tag,
    downloads AS downloads_30d,
    downloadsAllTime AS downloads_all_time,
    likes,
    tags,
    baseModels AS base_models
FROM read_json(
    getvariable('archive') || '/hub/*/pages/*.json*',
    format = 'array', filename = true, hive_partitioning = false,
    columns = {
        id: 'VARCHAR', _id: 'VARCHAR', author: 'VARCHAR', createdAt: 'TIMESTAMP',
        pipeline_tag: 'VARCHAR', downloads: 'BIGINT', downloadsAllTime: 'BIGINT', likes: 'BIGINT',
        tags: 'VARCHAR[]', baseModels: 'STRUCT(relation VARCHAR, models STRUCT(id VARCHAR)[])'
    }
)
WHERE as_of_date <= getvariable('as_of');

-- The registry as it is known today: rows that no later row corrects.
CREATE OR REPLACE TEMP MACRO registry(name) AS TABLE
FROM read_csv(
    getvariable('registry') || '/' || name || '.csv',
    header = true, all_varchar = true, hive_partitioning = false
);

CREATE OR REPLACE TEMP TABLE labs AS
SELECT
    lab_id, lab_name, parent_lab_id, kind, country_code,
    valid_from::DATE AS valid_from, coalesce(valid_to::DATE, DATE '9999-12-31') AS valid_to
FROM registry('labs') WHERE known_to IS NULL;

CREATE OR REPLACE TEMP TABLE namespaces AS
SELECT DISTINCT
    system, lower(namespace) AS namespace, lab_id, kind,
    valid_from::DATE AS valid_from, coalesce(valid_to::DATE, DATE '9999-12-31') AS valid_to
FROM registry('namespaces') WHERE known_to IS NULL;

CREATE OR REPLACE TEMP TABLE families AS
SELECT family_id, family_name, lab_id FROM registry('families') WHERE known_to IS NULL;

CREATE OR REPLACE TEMP TABLE family_rules AS
SELECT family_id, lower(namespace) AS namespace, pattern, priority::INTEGER AS priority
FROM registry('family_rules') WHERE known_to IS NULL AND system = 'hub';

CREATE OR REPLACE TEMP TABLE spellings AS
SELECT spelling, country_code FROM registry('country_aliases');

-- LMArena's data set: the boards of the newest snapshot, which holds the whole history.
SET VARIABLE lmarena = (
    SELECT max(regexp_extract(file, '^(.*/lmarena/\d{4}-\d\d-\d\d)/', 1))
    FROM glob(getvariable('archive') || '/lmarena/*/*/full-*.parquet')
    WHERE regexp_extract(file, '/lmarena/(\d{4}-\d\d-\d\d)/', 1)::DATE <= getvariable('as_of')
);
CREATE OR REPLACE TEMP TABLE arena_rows AS
SELECT
    regexp_extract(filename, '/([a-z0-9_-]+)/full-', 1) AS board,
    category,
    leaderboard_publish_date::DATE AS publish_date,
    model_name,
    nullif(organization, '') AS organization,
    nullif(license, '') AS license,
    rating, rating_lower, rating_upper,
    vote_count, "rank" AS rank_published
FROM read_parquet(
    getvariable('lmarena') || '/*/full-*.parquet',
    filename = true, union_by_name = true, hive_partitioning = false
)
WHERE publish_date <= getvariable('as_of');

-- Boards that other sources complete: the text board of 2023 has rows of the frozen Space, text and
-- vision and image boards have rows of arena-catalog on the days of its commits. Only file names are read here.
CREATE OR REPLACE TEMP TABLE arena_completed AS
SELECT 'text' AS board, strptime(day, '%Y%m%d')::DATE AS publish_date
FROM (
    SELECT DISTINCT regexp_extract(file, 'leaderboard_table_(2023\d{4})', 1) AS day
    FROM glob(getvariable('archive') || '/lmarena_space/*/*.csv')
) WHERE day <> ''
UNION
SELECT unnest(['text', 'text_style_control', 'vision', 'vision_style_control', 'text_to_image']),
    strptime(day, '%Y%m%d')::DATE
FROM (
    SELECT DISTINCT regexp_extract(file, '/(\d{8})T\d{6}Z[^/]*/[^/]+\.json$', 1) AS day
    FROM glob(getvariable('archive') || '/arena_catalog/*/*/*.json')
) WHERE day <> '';

-- Names of models on the boards that review has found to be one model.
CREATE OR REPLACE TEMP TABLE arena_aliases AS
SELECT name, model_id FROM registry('model_aliases')
WHERE known_to IS NULL AND system = 'lmarena';

-- Epoch's notable models: the newest table.
SET VARIABLE epoch = (
    SELECT max(file) FROM glob(getvariable('archive') || '/epoch/*/notable_ai_models.csv*')
    WHERE regexp_extract(file, '/epoch/(\d{4}-\d\d-\d\d)/', 1)::DATE <= getvariable('as_of')
);
CREATE OR REPLACE TEMP TABLE epoch_notable AS
SELECT
    regexp_extract(getvariable('epoch'), '/epoch/(\d{4}-\d\d-\d\d)/', 1)::DATE AS vintage_date,
    row_number() OVER () AS record,
    "Model" AS model, "Organization" AS organizations, "Publication date" AS published,
    "Country (of organization)" AS countries, "Model accessibility" AS accessibility
FROM read_csv(
    getvariable('epoch'), header = true, all_varchar = true, hive_partitioning = false
);

-- Names of countries by ISO 3166-1, of the package pycountry.
CREATE OR REPLACE TEMP TABLE iso_names AS
WITH iso AS (
    SELECT unnest("3166-1", max_depth := 2) FROM read_json(
        getvariable('iso_3166'), columns = {'3166-1': 'STRUCT(
            alpha_2 VARCHAR, name VARCHAR, official_name VARCHAR, common_name VARCHAR)[]'})
)
SELECT DISTINCT unnest([name, official_name, common_name]) AS spelling, alpha_2 AS country_code
FROM iso;
INSERT INTO spellings
SELECT * FROM iso_names WHERE spelling IS NOT NULL
    AND spelling NOT IN (SELECT spelling FROM spellings);
