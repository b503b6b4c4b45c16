"""Rules of LMArena's boards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from expectations.rule import Rule
from expectations.rule_sets.sql import (
    bounds_sql,
    missing_rows_sql,
    rank_gap_sql,
    rank_once_sql,
    renames_sql,
    variance_sql,
)
from expectations.suites import Severity

_BOARD = "snapshot_id, subset, category, leaderboard_publish_date"
_RATED = "board, category, publish_date"
_LEADERS_JUMP = 60  # arena points between two boards of one segment
_UNMAPPED_PCT = 1
_ROWS_PCT = 15
_RENAMED = 3.0  # arena points: a rename keeps votes and rating, the day brings some more


def _board_rules(
    table: str, value: str, counts: Sequence[str], severity: Severity
) -> tuple[Rule, ...]:
    """Rules of a raw leaderboard; `value` is what its models are ranked by."""
    return (*_rank_rules(table, value, severity), *_line_rules(table, value, counts, severity))


def _rank_rules(table: str, value: str, severity: Severity) -> Iterator[Rule]:
    """Rules of a raw leaderboard's ranks."""
    yield Rule(
        "ranks_are_given_once",
        table,
        severity,
        "No rank of a board is given twice, and every rated model has one.",
        rank_once_sql(_BOARD, '"rank"', value),
    )
    # The official history drops retired models: `gaps_of_ranks_are_healed` decides, once they had
    # the chance to come back.
    yield Rule(
        "ranks_have_no_gaps",
        table,
        "warning",
        "The ranks of a board are 1..N: where one is missing, a row is.",
        rank_gap_sql(_BOARD, '"rank"'),
    )


def _line_rules(
    table: str, value: str, counts: Sequence[str], severity: Severity
) -> Iterator[Rule]:
    """Rules of a raw leaderboard's lines."""
    negative = " OR ".join(f"{count} < 0" for count in counts)
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
        bounds_sql(f"{_BOARD}, model_name", value, f"{value}_lower", f"{value}_upper"),
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


def _since_last(counted: str, group: str) -> str:
    """Common table expression `newest`: the last publish date of each group and the one before.

    Only the newest is asked: a sealed history that was short must not warn for ever.
    """
    return f"""
        WITH counts AS (SELECT {group}, publish_date, {counted} FROM {{batch}} GROUP BY ALL),
        newest AS (
            SELECT *, lag(publish_date) OVER earlier AS previous_publish_date,
                lag(counted) OVER earlier AS previous_counted
            FROM counts WINDOW earlier AS (PARTITION BY {group} ORDER BY publish_date)
            QUALIFY row_number() OVER (PARTITION BY {group} ORDER BY publish_date DESC) = 1
        )
    """


_HEALED: tuple[Rule, ...] = (
    Rule(
        "one_name_of_a_model_on_a_board",
        "core.arena_observations",
        "critical",
        "No source gives one model two names on a board, but for case: two models would be one.",
        f"SELECT board_source, {_RATED}, model_id, min(model_name_arena) AS one_name, "
        "max(model_name_arena) AS other_name FROM {batch} GROUP BY ALL "
        "HAVING count(DISTINCT lower(trim(model_name_arena))) > 1",
    ),
    Rule(
        "gaps_of_ranks_are_healed",
        "core.arena_observations",
        "critical",
        "Where the data set's ranks show that rows are missing and none was refused, other sources "
        "bring as many back.",
        missing_rows_sql(_RATED),
    ),
    Rule(
        "model_stands_once_on_a_board",
        "core.arena_ratings",
        "critical",
        "A model_id stands once on a board, category and date.",
        f"SELECT {_RATED}, model_id, min(model_name_arena) AS one_name, "
        "max(model_name_arena) AS other_name, count(*) AS n_rows FROM {batch} "
        "GROUP BY ALL HAVING count(*) > 1",
    ),
    Rule(
        "model_that_came_back_was_not_there",
        "core.arena_ratings",
        "warning",
        "No model of one source has rating and interval of another source's model on its board, to "
        "the last digit: that is one model under two names, which needs an alias.",
        f"SELECT one.board, one.category, one.publish_date, one.model_name_arena, one.board_source,"
        " other.model_name_arena AS other_name FROM {batch} AS one JOIN {batch} AS other "
        f"USING ({_RATED}, rating, rating_lower, rating_upper) "
        "WHERE one.board_source > other.board_source AND rating <> round(rating)",
    ),
    Rule(
        "renamed_model_has_an_alias",
        "core.arena_ratings",
        "warning",
        f"No model leaves its boards where another of its lab comes within {_RENAMED:g} points of "
        "it: that is most often a rename, which needs an alias in registry/model_aliases.csv.",
        renames_sql(_RENAMED),
    ),
    Rule(
        "no_board_lacks_a_rated_row",
        "core.arena_ratings",
        "warning",
        "No rated row of a board was refused. A board that lacks one has no ranks and no leader; "
        "the newest leader is then that of an earlier board. raw.quarantine has the row.",
        f"SELECT {_RATED}, max(n_missing) AS n_missing, count(*) AS n_models FROM {{batch}} "
        f"WHERE n_missing > 0 GROUP BY {_RATED}",
    ),
    Rule(
        "every_rating_has_its_segment",
        "core.arena_ratings",
        "critical",
        "The publish date of every rating lies within its segment of the scale.",
        f"SELECT DISTINCT {_RATED}, segment_id FROM {{batch}} AS r WHERE NOT EXISTS ("
        'FROM "core"."arena_scale_segments" AS s WHERE s.board = r.board '
        "AND s.category = r.category AND s.segment_id = r.segment_id "
        "AND r.publish_date BETWEEN s.first_publish_date AND s.last_publish_date)",
    ),
    Rule(
        "probabilities_sum_to_one",
        "core.arena_ratings",
        "critical",
        "Of the rated models of a board all have a probability or none has; they sum to 1.",
        f"SELECT {_RATED}, sum(probability_best) AS sum_of_probabilities, "
        "count(probability_best) AS n_known, count(rating) AS n_rated FROM {batch} "
        f"GROUP BY {_RATED} HAVING n_known NOT IN (0, n_rated) "
        "OR abs(sum_of_probabilities - 1) > 1e-6",
    ),
    Rule(
        "break_of_the_scale_is_reviewed",
        "core.arena_scale_segments",
        "warning",
        "Every break that the numbers show is reviewed in registry/arena_scale_breaks.csv.",
        "SELECT board, category, previous_publish_date, first_publish_date, n_common_models, "
        "shift_median FROM {batch} WHERE is_detected AND NOT is_reviewed",
    ),
    Rule(
        "leader_does_not_jump",
        "core.arena_ratings",
        "warning",
        f"The best rating moves by less than {_LEADERS_JUMP} points between two boards of a "
        "segment.",
        f"SELECT *, best - previous_best AS jump FROM (SELECT {_RATED}, max(rating) AS best, "
        "lag(max(rating)) OVER (PARTITION BY board, category, segment_id "
        "ORDER BY publish_date) AS previous_best FROM {batch} WHERE rating IS NOT NULL "
        f"GROUP BY {_RATED}, segment_id) WHERE abs(best - previous_best) >= {_LEADERS_JUMP}",
    ),
    Rule(
        "categories_are_kept",
        "core.arena_ratings",
        "warning",
        "The newest board of a kind has every category of the one before.",
        _since_last("list(DISTINCT category) AS counted", "board")
        + "SELECT board, publish_date, previous_publish_date, "
        "array_to_string(list_sort(lost), ', ') AS lost_categories FROM (SELECT *, "
        "list_filter(previous_counted, "
        "lambda c: NOT list_contains(counted, c)) AS lost FROM newest) WHERE len(lost) > 0",
    ),
    Rule(
        "models_are_as_many_as_before",
        "core.arena_ratings",
        "warning",
        f"The newest board of a category has at most {_ROWS_PCT} % more or fewer models than the "
        "one before.",
        _since_last("count(*) AS counted", "board, category")
        + f"SELECT {_RATED}, counted AS n_models, previous_publish_date, previous_counted "
        "FROM newest WHERE abs(counted - previous_counted) > previous_counted "
        f"* {_ROWS_PCT} / 100",
    ),
    Rule(
        "votes_do_not_depend_on_style_control",
        "core.arena_ratings",
        "warning",
        "A model has as many votes on the style-controlled board as on the raw one.",
        "SELECT plain.board, category, publish_date, model_id, plain.vote_count, "
        "controlled.vote_count AS vote_count_controlled FROM {batch} AS plain JOIN {batch} AS "
        "controlled USING (category, publish_date, model_id) "
        "WHERE controlled.board = plain.board || '_style_control' "
        "AND controlled.vote_count <> plain.vote_count",
    ),
    Rule(
        "labs_are_examined",
        "core.arena_ratings",
        "critical",
        f"At most {_UNMAPPED_PCT} % of the ratings are of models whose lab nobody has examined; a "
        "model that came back from a source without makers is not counted.",
        "SELECT coalesce(organization, '(blank)') AS organization, count(*) AS n_rows, "
        "min(model_name_arena) AS one_model, sum(count(*)) OVER () AS n_unmapped, (SELECT count(*) "
        "FROM {batch}) AS n_all FROM {batch} WHERE lab_id IS NULL "
        "AND (board_source = 'lmarena' OR organization IS NOT NULL) GROUP BY 1 "
        f"QUALIFY n_unmapped > n_all * {_UNMAPPED_PCT} / 100",
    ),
    Rule(
        "models_that_came_back_have_a_maker",
        "core.arena_ratings",
        "warning",
        "Every model that another source brings back has an organisation, on some board or in a "
        "table of the Space; else it stands there without lab and country.",
        "SELECT model_id, min(model_name_arena) AS one_name, count(*) AS n_rows FROM {batch} "
        "WHERE organization IS NULL AND board_source <> 'lmarena' GROUP BY ALL",
    ),
    Rule(
        "organisations_are_examined",
        "core.arena_ratings",
        "warning",
        "Every organisation of the boards is in registry/namespaces.csv.",
        "SELECT organization, count(*) AS n_rows, min(model_name_arena) AS one_model FROM {batch} "
        "WHERE lab_id IS NULL AND organization IS NOT NULL GROUP BY ALL",
    ),
)


ARENA: tuple[Rule, ...] = (
    *_HEALED,
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
        variance_sql(f"{_BOARD}, model_name", "rating_lower", "rating_upper"),
    ),
    Rule(
        "rank_is_one_plus_the_strictly_better",
        "core.arena_ratings",
        "critical",
        "A model's rank is 1 + the number of models of its board that are rated higher, and n_tied "
        "counts those of its rating. Unrated models and boards that lack a row have neither.",
        f"SELECT {_RATED}, model_name_arena, rating, n_missing, rank_ordinal, n_tied, "
        "CASE WHEN is_due THEN place END AS due_rank, CASE WHEN is_due THEN alike END AS due_tied "
        "FROM (SELECT *, rating IS NOT NULL AND n_missing = 0 AS is_due, "
        f"rank() OVER (PARTITION BY {_RATED} ORDER BY rating DESC NULLS LAST) AS place, "
        f"count(*) OVER (PARTITION BY {_RATED}, rating) AS alike FROM {{batch}}) "
        "WHERE rank_ordinal IS DISTINCT FROM due_rank OR n_tied IS DISTINCT FROM due_tied",
    ),
    Rule(
        "value_lies_within_bounds",
        "core.arena_ratings",
        "critical",
        "rating lies within its bounds, where there are any.",
        bounds_sql(
            f"{_RATED}, model_name_arena",
            "rating",
            "rating_lower",
            "rating_upper",
        ),
    ),
    Rule(
        "variance_fits_the_bounds",
        "core.arena_ratings",
        "warning",
        "variance = ((upper - lower) / 2 / 1.95996)^2, within one part in a million.",
        variance_sql(f"{_RATED}, model_name_arena", "rating_lower", "rating_upper"),
    ),
    Rule(
        "sources_of_a_board_agree",
        "meta.arena_boards",
        "warning",
        "What several sources say of a board differs by 1 point at most, and is on one scale; "
        "core.arena_observations has the rows.",
        f"SELECT {_RATED}, n_compared, n_disagreeing, n_other_scale FROM {{batch}} "
        "WHERE n_disagreeing > 0 OR n_other_scale > 0",
    ),
)
