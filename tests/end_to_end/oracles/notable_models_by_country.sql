-- mart.notable_models_by_country: notable AI models by year of publication and country.
--
-- Of Epoch's newest table of notable models, each model with a date counts once in full for every
-- distinct country of its organizations, and beside it by equal parts.
--   epoch            the countries that Epoch names (XX where it names none, or one unknown)
--   epoch_registry   the countries of the labs behind the organizations, on the day of publication
--                    (XX for an organization that nobody examined, and where there is none)
--
-- Left out: the rows of the AI Index, which are printed there and not counted here.
-- Covers: source LIKE 'epoch%'
--
-- Needs files.sql.
WITH models AS (
    SELECT record, vintage_date, published::DATE AS published, countries, organizations
    FROM epoch_notable WHERE published IS NOT NULL
),
by_epoch AS (
    SELECT record, coalesce(country_code, 'XX') AS country_code
    FROM (
        SELECT record, trim(unnest(string_split(countries, ','))) AS spelling FROM models
        WHERE countries IS NOT NULL
    ) LEFT JOIN spellings USING (spelling)
    WHERE spelling <> ''
),
organizations AS ( -- a comma that a blank follows belongs to the name
    SELECT record, published,
        lower(trim(unnest(regexp_extract_all(organizations, '(?:[^,]|, )+')))) AS namespace
    FROM models WHERE organizations IS NOT NULL
),
by_registry AS (
    SELECT record, coalesce(country_code, 'XX') AS country_code
    FROM organizations
    LEFT JOIN namespaces ON system = 'epoch' AND namespaces.namespace = organizations.namespace
        AND published >= namespaces.valid_from AND published < namespaces.valid_to
    LEFT JOIN labs ON labs.lab_id = namespaces.lab_id
        AND published >= labs.valid_from AND published < labs.valid_to
),
placed AS (
    SELECT DISTINCT 'epoch' AS source, record, coalesce(country_code, 'XX') AS country_code
    FROM models LEFT JOIN by_epoch USING (record)
    UNION ALL
    SELECT DISTINCT 'epoch_registry', record, coalesce(country_code, 'XX')
    FROM models LEFT JOIN by_registry USING (record)
)
SELECT
    source, year(published) AS "year", country_code, vintage_date,
    count(*) AS n_models, sum(part) AS n_models_fractional
FROM models JOIN (
    SELECT *, 1 / count(*) OVER (PARTITION BY source, record) AS part FROM placed
) USING (record)
GROUP BY ALL
