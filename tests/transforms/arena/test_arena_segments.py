"""Segments of the scale, and differences of ratings along dates."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import ROOT
from tests.support.arena_sources import OLD, dataset, line, made
from tests.support.frames import PROPERTY, Row, rows
from transforms.arena.scale import ScaleError, change_within_segment
from warehouse.database.duckdb_file import MACROS


def steps(*shifts: float, models: int = 5, first: date = OLD) -> pl.LazyFrame:
    """Daily boards; each moves all of its models by so much against the one before."""
    lines, level = [], 1300.0
    for n, shift in enumerate((0.0, *shifts)):
        level += shift
        day = first + timedelta(days=n)
        lines += [line(f"m{i}", level + 10 * i, day) for i in range(models)]
    return dataset(*lines)


def breaks(*given_rows: Row) -> pl.LazyFrame:
    about = {"reason": "said so", "reviewer": "test", "known_from": date(2026, 1, 1)}
    return rows("raw.registry_arena_scale_breaks", *given_rows, **about)


def segments(raw: pl.LazyFrame, *reviewed: Row) -> list[dict[str, Any]]:
    held = made(raw_arena_leaderboards=raw, raw_registry_arena_scale_breaks=breaks(*reviewed))
    return held["core.arena_scale_segments"].to_dicts()


@pytest.mark.parametrize(
    ("shift", "models", "n_segments"),
    [(10, 5, 2), (-10, 5, 2), (9.99, 5, 1), (60, 5, 2), (60, 4, 1)],
)
def test_a_break_is_a_median_shift_of_ten_points_over_five_models(
    shift: float, models: int, n_segments: int
) -> None:
    found = segments(steps(1, shift, -1, models=models))
    assert [row["segment_id"] for row in found] == list(range(1, n_segments + 1))
    if n_segments == 2:
        assert found[1]["first_publish_date"] == OLD + timedelta(days=2)
        assert found[1]["previous_publish_date"] == OLD + timedelta(days=1)
        assert found[1]["n_common_models"] == models
        for kind in ("median", "mean", "min", "max"):
            assert found[1][f"shift_{kind}"] == pytest.approx(shift)
        assert (found[1]["is_detected"], found[1]["is_reviewed"]) == (True, False)
        assert [row["n_publish_dates"] for row in found] == [2, 2]


def test_a_jump_of_one_model_is_not_a_break() -> None:
    day = OLD + timedelta(days=1)
    moved = [line(f"m{i}", 1300 + (500 if i == 0 else 0), day) for i in range(6)]
    found = segments(dataset(*(line(f"m{i}", 1300) for i in range(6)), *moved))
    assert len(found) == 1


@pytest.mark.parametrize(
    ("named", "n_segments"),
    [
        ({"board": "text", "category": "overall"}, 2),
        ({"board": "*", "category": "*"}, 2),
        ({"board": "text", "category": "*"}, 2),
        ({"board": "vision", "category": "*"}, 1),
        ({"board": "*", "category": "coding"}, 1),
    ],
)
def test_a_reviewed_break_holds_without_any_shift(named: Row, n_segments: int) -> None:
    found = segments(steps(0, 0), {**named, "publish_date": OLD + timedelta(days=1)})
    assert len(found) == n_segments
    if n_segments == 2:
        last = found[-1]
        assert (last["is_detected"], last["is_reviewed"], last["reason"]) == (
            False,
            True,
            "said so",
        )


def test_a_reviewed_break_starts_a_segment_at_the_next_board() -> None:
    lines = [line(f"m{i}", 1300, day) for i in range(5) for day in (OLD, OLD + timedelta(days=9))]
    on = {"board": "*", "category": "*"}
    dates = [OLD - timedelta(days=3), OLD, OLD + timedelta(days=4), OLD + timedelta(days=5)]
    found = segments(dataset(*lines), *({**on, "publish_date": day} for day in dates))
    assert [row["first_publish_date"] for row in found] == [OLD, OLD + timedelta(days=9)]


def test_a_day_with_a_wrong_series_is_a_segment_of_its_own() -> None:
    found = segments(steps(0, -80, 80, 0))
    assert [row["n_publish_dates"] for row in found] == [2, 1, 2]


@PROPERTY
@given(st.lists(st.sampled_from([0.0, 1.0, -4.0, 25.0, -60.0]), max_size=6))
def test_every_rating_lies_in_one_segment_and_no_change_crosses_its_ends(
    shifts: list[float],
) -> None:
    held = made(raw_arena_leaderboards=steps(*shifts))
    found = held["core.arena_ratings"]
    starts = dict(
        held["core.arena_scale_segments"].select("segment_id", "first_publish_date").iter_rows()
    )
    assert set(found["segment_id"]) == set(starts)
    changed = change_within_segment(found.lazy()).collect()
    assert changed.height == found.height
    for row in changed.iter_rows(named=True):
        n = (row["publish_date"] - OLD).days
        begins = row["publish_date"] == starts[row["segment_id"]]
        assert row["rating_change"] == (None if begins else shifts[n - 1])
        assert (row["previous_publish_date"] is None) == begins
    assert by_macro(found) == sorted(
        changed.select("publish_date", "model_id", "rating_change").rows(), key=str
    )


def by_macro(found: pl.DataFrame) -> list[tuple[Any, ...]]:
    """The same by core.rating_change, as analysts ask for it."""
    named = ("CREATE MACRO meta.one_of(", "CREATE MACRO core.rating_change(")
    macros = [
        text
        for text in MACROS.read_text("utf-8").split(";\n")
        if any(name in text for name in named)
    ]
    with duckdb.connect() as con:
        con.execute("CREATE SCHEMA core; CREATE SCHEMA meta")
        con.register("found", found)
        con.execute("CREATE TABLE core.arena_ratings AS FROM found")
        con.execute(";".join(macros))
        queried = "SELECT publish_date, model_id, rating_change FROM core.rating_change(?, ?)"
        return sorted(con.execute(queried, ["text", "overall"]).fetchall(), key=str)


@pytest.mark.parametrize("column", ["segment_id", "model_id", "category", "rating"])
def test_ratings_without_a_segment_cannot_be_differenced(column: str) -> None:
    found = made(raw_arena_leaderboards=steps(1))["core.arena_ratings"].lazy()
    with pytest.raises(ScaleError, match=column):
        change_within_segment(found.drop(column))


ALONG_DATES = {
    "diff", "pct_change", "shift", "shift_and_fill", "join_asof", "rolling", "rolling_mean",
    "rolling_map", "ewm_mean", "interpolate", "upsample",
}  # fmt: skip


def along_dates(source: str) -> Iterator[str]:
    """Calls in a file that look along a series of ratings, or of what the file does not say.

    In a file that speaks of ratings, such a call is let pass only where the columns that it is
    made on are named in it and none is a rating.
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if node.func.attr in ALONG_DATES and "rating" in source:
            said = [n.value for n in ast.walk(node.func) if isinstance(n, ast.Constant)]
            names = [n.id for n in ast.walk(node.func) if isinstance(n, ast.Name)]
            columns = [str(s) for s in said if isinstance(s, str)]
            shown = columns and not any("rating" in text for text in [*columns, *names])
            if node.func.attr == "join_asof" or not shown:
                yield ast.unparse(node)


def test_ratings_are_differenced_along_dates_in_one_module_only() -> None:
    found = {
        path.relative_to(ROOT).as_posix(): calls
        for path in sorted((ROOT / "transforms").rglob("*.py"))
        if (calls := list(along_dates(path.read_text("utf-8"))))
    }
    assert list(found) == ["transforms/arena/scale.py"]


@pytest.mark.parametrize(
    ("call", "is_seen"),
    [
        ("pl.col('rating').diff()", True),
        ("pl.col('rating').shift(1).over('model_id')", True),
        ("rating.shift(1)", True),
        ("value.diff()", True),
        ("ratings.join_asof(other, on='publish_date')", True),
        ("pl.col('publish_date').shift(1)", False),
        ("pl.col('rating').max()", False),
    ],
)
def test_every_way_of_differencing_is_found(call: str, is_seen: bool) -> None:
    assert bool(list(along_dates(f"rating = 1\nx = {call}"))) == is_seen
