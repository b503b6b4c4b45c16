"""Rules of LMArena's leaderboards as published."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from expectations.rule import Rule, on
from expectations.rule_sets.sql import (
    bounds_sql,
    rank_gap_sql,
    rank_once_sql,
    variance_sql,
)
from expectations.suites import Severity

_BOARD = "snapshot_id, subset, category, leaderboard_publish_date"


def _board_rules(
    table: str, value: str, counts: Sequence[str], severity: Severity
) -> tuple[Rule, ...]:
    """Rules of a raw leaderboard; its models are ranked by `value`."""
    return (*_rank_rules(table, value, severity), *_line_rules(table, value, counts, severity))


def _rank_rules(table: str, value: str, severity: Severity) -> Iterator[Rule]:
    """Rules of a raw leaderboard's ranks."""
    yield Rule(
        "ranks_are_unique",
        table,
        severity,
        "No rank of a board is used twice, and every rated model has a rank.",
        rank_once_sql(_BOARD, '"rank"', value),
    )
    # The official history drops retired models. Other sources may restore them, so the critical
    # rule is `missing_rows_are_filled_from_other_sources`.
    yield on(table).warning(
        "ranks_have_no_gaps",
        "The ranks of a board are 1..N; a missing rank means a missing row.",
        rank_gap_sql(_BOARD, '"rank"'),
    )


def _line_rules(
    table: str, value: str, counts: Sequence[str], severity: Severity
) -> Iterator[Rule]:
    """Rules of a raw leaderboard's lines."""
    negative = " OR ".join(f"{count} < 0" for count in counts)
    yield on(table).warning(
        "model_is_listed_once_on_a_board",
        "No board lists a model twice (webdev has listed one model twice since 2026-05-05).",
        f"SELECT {_BOARD}, model_name, count(*) AS n_rows FROM {{batch}} GROUP BY ALL "
        "HAVING count(*) > 1",
    )
    yield Rule(
        "value_is_within_bounds",
        table,
        severity,
        f"{value} is within its bounds, where there are any.",
        bounds_sql(f"{_BOARD}, model_name", value, f"{value}_lower", f"{value}_upper"),
    )
    yield Rule(
        "counts_are_not_negative",
        table,
        severity,
        f"{' and '.join(counts)} {'is' if len(counts) == 1 else 'are'} never below zero.",
        f"SELECT {_BOARD}, model_name, {', '.join(counts)} FROM {{batch}} WHERE {negative}",
    )
    yield on(table).warning(
        "publish_date_is_not_after_snapshot",
        "No board has a publish date after the day of its snapshot.",
        f"SELECT {_BOARD}, snapshot_date, count(*) AS n_rows FROM {{batch}} "
        "WHERE leaderboard_publish_date > snapshot_date GROUP BY ALL",
    )


ARENA: tuple[Rule, ...] = (
    *_board_rules("raw.arena_leaderboards", "rating", ["vote_count"], "critical"),
    # How agent boards rank and bound is not documented, so violations are warnings.
    *_board_rules(
        "raw.arena_agent_leaderboards", "score", ["observation_count", "session_count"], "warning"
    ),
    on("raw.arena_leaderboards").warning(
        "variance_fits_the_bounds",
        "variance = ((upper - lower) / 2 / 1.95996)^2, within one part in a million.",
        variance_sql(f"{_BOARD}, model_name", "rating_lower", "rating_upper"),
    ),
)
