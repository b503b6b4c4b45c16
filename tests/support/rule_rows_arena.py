"""Sound and faulty rows for the rules on LMArena's boards and their leaders."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

Rows = list[dict[str, Any]]
Fault = tuple[str, str, Rows, dict[str, Any]]  # table, rule, rows, what the rule must report

RATED = {
    "n_missing": 0,
    "board": "text",
    "category": "overall",
    "publish_date": date(2026, 8, 14),
    "segment_id": 1,
    "board_source": "lmarena",
    "lab_id": "a lab",
}
HEALED = {"board": "text", "category": "overall", "publish_date": date(2026, 8, 14)}
HEALED |= {"n_compared": 9, "n_disagreeing": 0, "n_other_scale": 0}


def board(**change: Any) -> Rows:
    """Three models on one board; the third is the anchor, without interval. `change` is to it."""
    on = {
        "snapshot_id": "lmarena/2026-08-15",
        "snapshot_date": date(2026, 8, 15),
        "subset": "text",
        "category": "overall",
        "leaderboard_publish_date": date(2026, 8, 14),
    }
    width = 2 * 1.959963984540054 * 2.0
    return [
        {**on, "line": 1, "model_name": "a", "rank": 1, "rating": 1500.0, "vote_count": 10,
         "rating_lower": 1500 - width / 2, "rating_upper": 1500 + width / 2, "variance": 4.0},
        {**on, "line": 2, "model_name": "b", "rank": 2, "rating": 1400.0},
        {**on, "line": 3, "model_name": "c", "rank": 3, "rating": 1114.0, "rating_lower": 1114.0,
         "rating_upper": 1114.0, "variance": 0.0, **change},
    ]  # fmt: skip


def agents(**change: Any) -> Rows:
    names = {"score": "rating", "score_lower": "rating_lower", "score_upper": "rating_upper"}
    shared = ("snapshot_id", "snapshot_date", "subset", "category", "leaderboard_publish_date")
    data = []
    for row in board():
        kept = {k: row[k] for k in (*shared, "line", "model_name", "rank")}
        scores = {new: row[old] for new, old in names.items() if old in row}
        data.append({**kept, **scores, "session_count": 5, "observation_count": 9})
    return [*data[:2], {**data[2], **change}]


def rated(**change: Any) -> Rows:
    """Three rated models on one board and one without rating; `change` is to the third."""
    data = [
        {**RATED, "model_name_arena": name, "model_id": name, "rank_ordinal": rank,
         "rating": rating, "n_tied": 1}
        for name, rank, rating in (("a", 1, 1500.25), ("b", 2, 1400.25), ("c", 3, 1300.25))
    ]  # fmt: skip
    unrated = {**RATED, "model_name_arena": "d", "model_id": "d"}
    return [*data[:2], {**data[2], **change}, unrated]


def also(day: int, **change: Any) -> Rows:
    """The board of `rated`, and the same one on a day of August before; `change` is to the latter.

    `models` is how many of its four models that one has.
    """
    models = change.pop("models", 4)
    before = [{**row, "publish_date": date(2026, 8, day), **change} for row in rated()[:models]]
    return [*rated(), *before]


def segments(**change: Any) -> Rows:
    first, last = date(2026, 8, 1), date(2026, 8, 14)
    on = {**{k: RATED[k] for k in ("board", "category")}, "n_publish_dates": 2}
    days = {"first_publish_date": first, "last_publish_date": last}
    return [{**on, **days, "segment_id": 1, "is_detected": True, "is_reviewed": True, **change}]


def observed(name: str, **change: Any) -> dict[str, Any]:
    about = {"model_name_arena": name, "model_id": "a", "file_name": name, "is_chosen": True}
    on = {k: RATED[k] for k in ("board", "category", "publish_date", "board_source")}
    return {**on, **about, **change}


TOPS = {f"n_top{n}": 1 if n < 3 else 2 for n in (1, 3, 5, 10, 20, 50, 100)}


def leaders(holder: str = "country_code", **change: Any) -> Rows:
    """Two countries or labs on one board; `change` is to the second."""
    on = {"board": "text", "category": "overall", "publish_date": date(2026, 8, 14), **TOPS}
    on |= {"n_models_without_lab": 0} if holder == "lab_id" else {}
    data = [
        {**on, holder: code, "best_rank_ordinal": rank, "rating": rating, "gap_to_leader": gap,
         "probability_best": p, "probability_first": p, "n_models_board": 4, "best_n_tied": 1}
        for code, rank, rating, gap, p in (("US", 1, 1500.5, 0.0, 0.9), ("CN", 2, 1491.2, 9.3, 0.1))
    ]  # fmt: skip
    return [data[0], {**data[1], **change}]


def changes(**change: Any) -> Rows:
    on = {"board": "text", "category": "overall", "level": "country", "n_dates": 3}
    on |= {"first_led_date": date(2026, 8, 1), "confirmed_date": date(2026, 8, 14)}
    return [{**on, "holder": "US", "margin": 9.0, "doubt": 8.0, **change}]


def refused_line(category: str) -> dict[str, Any]:
    record = {"model_name": "a", "category": category, "leaderboard_publish_date": "2026-08-14"}
    return {
        "table_name": "raw.arena_leaderboards",
        "file_name": "text/full-00000-of-00001.parquet",
        "record": json.dumps(record),
        "kind": "record",
    }


WAS = {"model_name_arena": "was", "model_id": "was"}
LEADERS = {"mart.arena_leaders": "country_code", "mart.arena_lab_leaders": "lab_id"}
FAULTS: list[Fault] = [
    (table, name, data, at_fault)
    for table, make in (("raw.arena_leaderboards", board), ("raw.arena_agent_leaderboards", agents))
    for value, count in [("rating", "vote_count") if make is board else ("score", "session_count")]
    for name, data, at_fault in (
        ("ranks_are_unique", make(rank=2), {"category": "overall", "n_ranks": 2}),
        ("ranks_are_unique", make(rank=0), {"first_rank": 0}),
        ("ranks_are_unique", make(rank=None), {"n_models": 3, "n_ranks": 2}),
        ("ranks_have_no_gaps", make(rank=4), {"last_rank": 4}),
        ("model_is_listed_once_on_a_board", make(model_name="b"), {"model_name": "b", "n_rows": 2}),
        ("value_is_within_bounds", make(**{value: 1115.0}), {"model_name": "c"}),
        ("value_is_within_bounds", make(**{f"{value}_lower": 1114.5}), {"model_name": "c"}),
        ("counts_are_not_negative", make(**{count: -1}), {count: -1}),
        (
            "publish_date_is_not_after_snapshot",
            make(leaderboard_publish_date=date(2026, 8, 16), rank=1),
            {"leaderboard_publish_date": "2026-08-16", "snapshot_id": "lmarena/2026-08-15"},
        ),
    )
] + [
    (
        "raw.arena_leaderboards",
        "variance_fits_the_bounds",
        board(rating_upper=1115.0),
        {"model_name": "c", "variance": 0.0},
    ),
    *(
        ("core.arena_ratings", "rank_is_one_plus_number_rated_higher", rated(**change), at_fault)
        for change, at_fault in (
            ({"rank_ordinal": 1}, {"due_rank": 3}),
            ({"rank_ordinal": None}, {"due_rank": 3}),
            ({"rating": 1400.25}, {"rank_ordinal": 3, "due_rank": 2}),
            ({"n_tied": 2}, {"due_tied": 1}),
            ({"n_missing": 1}, {"rank_ordinal": 3, "due_rank": None}),
            ({"rating": None, "n_tied": None}, {"rank_ordinal": 3, "due_rank": None}),
        )
    ),
    (
        "core.arena_ratings",
        "boards_have_all_rated_rows",
        rated(n_missing=2),
        {"board": "text", "n_missing": 2},
    ),
    (
        "core.arena_ratings",
        "value_is_within_bounds",
        rated(rating_lower=1301.0),
        {"model_name_arena": "c"},
    ),
    (
        "core.arena_ratings",
        "variance_fits_the_bounds",
        rated(rating_lower=1299.0, rating_upper=1301.0, variance=1.0),
        {"model_name_arena": "c"},
    ),
    (
        "core.arena_ratings",
        "model_is_listed_once_on_a_board",
        rated(model_id="a"),
        {"model_id": "a", "one_name": "a", "other_name": "c", "n_rows": 2},
    ),
    (
        "core.arena_ratings",
        "restored_model_is_not_a_duplicate",
        [
            {**row, "rating_lower": 1290.0, "rating_upper": 1510.0}
            for row in rated(rating=1500.25, board_source="arena_catalog")
        ],
        {"model_name_arena": "a", "other_name": "c"},
    ),
    (
        "core.arena_ratings",
        "probabilities_sum_to_one",
        [{**row, "probability_best": 0.4} for row in rated()[:2]],
        {"board": "text", "sum_of_probabilities": 0.8},
    ),
    (
        "core.arena_ratings",
        "probabilities_sum_to_one",
        rated(probability_best=1.0),
        {"n_known": 1, "n_rated": 3},
    ),
    (
        "core.arena_ratings",
        "every_rating_has_its_segment",
        rated(segment_id=2),
        {"board": "text", "segment_id": 2},
    ),
    (
        "core.arena_ratings",
        "every_rating_has_its_segment",
        [{**row, "publish_date": date(2026, 8, 15)} for row in rated()],
        {"board": "text", "segment_id": 1},
    ),
    *(
        ("meta.arena_boards", "sources_of_a_board_agree", [{**HEALED, count: 2}], {count: 2})
        for count in ("n_disagreeing", "n_other_scale")
    ),
    (
        "core.arena_scale_segments",
        "scale_breaks_are_reviewed",
        segments(is_reviewed=False, shift_median=59.9),
        {"board": "text", "shift_median": 59.9},
    ),
    (
        "core.arena_ratings",
        "leader_does_not_jump",
        also(7, rating=1440.25),
        {"best": 1500.25, "previous_best": 1440.25, "jump": 60.0},
    ),
    (
        "core.arena_ratings",
        "categories_are_kept",
        [*rated(), *also(7)[4:], *also(7, category="math")[4:]],
        {"board": "text", "lost_categories": "math"},
    ),
    (
        "core.arena_ratings",
        "number_of_models_is_stable",
        also(7, models=3),
        {"n_models": 4, "previous_counted": 3},
    ),
    (
        "core.arena_ratings",
        "votes_do_not_depend_on_style_control",
        [
            {**row, "board": board, "vote_count": votes}
            for board, votes in (("text", 5), ("text_style_control", 6))
            for row in rated()[:1]
        ],
        {"board": "text", "vote_count": 5, "vote_count_controlled": 6},
    ),
    (
        "core.arena_ratings",
        "labs_are_examined",
        rated(lab_id=None, organization="who"),
        {"organization": "who", "n_unmapped": 1, "n_all": 4},
    ),
    (
        "core.arena_ratings",
        "restored_models_have_an_organization",
        rated(lab_id=None, organization=None, board_source="arena_catalog"),
        {"model_id": "c", "n_rows": 1},
    ),
    (
        "core.arena_ratings",
        "organizations_are_examined",
        rated(lab_id=None, organization="who"),
        {"organization": "who", "n_rows": 1},
    ),
    (
        "core.arena_observations",
        "missing_rows_are_filled_from_other_sources",
        [observed("a", rank_published=3), observed("b", model_id="b", rank_published=1)],
        {"last_rank": 3, "n_loaded": 2},
    ),
    (
        "core.arena_ratings",
        "renamed_model_has_an_alias",
        [*also(7, models=2), {**rated()[2], "publish_date": date(2026, 8, 7), **WAS}],
        {"old_name": "was", "new_name": "c", "n_boards": 1, "largest_difference": 0.0},
    ),
    (
        "core.arena_ratings",
        "renamed_model_has_an_alias",
        [
            {**row, "category": category}
            for category in ("overall", "coding", "math")
            for row in [
                *also(7, models=2),
                {**rated()[2], "publish_date": date(2026, 8, 7), **WAS, "rating": 1302.0},
            ]
        ],
        {"old_name": "was", "new_name": "c", "n_boards": 3, "largest_difference": 1.75},
    ),
    (
        "core.arena_observations",
        "one_name_of_a_model_on_a_board",
        [observed("a"), observed("A "), observed("b")],
        {"model_id": "a", "other_name": "b"},
    ),
    *(
        (table, name, data, {holder: "CN", **at_fault})
        for table, holder in LEADERS.items()
        for name, data, at_fault in (
            (
                "gap_is_measured_from_the_leader",
                leaders(holder, gap_to_leader=0.0),
                {"best_rating": 1500.5},
            ),
            ("gap_is_measured_from_the_leader", leaders(holder, rating=1490.0), {}),
            ("top_counts_are_nested", leaders(holder, n_top10=3), {"n_top10": 3, "n_top20": 2}),
            ("top_counts_are_nested", leaders(holder, n_top1=3), {"n_top1": 3}),
            ("top_counts_are_nested", leaders(holder, n_models_board=1), {"n_top100": 2}),
            (
                "probability_or_its_reason",
                leaders(holder, probability_reason="no_variance"),
                {"probability_first": 0.1},
            ),
            ("probability_or_its_reason", leaders(holder, probability_best=None), {}),
            ("probability_or_its_reason", leaders(holder, probability_best=0.2), {}),
        )
    ),
    *(
        (table, name, data, {"board": "text", **at_fault})
        for table, holder in LEADERS.items()
        for name, data, at_fault in (
            (
                "first_rank_belongs_to_the_leaders",
                leaders(holder, best_rank_ordinal=1),
                {"n_first": 2},
            ),
            (
                "first_rank_belongs_to_the_leaders",
                leaders(holder, best_rank_ordinal=1, rating=1500.5, gap_to_leader=0.0),
                {"n_first": 2},
            ),
            (
                "first_rank_belongs_to_the_leaders",
                [leaders(holder)[1]],
                {"best_rank": 2, "n_first": 0},
            ),
            (
                "probabilities_sum_to_one",
                leaders(holder, probability_first=0.2),
                {"n_known": 2, "n_holders": 2},
            ),
            ("probabilities_sum_to_one", leaders(holder, probability_first=0.05), {}),
            ("probabilities_sum_to_one", leaders(holder, probability_first=None), {"n_known": 1}),
        )
    ),
    (
        "mart.arena_leaders",
        "lag_is_within_bounds",
        leaders(lag_days=5, lag_days_lower=6, lag_days_upper=9),
        {"country_code": "CN", "lag_days": 5},
    ),
    (
        "mart.arena_leaders",
        "lag_counts_from_first_reached_date",
        leaders(lag_days=5, first_reached_date=date(2026, 8, 10), first_reached_by="US"),
        {"country_code": "CN", "first_reached_date": "2026-08-10"},
    ),
    (
        "mart.arena_leaders",
        "lag_counts_from_first_reached_date",
        leaders(lag_days=4, first_reached_date=date(2026, 8, 10), first_reached_by="CN"),
        {"first_reached_by": "CN"},
    ),
    *(
        ("mart.arena_leader_changes", "lead_exceeds_its_doubt", changes(**change), {"holder": "US"})
        for change in ({"doubt": 9.0}, {"previous_holder": "US"}, {"doubt": None})
    ),
]
SOUND: dict[str, Rows] = {
    "raw.arena_leaderboards": board(),
    "raw.arena_agent_leaderboards": agents(),
    "core.arena_ratings": also(7),
    "core.arena_observations": [observed("a"), observed("b", model_id="b")],
    "core.arena_scale_segments": segments(),
    "meta.arena_boards": [HEALED],
    "mart.arena_leaders": leaders(
        lag_days=4, first_reached_date=date(2026, 8, 10), first_reached_by="US"
    ),
    "mart.arena_lab_leaders": leaders("lab_id"),
    "mart.arena_leader_changes": changes(previous_holder="CN"),
}
