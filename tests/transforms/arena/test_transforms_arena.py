"""LMArena: ranks and leaders, by hand and against their definitions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tests.support.frames import DAY, PROPERTY, Row, everything, registry, rows, shuffled

MOVED = DAY - timedelta(days=30)
LABS: dict[str, Any] = {
    "Ameri AI": "US",
    "Sino AI": "CN",
    "Nowhere AI": "ZZ",
    "Mover": [("FR", date(1900, 1, 1), MOVED), ("SG", MOVED, None)],
}
REGISTRY = registry(LABS, system="lmarena")


def board(*lines: Row, **shared: object) -> pl.LazyFrame:
    """Lines of one file, numbered in order."""
    about = {
        "snapshot_id": f"lmarena/{DAY}",
        "snapshot_date": DAY,
        "subset": "text",
        "category": "overall",
        "leaderboard_publish_date": DAY,
        **shared,
    }
    numbered = [{"line": i, **line} for i, line in enumerate(lines, 1)]
    return rows("raw.arena_leaderboards", *numbered, **about)


def together(*boards: pl.LazyFrame) -> pl.LazyFrame:
    """Boards of one snapshot: record numbers are those of the whole file."""
    number = pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias("line")
    return pl.concat(boards).with_columns(number)


def line(name: str, rating: float | None, organization: str | None = None, **more: Any) -> Row:
    return {"model_name": name, "rating": rating, "organization": organization, **more}


def tables(raw: pl.LazyFrame, as_of: date = DAY) -> tuple[pl.DataFrame, pl.DataFrame]:
    """core.arena_ratings and mart.arena_leaders."""
    made = everything(as_of, {"mart.arena_leaders"}, **REGISTRY, raw_arena_leaderboards=raw)
    return made["core.arena_ratings"], made["mart.arena_leaders"]


def column(raw: pl.LazyFrame, name: str) -> dict[str, Any]:
    """One column of core.arena_ratings by model."""
    return dict(tables(raw)[0].select("model_name_arena", name).iter_rows())


# ---- ratings --------------------------------------------------------------------------------


def test_a_rank_is_one_plus_the_number_of_strictly_better_models() -> None:
    found = board(
        line("d", 1300, rank=9),
        line("c", 1400, rank=3),
        line("b", 1400, rank=2),
        line("z", 1400),
        line("y", 1400),
        line("a", 1500, rank=8),
    )
    assert column(found, "rank_ordinal") == {"a": 1, "b": 2, "c": 2, "y": 2, "z": 2, "d": 6}
    assert column(found, "n_tied") == {"a": 1, "b": 4, "c": 4, "y": 4, "z": 4, "d": 1}
    assert column(found, "rank_published") == {"a": 8, "b": 2, "c": 3, "y": None, "z": None, "d": 9}


def test_an_unrated_model_has_no_rank() -> None:
    found = board(line("a", None, rank=1), line("b", 1200, rank=2), line("c", 1100, rank=3))
    assert column(found, "rank_ordinal") == {"a": None, "b": 1, "c": 2}


def test_of_two_lines_of_a_model_the_one_with_more_votes_counts() -> None:
    found = board(
        line("a", 1000, vote_count=10),
        line("a", 1400, vote_count=500),
        line("a", 1500),
        line("b", 1200, vote_count=7),
        line("b", 1300, vote_count=7),
        line("c", 1100),
    )
    assert column(found, "rating") == {"a": 1400, "b": 1200, "c": 1100}
    assert column(found, "rank_ordinal") == {"a": 1, "b": 2, "c": 3}


def test_the_rank_by_upper_bound_counts_models_that_are_surely_better() -> None:
    found = board(
        line("a", 1400, rating_lower=1390, rating_upper=1410),
        line("b", 1395, rating_lower=1380, rating_upper=1405),
        line("c", 1350, rating_lower=1340, rating_upper=1380),
        line("d", 1300, rating_lower=1290, rating_upper=1310),
    )
    # b's lower bound equals c's upper bound: it does not exceed it
    assert column(found, "rank_ub") == {"a": 1, "b": 1, "c": 2, "d": 4}


def test_without_bounds_there_is_no_rank_by_upper_bound() -> None:
    found = board(
        line("a", 1400),
        line("b", 1395, rating_lower=1380, rating_upper=1405),
        line("c", 1350, rating_upper=1355),
        line("d", 1300, rating_lower=1290),
    )
    assert column(found, "rank_ub") == {"a": None, "b": 1, "c": 2, "d": None}
    assert set(column(board(line("a", 1), line("b", 2)), "rank_ub").values()) == {None}


def test_boards_categories_and_days_are_ranked_separately() -> None:
    parts = [
        board(line("a", 1000 + i), line("b", 1100 - i), **part)
        for i, part in enumerate(
            [
                {},
                {"subset": "text_style_control"},
                {"category": "coding"},
                {"leaderboard_publish_date": MOVED},
            ]
        )
    ]
    ratings, leaders = tables(together(*parts))
    assert ratings.filter(model_name_arena="b")["rank_ordinal"].to_list() == [1] * 4
    flags = leaders.select("board", "is_style_controlled").unique().sort("board")
    assert flags.rows() == [("text", False), ("text_style_control", True)]


def test_boards_after_the_clock_are_left_out() -> None:
    later = DAY + timedelta(days=1)
    found = together(board(line("a", 1)), board(line("a", 2), leaderboard_publish_date=later))
    for as_of, days in ((DAY, [DAY]), (later, [DAY, later]), (DAY - timedelta(days=1), [])):
        for made in tables(found, as_of):
            assert made["publish_date"].to_list() == days


def test_the_country_is_that_of_the_lab_on_the_publish_day() -> None:
    lines = [line("a", 3, "mover"), line("b", 2, "NOWHERE AI"), line("c", 1, "who"), line("d", 0)]
    found = together(
        *(board(*lines, leaderboard_publish_date=day) for day in (MOVED - timedelta(days=1), MOVED))
    )
    made = tables(found)[0].select("model_name_arena", "lab_id", "country_code").rows()
    rest = [("b", "Nowhere AI", "ZZ"), ("c", None, "XX"), ("d", None, "XX")]
    assert made == [("a", "Mover", "FR"), *rest, ("a", "Mover", "SG"), *rest]


# ---- any board, against the definitions ---------------------------------------------------------

LINE = st.fixed_dictionaries(
    {
        "model_name": st.sampled_from([f"m{i}" for i in range(9)]),
        "organization": st.sampled_from([None, "who", *LABS]),
        "rating": st.none() | st.integers(1000, 1030).map(float),
        "rating_lower": st.none() | st.integers(0, 15),
        "rating_upper": st.none() | st.integers(0, 15),
        "vote_count": st.none() | st.integers(0, 3),
        "rank": st.none() | st.integers(1, 5),
    }
)


def placed(drawn: dict[str, Any]) -> Row:
    """Bounds are drawn as distances from the rating."""
    rating = drawn["rating"]
    lower, upper = drawn["rating_lower"], drawn["rating_upper"]
    return {
        **drawn,
        "rating_lower": None if rating is None or lower is None else rating - lower,
        "rating_upper": None if rating is None or upper is None else rating + upper,
    }


def kept(lines: Sequence[Row]) -> list[dict[str, Any]]:
    """One line a model: most votes, unknown votes last, then the first."""
    by_name: dict[str, list[Any]] = defaultdict(list)
    for each in lines:
        by_name[str(each["model_name"])].append(each)

    def votes(each: dict[str, Any]) -> int:
        return -1 if each["vote_count"] is None else int(each["vote_count"])

    return [max(same, key=votes) for same in by_name.values()]


def ordinals(lines: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Ranks in the order in which models are named: equal ratings share one."""
    rated = [each for each in lines if each["rating"] is not None]
    rated.sort(key=lambda m: (-m["rating"], m["rank"] or 10**9, m["model_name"]))
    return {m["model_name"]: 1 + sum(o["rating"] > m["rating"] for o in rated) for m in rated}


def by_upper_bound(lines: Sequence[dict[str, Any]]) -> dict[str, int | None]:
    lowers = [m["rating_lower"] for m in lines if m["rating_lower"] is not None]
    return {
        m["model_name"]: None
        if m["rating_upper"] is None
        else 1 + sum(lower > m["rating_upper"] for lower in lowers)
        for m in lines
    }


@pytest.mark.slow
@PROPERTY
@given(st.lists(LINE.map(placed), max_size=14), st.integers(0, 2**16))
def test_ranks_and_leaders_equal_their_definitions(lines: list[Row], seed: int) -> None:
    other = board(line("x", 1, "Sino AI"), line("y", 2, rating_lower=1e6), category="other")
    raw = together(board(*lines), other)
    ratings, leaders = tables(raw)
    of_board = ratings.filter(category="overall")
    expected = kept(lines)
    found = of_board.select("model_name_arena", "rank_ordinal", "rank_ub").rows()
    first, bound = ordinals(expected), by_upper_bound(expected)
    assert sorted(found) == sorted(
        (m["model_name"], first.get(m["model_name"]), bound[m["model_name"]]) for m in expected
    )
    country = dict(of_board.select("model_name_arena", "country_code").iter_rows())
    rating = {m["model_name"]: m["rating"] for m in expected}
    by_country: dict[str, list[str]] = defaultdict(list)
    for name in first:
        by_country[country[name]].append(name)
    columns = ["country_code", "best_model", "best_rank_ordinal", "gap_to_leader", "n_models"]
    best = max(rating[name] for name in first) if first else 0
    assert leaders.filter(category="overall").select(columns).rows() == [
        (code, names[0], first[names[0]], best - rating[names[0]], len(names))
        for code, names in sorted(by_country.items())
    ]
    for made, again in zip((ratings, leaders), tables(shuffled(raw, seed)), strict=True):
        assert_frame_equal(again, made, check_exact=True)
