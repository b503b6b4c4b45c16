"""Rules of LMArena's leaders: best models of countries and labs, and changes of the leader."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from expectations.rule import Rule, on
from expectations.rule_sets.sql import bounds_sql

_RATED = "board, category, publish_date"


def _leader_rules(table: str, holder: str, is_whole: str) -> tuple[Rule, ...]:
    """Rules of the best models by `holder`; `is_whole`: whether the holders are all of a board."""
    whole = f"bool_and({is_whole})"
    return (*_place_rules(table, holder, whole), *_probability_rules(table, holder, whole))


def _place_rules(table: str, holder: str, whole: str) -> Iterator[Rule]:
    """Rules of gaps, ranks and counts."""
    tops = [f"n_top{n}" for n in (1, 3, 5, 10, 20, 50, 100)]
    disorder = " OR ".join(f"{a} > {b}" for a, b in pairwise([*tops, "n_models_board"]))
    yield on(table).critical(
        "gap_is_measured_from_the_leader",
        "gap_to_leader = best rating of the board - own rating; it is zero only for the leader "
        "and for ties.",
        f"SELECT {_RATED}, {holder}, rating, gap_to_leader, best_rating FROM (SELECT *, "
        f"max(rating + gap_to_leader) OVER board AS best_rating, {whole} OVER board AS is_whole, "
        f"max(rating) OVER board AS best_held FROM {{batch}} WINDOW board AS (PARTITION BY {_RATED}"
        ")) WHERE (abs(best_rating - rating - gap_to_leader) <= 1e-6) IS NOT TRUE "
        "OR (is_whole AND (gap_to_leader = 0) <> (rating = best_held))",
    )
    yield on(table).critical(
        "top_counts_are_nested",
        f"{' <= '.join(tops)} <= n_models_board.",
        f"SELECT {_RATED}, {holder}, {', '.join(tops)} FROM {{batch}} WHERE {disorder}",
    )
    yield on(table).critical(
        "first_rank_belongs_to_the_leaders",
        f"On every board, category and date at least one {holder} has rank 1, and exactly those "
        "with the best rating do. If there are several, their n_tied is above 1.",
        f"SELECT {_RATED}, min(best_rank_ordinal) AS best_rank, "
        "count(*) FILTER (WHERE best_rank_ordinal = 1) AS n_first FROM {batch} "
        f"GROUP BY {_RATED} HAVING n_first < 1 AND {whole} "
        "OR bool_or((best_rank_ordinal = 1) <> (gap_to_leader = 0)) "
        "OR n_first > 1 AND bool_or(best_rank_ordinal = 1 AND best_n_tied = 1)",
    )


def _probability_rules(table: str, holder: str, whole: str) -> Iterator[Rule]:
    """Rules of probabilities."""
    yield on(table).critical(
        "probabilities_sum_to_one",
        f"Either every {holder} of a board has probability_first or none has; they sum to 1.",
        f"SELECT {_RATED}, sum(probability_first) AS sum_of_probabilities, "
        "count(probability_first) AS n_known, count(*) AS n_holders FROM {batch} "
        f"GROUP BY {_RATED} HAVING n_known NOT IN (0, n_holders) "
        f"OR sum_of_probabilities > 1 + 1e-6 OR sum_of_probabilities < 1 - 1e-6 AND {whole}",
    )
    yield on(table).critical(
        "probability_or_its_reason",
        "Each row has either a probability or the reason why there is none. probability_first is "
        "at least probability_best.",
        f"SELECT {_RATED}, {holder}, probability_best, probability_first, probability_reason "
        "FROM {batch} WHERE (probability_best IS NULL) <> (probability_reason IS NOT NULL) "
        "OR probability_best > probability_first + 1e-9",
    )


LEADERS: tuple[Rule, ...] = (
    *_leader_rules("mart.arena_leaders", "country_code", "true"),
    *_leader_rules("mart.arena_lab_leaders", "lab_id", "n_models_without_lab = 0"),
    on("mart.arena_leaders").critical(
        "lag_is_within_bounds",
        "lag_days_lower <= lag_days <= lag_days_upper, where there are bounds.",
        bounds_sql(f"{_RATED}, country_code", "lag_days", "lag_days_lower", "lag_days_upper"),
    ),
    on("mart.arena_leaders").critical(
        "lag_counts_from_first_reached_date",
        "lag_days = publish_date - first_reached_date, and another country reached it first.",
        f"SELECT {_RATED}, country_code, lag_days, first_reached_by, first_reached_date "
        "FROM {batch} WHERE lag_days IS DISTINCT FROM publish_date - first_reached_date "
        "OR first_reached_by = country_code",
    ),
    on("mart.arena_leader_changes").critical(
        "lead_exceeds_its_doubt",
        "A confirmed lead is larger than its doubt, lasted for some time, and has a new holder.",
        "SELECT board, category, level, confirmed_date, first_led_date, previous_holder, holder, "
        "margin, doubt FROM {batch} WHERE (margin > doubt AND first_led_date < confirmed_date "
        "AND previous_holder IS DISTINCT FROM holder) IS NOT TRUE",
    ),
)
