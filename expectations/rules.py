"""Rules that a contract cannot say: several columns, several rows, one snapshot against another.

A rule is SQL that selects the rows at fault. To add one, add a `Rule` to `RULES`: it is asked
wherever its table is validated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from expectations.suites import Check, Severity
from warehouse.contract import Contract, quote

# The recorded Hub days are lists of the most liked and most downloaded models, of any length;
# only whole sweeps can be compared strictly.
FALL_IS_A_WARNING = frozenset({"raw.hub_models"})

_OTHER_TABLE = re.compile(r'\b"?(raw|core|mart|meta)"?\s*\.\s*"?\w', re.IGNORECASE)


@dataclass(frozen=True)
class Rule:
    """One rule about one table.

    `sql` selects the rows at fault; `{batch}` stands for the table. It may name other tables of
    the same database as "layer"."name"; then it is not asked of a file that stands alone.
    """

    name: str
    table: str
    severity: Severity
    description: str
    sql: str

    @property
    def needs_database(self) -> bool:
        """Whether the rule looks at other tables than its own."""
        return _OTHER_TABLE.search(self.sql) is not None

    def check(self) -> Check:
        """The rule as a question."""
        offending = self.sql.replace("{batch}", "batch")
        return Check(self.name, self.severity, self.description, offending=offending)


def rules_for(contract: Contract, rules: Sequence[Rule] | None = None) -> list[Rule]:
    """The named rules of a table (of `RULES`, unless others are given), then its snapshot rules."""
    named = [rule for rule in (RULES if rules is None else rules) if rule.table == contract.table]
    return [*named, *snapshot_rules(contract)]


def snapshot_rules(contract: Contract) -> Iterator[Rule]:
    """A raw table's snapshots, each against the one before it of the same source and part."""
    fall = contract.thresholds.rows_fall_pct
    if contract.layer != "raw" or fall is None or "snapshot_id" not in contract.columns:
        return
    # Record numbers start anew in every part (file or subset) of a snapshot.
    parts = [c for c in contract.key if c not in ("snapshot_id", "line")]
    parts = parts if "line" in contract.key else []
    each = f" of the same {', '.join(parts)}" if parts else ""
    yield Rule(
        "snapshot_rows_do_not_fall",
        contract.table,
        "warning" if contract.table in FALL_IS_A_WARNING else "critical",
        f"The newest snapshot of {contract.table} has at most {fall:g} % fewer rows than the one "
        f"before{each}.",
        _fall_sql(parts, fall, "="),
    )
    # A sealed snapshot stays for ever: one that was short must not stop every run after it.
    yield Rule(
        "earlier_snapshot_rows_do_not_fall",
        contract.table,
        "warning",
        f"No earlier snapshot of {contract.table} has over {fall:g} % fewer rows than the one "
        f"before{each}.",
        _fall_sql(parts, fall, "<"),
    )
    if parts:
        yield Rule(
            "snapshot_parts_are_kept",
            contract.table,
            "warning",
            f"The newest snapshot of {contract.table} holds every {', '.join(parts)} of the one "
            "before.",
            _lost_sql(parts),
        )


def _counts(parts: Sequence[str]) -> str:
    """Common table expression: rows of each part of each snapshot, with source and day."""
    columns = "".join(f", {quote(part)}" for part in parts)
    return (
        "counts AS (SELECT split_part(snapshot_id, '/', 1) AS source, "
        "split_part(snapshot_id, '/', 2) AS day, snapshot_id"
        f"{columns}, count(*) AS n_rows FROM {{batch}} GROUP BY ALL)"
    )


def _fall_sql(parts: Sequence[str], fall: float, age: str) -> str:
    """Falls of snapshots whose day is `age` (`=` or `<`) the source's newest day."""
    columns = "".join(f", {quote(part)}" for part in parts)
    return f"""
        WITH {_counts(parts)}, steps AS (
            SELECT *, lag(snapshot_id) OVER earlier AS previous_snapshot_id,
                lag(n_rows) OVER earlier AS previous_n_rows,
                max(day) OVER (PARTITION BY source) AS newest_day
            FROM counts WINDOW earlier AS (PARTITION BY source{columns} ORDER BY day)
        )
        SELECT snapshot_id{columns}, n_rows, previous_snapshot_id, previous_n_rows
        FROM steps WHERE n_rows < previous_n_rows * (1 - {fall!r} / 100)
            AND day {age} newest_day
    """


def _lost_sql(parts: Sequence[str]) -> str:
    columns = ", ".join(quote(part) for part in parts)
    return f"""
        WITH {_counts(parts)}, days AS (
            SELECT source, snapshot_id,
                row_number() OVER (PARTITION BY source ORDER BY day DESC) AS age
            FROM (SELECT DISTINCT source, day, snapshot_id FROM counts)
        )
        SELECT newest.snapshot_id, {columns}, previous.snapshot_id AS previous_snapshot_id
        FROM days AS newest JOIN days AS previous USING (source)
        JOIN counts AS had ON had.snapshot_id = previous.snapshot_id
        WHERE newest.age = 1 AND previous.age = 2 AND ({columns}) NOT IN (
            SELECT ({columns}) FROM counts WHERE counts.snapshot_id = newest.snapshot_id
        )
    """


def _rank_sql(group: str, rank: str, rating: str) -> str:
    """Groups whose ranks are not 1..N; an unrated model (null) may go without a rank."""
    return f"""
        SELECT {group}, count(*) AS n_models, count(DISTINCT {rank}) AS n_ranks,
            min({rank}) AS first_rank, max({rank}) AS last_rank
        FROM {{batch}} GROUP BY {group}
        HAVING count(DISTINCT {rank}) <> count({rank}) OR min({rank}) <> 1
            OR max({rank}) <> count({rank}) OR bool_or({rating} IS NOT NULL AND {rank} IS NULL)
    """


def _bounds_sql(columns: str, value: str, lower: str, upper: str, slack: float = 0.0) -> str:
    """Rows outside their own interval; nulls pass, and so does an anchor of zero width."""
    return f"""
        SELECT {columns}, {value}, {lower}, {upper} FROM {{batch}}
        WHERE {value} < {lower} - {slack!r} OR {value} > {upper} + {slack!r}
            OR {lower} > {upper} + {slack!r}
    """


def _variance_sql(columns: str, lower: str, upper: str) -> str:
    """Variance against the 95 % interval: half its width is 1.959963984540054 deviations.

    With the factor cut to 3.91993 every recorded row misses the tolerance by 3.6 %.
    """
    implied = f"pow(({upper} - {lower}) / (2 * 1.959963984540054), 2)"
    return f"""
        SELECT {columns}, {lower}, {upper}, variance, {implied} AS implied FROM {{batch}}
        WHERE abs(variance - {implied}) > 1e-6 * {implied}
    """


_BOARD = "snapshot_id, subset, category, leaderboard_publish_date"
_RATED = "board, category, publish_date"
_BY_LAB = "as_of_date, population, metric, attribution"
_SHARES = f"{_BY_LAB}, credit"


def _board_rules(
    table: str, value: str, counts: Sequence[str], severity: Severity
) -> Iterator[Rule]:
    """Rules of a raw leaderboard; `value` is what its models are ranked by."""
    negative = " OR ".join(f"{count} < 0" for count in counts)
    yield Rule(
        "ranks_are_complete",
        table,
        severity,
        "The ranks of a board are 1..N, each given once.",
        _rank_sql(_BOARD, '"rank"', value),
    )
    yield Rule(
        "model_stands_once_on_a_board",
        table,
        "warning",
        "No board lists a model twice (webdev does so with one since 2026-05-05).",
        f"SELECT {_BOARD}, model_name, count(*) AS n_rows FROM {{batch}} GROUP BY ALL "
        "HAVING count(*) > 1",
    )
    yield Rule(
        "value_lies_within_bounds",
        table,
        severity,
        f"{value} lies within its bounds, where there are any.",
        _bounds_sql(f"{_BOARD}, model_name", value, f"{value}_lower", f"{value}_upper"),
    )
    yield Rule(
        "counts_are_not_negative",
        table,
        severity,
        f"{', '.join(counts)}: never below zero.",
        f"SELECT {_BOARD}, model_name, {', '.join(counts)} FROM {{batch}} WHERE {negative}",
    )
    yield Rule(
        "published_before_it_was_seen",
        table,
        "warning",
        "No board is dated after the day under which its snapshot is filed.",
        f"SELECT {_BOARD}, snapshot_date, count(*) AS n_rows FROM {{batch}} "
        "WHERE leaderboard_publish_date > snapshot_date GROUP BY ALL",
    )


RULES: tuple[Rule, ...] = (
    *_board_rules("raw.arena_leaderboards", "rating", ["vote_count"], "critical"),
    # How agent boards rank and bound is documented nowhere: what does not fit is told, not refused.
    *_board_rules(
        "raw.arena_agent_leaderboards", "score", ["observation_count", "session_count"], "warning"
    ),
    Rule(
        "variance_fits_the_bounds",
        "raw.arena_leaderboards",
        "warning",
        "variance = ((upper - lower) / 2 / 1.95996)^2, within one part in a million.",
        _variance_sql(f"{_BOARD}, model_name", "rating_lower", "rating_upper"),
    ),
    Rule(
        "ranks_are_complete",
        "core.arena_ratings",
        "critical",
        "The ordinal ranks of a board are 1..N, each given once.",
        _rank_sql(_RATED, "rank_ordinal", "rating_arena"),
    ),
    Rule(
        "value_lies_within_bounds",
        "core.arena_ratings",
        "critical",
        "rating_arena lies within its bounds, where there are any.",
        _bounds_sql(
            f"{_RATED}, model_name_arena",
            "rating_arena",
            "rating_arena_lower",
            "rating_arena_upper",
        ),
    ),
    Rule(
        "variance_fits_the_bounds",
        "core.arena_ratings",
        "warning",
        "variance = ((upper - lower) / 2 / 1.95996)^2, within one part in a million.",
        _variance_sql(f"{_RATED}, model_name_arena", "rating_arena_lower", "rating_arena_upper"),
    ),
    Rule(
        "counters_are_not_negative",
        "core.hub_daily_counters",
        "critical",
        "Downloads, likes and trending score are never below zero.",
        "SELECT as_of_date, model_id_hf, downloads_30d, downloads_all_time, likes, trending_score "
        "FROM {batch} WHERE downloads_30d < 0 OR downloads_all_time < 0 OR likes < 0 "
        "OR trending_score < 0",
    ),
    Rule(
        "every_counted_model_has_its_row",
        "core.hub_daily_counters",
        "critical",
        "No model is lost on the way: each has its attributes and at least one root.",
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
    Rule(
        "weights_sum_to_one",
        "core.hub_model_roots",
        "critical",
        "The weights of the roots of every model sum to 1.",
        "SELECT model_id_hf, sum(weight) AS sum_of_weights, count(*) AS n_roots FROM {batch} "
        "GROUP BY ALL HAVING (abs(sum(weight) - 1) <= 1e-9) IS NOT TRUE",
    ),
    Rule(
        "one_country_on_every_date",
        "core.labs",
        "critical",
        "Every lab has exactly one country on every date of core.hub_daily_counters.",
        """
        SELECT lab_id, as_of_date, count(*) FILTER (WHERE valid_from <= as_of_date
            AND (valid_to IS NULL OR as_of_date < valid_to)) AS n_countries
        FROM (SELECT DISTINCT lab_id FROM {batch}) AS each
        CROSS JOIN (SELECT DISTINCT as_of_date FROM "core"."hub_daily_counters") AS days
        LEFT JOIN {batch} AS held USING (lab_id)
        GROUP BY lab_id, as_of_date HAVING n_countries <> 1
        """,
    ),
    Rule(
        "fractional_shares_sum_to_one",
        "mart.lab_share_daily",
        "critical",
        "The shares of all labs under one definition sum to 1: all of it is fractional credit.",
        f"SELECT {_BY_LAB}, sum(share) AS sum_of_shares, count(*) AS n_labs FROM {{batch}} "
        f"GROUP BY {_BY_LAB} HAVING (abs(sum(share) - 1) <= 1e-9) IS NOT TRUE",
    ),
    Rule(
        "fractional_shares_sum_to_one",
        "mart.country_share_daily",
        "critical",
        "The shares of all countries under one definition sum to 1 where credit is fractional.",
        f"SELECT {_SHARES}, sum(share) AS sum_of_shares, count(*) AS n_countries FROM {{batch}} "
        f"WHERE credit = 'fractional' GROUP BY {_SHARES} "
        "HAVING (abs(sum(share) - 1) <= 1e-9) IS NOT TRUE",
    ),
    Rule(
        "share_is_numerator_by_denominator",
        "mart.country_share_daily",
        "critical",
        "share = numerator / denominator.",
        f"SELECT {_SHARES}, country_code, share, numerator, denominator FROM {{batch}} "
        "WHERE (abs(share - numerator / denominator) <= 1e-9) IS NOT TRUE",
    ),
    Rule(
        "share_lies_within_bounds",
        "mart.country_share_daily",
        "critical",
        "share_lower <= share <= share_upper, but for rounding.",
        _bounds_sql(f"{_SHARES}, country_code", "share", "share_lower", "share_upper", 1e-12),
    ),
    Rule(
        "one_denominator_per_definition",
        "mart.country_share_daily",
        "critical",
        "All countries under one definition are divided by the same denominator.",
        f"SELECT {_SHARES}, count(DISTINCT denominator) AS n_denominators, "
        "min(denominator) AS smallest, max(denominator) AS largest "
        f"FROM {{batch}} GROUP BY {_SHARES} HAVING count(DISTINCT denominator) > 1",
    ),
    Rule(
        "gap_is_measured_from_the_leader",
        "mart.arena_leaders",
        "critical",
        "gap_to_leader = best rating of the board - own rating: zero for the leader or a tie only.",
        f"SELECT {_RATED}, country_code, rating, gap_to_leader, best_rating FROM (SELECT *, "
        f"max(rating) OVER (PARTITION BY {_RATED}) AS best_rating FROM {{batch}}) "
        "WHERE (abs(best_rating - rating - gap_to_leader) <= 1e-6) IS NOT TRUE "
        "OR (gap_to_leader = 0) <> (rating = best_rating)",
    ),
    Rule(
        "top_counts_are_nested",
        "mart.arena_leaders",
        "critical",
        "n_top10 <= n_top20 <= n_top100.",
        f"SELECT {_RATED}, country_code, n_top10, n_top20, n_top100 FROM {{batch}} "
        "WHERE n_top10 > n_top20 OR n_top20 > n_top100",
    ),
    Rule(
        "first_rank_belongs_to_one_country",
        "mart.arena_leaders",
        "critical",
        "On every board, category and date exactly one country holds ordinal rank 1.",
        f"SELECT {_RATED}, min(best_rank_ordinal) AS best_rank, "
        "count(*) FILTER (WHERE best_rank_ordinal = 1) AS n_first "
        f"FROM {{batch}} GROUP BY {_RATED} HAVING n_first <> 1",
    ),
    Rule(
        "one_model_of_a_system_per_model_id",
        "core.model_identities",
        "critical",
        "Two names of one system share a model_id only if both are listed as its aliases or differ "
        "by case alone.",
        "SELECT system, model_id, min(name) AS one_name, max(name) AS other_name, "
        "count(DISTINCT lower(trim(name))) AS n_names FROM {batch} GROUP BY system, model_id "
        "HAVING n_names > 1 AND bool_or(rule <> 'alias')",
    ),
    Rule(
        "one_model_stands_once_on_a_board",
        "core.model_identities",
        "warning",
        "No two names listed as aliases of one model stand on one board, category and date.",
        "SELECT i.model_id, r.board, r.category, r.publish_date, min(i.name) AS one_name, "
        'max(i.name) AS other_name FROM {batch} AS i JOIN "core"."arena_ratings" AS r '
        "ON i.system = 'lmarena' AND i.rule = 'alias' AND r.model_name_arena = i.name "
        "GROUP BY ALL HAVING count(DISTINCT i.name) > 1",
    ),
    Rule(
        "one_family_claims_a_model",
        "core.model_families",
        "warning",
        "No two families claim a model with equal right: give one of the rules another priority.",
        "SELECT system, model_name, rule FROM {batch} WHERE family_id IS NULL",
    ),
    Rule(
        "shares_sum_to_one",
        "mart.family_share_daily",
        "critical",
        "The shares of all families and of the models without one sum to 1 under one definition.",
        'SELECT as_of_date, population, metric, "window", attribution, '
        "sum(share) AS sum_of_shares FROM {batch} GROUP BY ALL "
        "HAVING (abs(sum(share) - 1) <= 1e-9) IS NOT TRUE",
    ),
)
