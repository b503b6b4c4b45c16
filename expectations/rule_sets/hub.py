"""Rules of the Hub's models and their shares."""

from __future__ import annotations

from expectations.rule import Rule, on
from expectations.rule_sets.sql import bounds_sql
from warehouse.contracts.source import card

_BY_LAB = "as_of_date, population, metric, attribution"
_SHARES = f"{_BY_LAB}, credit"

_HUB_SIZED = card("hub").whole_records
_NEWEST_INCOMPLETE = """
    SELECT snapshot_id, snapshot_date, rows_seen, is_complete FROM "meta"."snapshots"
    WHERE source = 'hub' AND NOT is_sample AND NOT is_complete
      AND snapshot_id IN (SELECT DISTINCT snapshot_id FROM {batch})
      AND snapshot_date = (SELECT max(snapshot_date) FROM "meta"."snapshots" WHERE source = 'hub')
"""


def _missing_shares(table: str) -> Rule:
    return on(table).critical(
        "share_is_missing_only_without_lineage",
        "A share is null exactly where share_missing gives a reason: attribution base, without "
        "any recorded lineage.",
        f"SELECT {_BY_LAB}, share, lineage_coverage, share_missing FROM {{batch}} WHERE "
        "(share IS NULL) <> (share_missing IS NOT NULL) OR (share IS NULL) <> (numerator IS NULL) "
        "OR (share_missing IS NOT NULL) IS DISTINCT FROM coalesce(lineage_coverage = 0, false) "
        "OR (lineage_coverage IS NOT NULL) <> (attribution = 'base')",
    )


def _one_panel(table: str) -> Rule:
    return on(table).critical(
        "day_has_one_panel",
        "Every row names its panel, and all rows of a day have the same panel.",
        "SELECT as_of_date, count(DISTINCT panel_id) AS n_panels, "
        "count(*) FILTER (panel_id IS NULL) AS without FROM {batch} GROUP BY ALL "
        "HAVING n_panels <> 1 OR without > 0",
    )


HUB: tuple[Rule, ...] = (
    *(_one_panel(f"mart.{by}_share_daily") for by in ("country", "lab", "family")),
    *(_missing_shares(f"mart.{by}_share_daily") for by in ("country", "lab", "family")),
    on("raw.hub_models").warning(
        "newest_sweep_is_complete",
        "The newest sweep reached the oldest models and has at most 2 % fewer rows than the "
        "previous one. Only then is it known to be complete.",
        _NEWEST_INCOMPLETE,
    ),
    on("raw.hub_models").critical(
        "no_incomplete_sweep_after_a_complete_one",
        "A complete sweep of the Hub is followed by complete sweeps only. If the Hub itself "
        "shrank, or to continue without this day, run `observatory exclude hub/DATE`; per-lab "
        "totals are still available for that day in hub_namespaces.",
        f"""
        SELECT * FROM ({_NEWEST_INCOMPLETE}) AS newest WHERE EXISTS (
            SELECT 1 FROM "meta"."snapshots" AS earlier WHERE earlier.source = 'hub'
            AND earlier.is_complete AND earlier.rows_seen >= {_HUB_SIZED}
            AND earlier.snapshot_date < newest.snapshot_date)
        """,
    ),
    on("core.hub_counter_days").warning(
        "counters_are_plausible",
        "The counters of the newest day are neither frozen nor falling together.",
        "SELECT as_of_date, counter_outage, unchanged_share_100, downloads_30d_change_share "
        "FROM {batch} WHERE counter_outage IS NOT NULL "
        "AND as_of_date = (SELECT max(as_of_date) FROM {batch})",
    ),
    on("core.hub_counter_days").critical(
        "history_counts_every_model",
        "For every day of core.hub_daily_counters the history counts the same number of models, "
        "including those that core.hub_suspected_doubles counts once.",
        """
        SELECT as_of_date, models, n_rows, coalesce(n_doubles, 0) AS n_doubles FROM (
            SELECT as_of_date, count(*) AS n_rows FROM "core"."hub_daily_counters" GROUP BY ALL
        ) AS counted LEFT JOIN {batch} AS days USING (as_of_date) LEFT JOIN (
            SELECT as_of_date, count(*) AS n_doubles FROM "core"."hub_suspected_doubles"
            WHERE is_counted_once GROUP BY ALL
        ) AS twice USING (as_of_date)
        WHERE models IS DISTINCT FROM n_rows + coalesce(n_doubles, 0)
        """,
    ),
    on("core.hub_daily_counters").critical(
        "no_repository_is_counted_twice",
        "No two ids of a day differ by case alone, except for two distinct repositories, and no "
        "id is counted that core.hub_suspected_doubles counts under another id.",
        """
        SELECT as_of_date, model_id_hf, 'case' AS reason FROM (
            SELECT as_of_date, model_id_hf FROM {batch} WHERE (as_of_date, hash(lower(model_id_hf)))
            IN (SELECT (as_of_date, hash(lower(model_id_hf))) FROM {batch}
                GROUP BY ALL HAVING count(*) > 1)
        ) AS alike WHERE NOT EXISTS (
            SELECT 1 FROM "core"."hub_suspected_doubles" AS d WHERE NOT d.is_counted_once
            AND d.as_of_date = alike.as_of_date
            AND alike.model_id_hf IN (d.model_id_hf, d.counted_model_id_hf))
        UNION ALL
        SELECT as_of_date, model_id_hf, reason FROM {batch}
        JOIN "core"."hub_suspected_doubles" USING (as_of_date, model_id_hf) WHERE is_counted_once
        """,
    ),
    on("core.hub_suspected_doubles").warning(
        "suspected_duplicates_are_few",
        "On the newest day, ids that are counted beside a suspected duplicate have at most 1 % of"
        " the 30-day downloads. Otherwise add the rename to the registry, or find the cause.",
        """
        SELECT as_of_date, count(*) AS n_ids, sum(downloads_30d) AS downloads_30d,
            any_value(whole) AS downloads_30d_of_all
        FROM {batch} JOIN (SELECT as_of_date, sum(downloads_30d) AS whole
            FROM "core"."hub_daily_counters" GROUP BY ALL) AS days USING (as_of_date)
        WHERE NOT is_counted_once AND as_of_date = (SELECT max(as_of_date) FROM {batch})
        GROUP BY as_of_date HAVING sum(downloads_30d) > 0.01 * any_value(whole)
        """,
    ),
    on("core.hub_daily_counters").critical(
        "counters_are_not_negative",
        "Downloads, likes and trending score are never below zero.",
        "SELECT as_of_date, model_id_hf, downloads_30d, downloads_all_time, likes, trending_score "
        "FROM {batch} WHERE downloads_30d < 0 OR downloads_all_time < 0 OR likes < 0 "
        "OR trending_score < 0",
    ),
    on("core.hub_daily_counters").critical(
        "counted_models_have_attributes_and_roots",
        "Every counted model has its attributes and at least one root.",
        """
        SELECT model_id_hf, a.model_id_hf IS NOT NULL AS has_attributes,
            r.model_id_hf IS NOT NULL AS has_root
        FROM (SELECT DISTINCT model_id_hf FROM {batch}) AS b
        LEFT JOIN "core"."hub_models" AS a USING (model_id_hf)
        LEFT JOIN (SELECT DISTINCT model_id_hf FROM "core"."hub_model_roots") AS r
            USING (model_id_hf)
        WHERE a.model_id_hf IS NULL OR r.model_id_hf IS NULL
        """,
    ),
    on("core.hub_model_roots").critical(
        "weights_sum_to_one",
        "The weights of the roots of every model sum to 1.",
        "SELECT model_id_hf, sum(weight) AS sum_of_weights, count(*) AS n_roots FROM {batch} "
        "GROUP BY ALL HAVING (abs(sum(weight) - 1) <= 1e-9) IS NOT TRUE",
    ),
    on("core.labs").critical(
        "one_country_on_every_date",
        "Every lab has exactly one country on every date of core.hub_counter_days.",
        """
        SELECT lab_id, as_of_date, count(*) FILTER (WHERE valid_from <= as_of_date
            AND (valid_to IS NULL OR as_of_date < valid_to)) AS n_countries
        FROM (SELECT DISTINCT lab_id FROM {batch}) AS each
        CROSS JOIN (SELECT as_of_date FROM "core"."hub_counter_days") AS days
        LEFT JOIN {batch} AS held USING (lab_id)
        GROUP BY lab_id, as_of_date HAVING n_countries <> 1
        """,
    ),
    on("mart.lab_share_daily").critical(
        "fractional_shares_sum_to_one",
        "The shares of all labs under one definition sum to 1; all credit is fractional.",
        f"SELECT {_BY_LAB}, sum(share) AS sum_of_shares, count(*) AS n_labs FROM {{batch}} "
        f"WHERE share_missing IS NULL GROUP BY {_BY_LAB} "
        "HAVING (abs(sum(share) - 1) <= 1e-9) IS NOT TRUE",
    ),
    on("mart.registry_weight").critical(
        "shares_sum_to_one",
        "The shares of a day by confidence and kind of evidence sum to 1.",
        "SELECT as_of_date, sum(share) AS sum_of_shares, count(*) AS n_rows FROM {batch} "
        "WHERE share IS NOT NULL GROUP BY as_of_date "
        "HAVING (abs(sum(share) - 1) <= 1e-9) IS NOT TRUE",
    ),
    on("mart.registry_weight").critical(
        "not_examined_has_no_evidence",
        "A name that is not examined has neither a confidence nor a kind of evidence.",
        "SELECT as_of_date, confidence, evidence_kind FROM {batch} "
        "WHERE (confidence = 'not_examined') <> (evidence_kind = 'not_examined')",
    ),
    on("mart.country_share_daily").critical(
        "fractional_shares_sum_to_one",
        "The shares of all countries under one definition sum to 1 where credit is fractional.",
        f"SELECT {_SHARES}, sum(share) AS sum_of_shares, count(*) AS n_countries FROM {{batch}} "
        f"WHERE credit = 'fractional' AND share_missing IS NULL GROUP BY {_SHARES} "
        "HAVING (abs(sum(share) - 1) <= 1e-9) IS NOT TRUE",
    ),
    on("mart.country_share_daily").critical(
        "share_is_numerator_by_denominator",
        "share = numerator / denominator.",
        f"SELECT {_SHARES}, country_code, share, numerator, denominator FROM {{batch}} "
        "WHERE share_missing IS NULL "
        "AND (abs(share - numerator / denominator) <= 1e-9) IS NOT TRUE",
    ),
    on("mart.country_share_daily").critical(
        "share_is_within_bounds",
        "share_lower <= share <= share_upper, except for rounding.",
        bounds_sql(f"{_SHARES}, country_code", "share", "share_lower", "share_upper", 1e-12),
    ),
    on("mart.country_share_daily").critical(
        "one_denominator_per_definition",
        "All countries under one definition have the same denominator.",
        f"SELECT {_SHARES}, count(DISTINCT denominator) AS n_denominators, "
        "min(denominator) AS smallest, max(denominator) AS largest "
        f"FROM {{batch}} GROUP BY {_SHARES} HAVING count(DISTINCT denominator) > 1",
    ),
    on("mart.family_share_daily").critical(
        "families_do_not_exceed_their_lab",
        "Under attribution base and publisher, the families of a lab together have at most the "
        "lab's own total.",
        """
        WITH made AS (
            SELECT as_of_date, population, metric, attribution, lab_id, sum(numerator) AS families
            FROM {batch} JOIN "core"."families" USING (family_id)
            WHERE attribution <> 'name' GROUP BY ALL
        )
        SELECT made.*, labs.numerator FROM made LEFT JOIN "mart"."lab_share_daily" AS labs
            USING (as_of_date, population, metric, attribution, lab_id)
        WHERE families > coalesce(numerator, 0) * (1 + 1e-9)
        """,
    ),
    on("mart.family_share_daily").critical(
        "shares_sum_to_one",
        "Under one definition, the shares of all families and of the models without a family sum "
        "to 1.",
        "SELECT as_of_date, population, metric, metric_window, attribution, "
        "sum(share) AS sum_of_shares FROM {batch} WHERE share_missing IS NULL GROUP BY ALL "
        "HAVING (abs(sum(share) - 1) <= 1e-9) IS NOT TRUE",
    ),
)
