"""Rules of the claims: verdicts are derived again, in SQL, from the figures of the trials."""

from __future__ import annotations

from expectations.rule import Rule, on

_TRIALS = '"mart"."claim_trials"'
_KEY = "claim_id, moment, definition_id, measure_id"
# Whether a value has the stated relation to the stated value.
_AGREES = """CASE relation
    WHEN 'equals' THEN abs(value - stated_value) <= tolerance + 1e-6
    WHEN 'at_most' THEN value <= stated_value + tolerance + 1e-6
    WHEN 'above' THEN value > stated_value
    WHEN 'below' THEN value < stated_value
    ELSE value >= stated_value - tolerance - 1e-6 END"""
_OF_TRIAL = _AGREES.replace("tolerance", "t.tolerance").replace("stated_value", "t.stated_value")
_BOUNDED = "coalesce(bounds_hold, false) AND (value_lower IS NOT NULL OR value_upper IS NOT NULL)"
_VERDICTS = f"""
    WITH each AS (
        SELECT claim_id, moment, definition_id, bool_or(is_own) AS is_own,
            CASE WHEN bool_or(holds = false) THEN 'no'
                WHEN bool_or(holds IS NULL) THEN 'unknown' ELSE 'yes' END AS answer
        FROM {_TRIALS} GROUP BY ALL HAVING bool_and(evidence <> 'publishers_file')
    ), counted AS (
        SELECT claim_id, moment, count(*) FILTER (WHERE is_own) AS n_own,
            count(*) FILTER (WHERE is_own AND answer = 'yes') AS n_own_yes,
            count(*) FILTER (WHERE is_own AND answer = 'no') AS n_own_no,
            count(*) FILTER (WHERE answer = 'yes') AS n_yes
        FROM each GROUP BY ALL
    )
    SELECT *, CASE WHEN n_own_yes = n_own THEN 'reproduced'
        WHEN n_own_no > 0 AND n_yes > 0 THEN 'differs_by_definition'
        WHEN n_own_no = n_own THEN 'contradicted' ELSE 'not_testable' END AS due
    FROM counted
"""

CLAIMS: tuple[Rule, ...] = (
    on("mart.claim_trials").critical(
        "no_answer_below_required_coverage",
        "A trial without a value, or with less coverage than required, has no answer and gives "
        "the reason, unless bounds that hold for everything unobserved decide.",
        f"SELECT {_KEY}, value, coverage, coverage_needed, holds, missing FROM {{batch}} "
        "WHERE holds IS NOT NULL AND (value IS NULL OR coverage < coverage_needed) "
        f"AND NOT ({_BOUNDED}) "
        "OR (holds IS NULL) <> (missing IS NOT NULL)",
    ),
    on("mart.claim_trials").critical(
        "incomplete_source_gives_no_answer",
        "A trial on an incomplete source has no answer that the missing part could change.",
        f"SELECT {_KEY}, value, coverage, holds FROM {{batch}} "
        f"WHERE is_whole = false AND holds IS NOT NULL AND NOT ({_BOUNDED})",
    ),
    on("mart.claim_trials").critical(
        "coverage_is_the_smallest_of_its_parts",
        "Coverage is at most the coverage of the window, of the population and of the lineage.",
        f"SELECT {_KEY}, coverage, coverage_time, coverage_population, coverage_lineage "
        "FROM {batch} WHERE coverage > coverage_time OR coverage > coverage_population "
        "OR coverage > coverage_lineage",
    ),
    on("mart.claim_trials").critical(
        "answer_fits_the_figures",
        "A trial holds exactly if its value is within the tolerance of the stated figure.",
        f"SELECT {_KEY}, relation, stated_value, tolerance, value, holds FROM {{batch}} "
        f"WHERE holds IS NOT NULL AND relation <> 'ahead' AND holds <> ({_AGREES})",
    ),
    on("mart.claim_trials").critical(
        "value_is_within_bounds",
        "value_lower <= value <= value_upper, where there are bounds.",
        f"SELECT {_KEY}, value, value_lower, value_upper FROM {{batch}} "
        "WHERE value < value_lower - 1e-6 OR value > value_upper + 1e-6",
    ),
    on("mart.claims").critical(
        "every_statement_has_its_verdicts",
        "Every statement has one verdict at the stated moment and one at the newest.",
        """
        SELECT c.claim_id, m.moment FROM "raw"."claims" AS c
        CROSS JOIN (VALUES ('stated'), ('newest')) AS m(moment)
        LEFT JOIN {batch} AS v ON v.claim_id = c.claim_id AND v.moment = m.moment
        GROUP BY ALL HAVING count(v.claim_id) <> 1
        """,
    ),
    on("mart.claims").critical(
        "verdict_follows_from_trials",
        "The verdict follows from the answers of the trials.",
        f"SELECT v.claim_id, v.moment, v.verdict, due.* EXCLUDE (claim_id, moment) FROM {{batch}} "
        f"AS v LEFT JOIN ({_VERDICTS}) AS due USING (claim_id, moment) "
        "WHERE v.verdict IS DISTINCT FROM CASE WHEN v.meaning = 'open' AND n_own_no = n_own "
        "THEN 'not_testable' ELSE due.due END",
    ),
    on("mart.claims").critical(
        "reproduced_claims_have_enough_coverage",
        "Reproduced statements have the required coverage or bounds, and all their figures agree.",
        f"SELECT v.claim_id, v.moment, t.definition_id, t.measure_id, t.relation, t.stated_value, "
        f"t.value, t.coverage FROM {{batch}} AS v JOIN {_TRIALS} AS t USING (claim_id, moment) "
        "WHERE v.verdict = 'reproduced' AND t.is_own AND (((t.value IS NULL "
        f"OR t.coverage < v.coverage_needed) AND NOT ({_BOUNDED})) "
        f"OR NOT ({_OF_TRIAL}))",
    ),
    on("mart.claims").critical(
        "holds_under_fits_the_verdict",
        "A statement that differs by definition names a definition under which it holds; a "
        "contradicted one names none.",
        "SELECT claim_id, moment, verdict, holds_under FROM {batch} WHERE "
        "verdict IN ('reproduced', 'differs_by_definition') AND holds_under IS NULL "
        "OR verdict = 'contradicted' AND holds_under IS NOT NULL",
    ),
    on("mart.claims").critical(
        "restricted_figures_are_withheld",
        "Figures from sources with restrictive terms are withheld from the published claims.",
        "SELECT claim_id, moment, value_withheld, recomputed_value, recomputed_text FROM {batch} "
        "WHERE value_withheld IS NOT NULL AND (recomputed_value IS NOT NULL "
        "OR recomputed_text IS NOT NULL)",
    ),
)
