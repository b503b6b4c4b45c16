"""LMArena's history: retired models back in place, scales that break, names that change."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import ROOT
from tests.support.frames import DAY, PROPERTY, Row, everything, registry, rows
from transforms.arena.scale import ScaleError, change_within_segment
from warehouse.database.duckdb_file import MACROS
from warehouse.registry.load import read_registry

OLD, LATE = date(2025, 5, 13), date(2025, 11, 6)  # before and after the data set shows retired ones
TARGETS = {"core.arena_ratings", "core.arena_scale_segments", "meta.arena_boards"}
Tables = dict[str, pl.DataFrame]
REFERENCE = {
    f"raw_registry_{name}": read_registry(name).lazy()
    for name in ("arena_categories", "arena_exclusions", "arena_licenses", "model_aliases")
}


def numbered(given_rows: list[Row]) -> list[Row]:
    return [{"line": i, **row} for i, row in enumerate(given_rows, 1)]


def dataset(*lines: Row) -> pl.LazyFrame:
    about = {"snapshot_id": f"lmarena/{DAY}", "snapshot_date": DAY, "category": "overall"}
    return rows("raw.arena_leaderboards", *numbered(list(lines)), **{"subset": "text", **about})


def catalog(*lines: Row) -> pl.LazyFrame:
    about = {"snapshot_id": f"arena_catalog/{DAY}", "snapshot_date": DAY, "commit_id": "abc"}
    files = {"file_name": "leaderboard-text.json", "subset": "text", "source_category": "full"}
    return rows("raw.arena_catalog_ratings", *numbered(list(lines)), **{**about, **files})


def tables(*lines: Row) -> pl.LazyFrame:
    about = {"snapshot_id": f"lmarena_space/{DAY}", "snapshot_date": DAY, "file_name": "t.csv"}
    return rows("raw.arena_space_tables", *numbered(list(lines)), **{"table_date": OLD, **about})


def pickles(*lines: Row) -> pl.LazyFrame:
    about = {"snapshot_id": f"lmarena_space/{DAY}", "snapshot_date": DAY, "file_name": "e.pkl"}
    kind = {"subset": "text", "source_category": "full", "rating_kind": "bradley_terry"}
    return rows("raw.arena_space_ratings", *numbered(list(lines)), **{**about, **kind})


def line(name: str, rating: float | None, day: date = OLD, **more: Any) -> Row:
    return {"model_name": name, "rating": rating, "leaderboard_publish_date": day, **more}


def entry(name: str, rating: float, day: date = OLD, **more: Any) -> Row:
    at = datetime.combine(day, time())
    return {
        "model_name": name,
        "rating": rating,
        "committed_at": at,
        "commit_date": day,
        **more,
    }


def vote(name: str, rating: float, day: date = OLD, **more: Any) -> Row:
    return {"model_name": name, "rating": rating, "table_date": day, **more}


def made(**raw: pl.LazyFrame) -> Tables:
    """The healed tables of some raw frames, with the project's own names of categories."""
    labs = registry({"OpenAI": "US", "DeepSeek": "CN"}, system="lmarena")
    return everything(DAY, TARGETS, date.max, **{**labs, **REFERENCE, **raw})


def ratings(**raw: pl.LazyFrame) -> dict[str, dict[str, Any]]:
    """core.arena_ratings of one board, by name."""
    held = made(**raw)["core.arena_ratings"].iter_rows(named=True)
    return {row["model_name_arena"]: row for row in held}


def board(**raw: pl.LazyFrame) -> dict[str, Any]:
    """The one row of meta.arena_boards."""
    (row,) = made(**raw)["meta.arena_boards"].iter_rows(named=True)
    return row


def test_what_is_no_model_of_anybody_takes_no_rank_from_any_source() -> None:
    found = ratings(
        raw_arena_leaderboards=dataset(line("Boss-Bandit", 1500), line("a", 1400)),
        raw_arena_catalog_ratings=catalog(entry("boss-bandit", 1500), entry("a", 1400)),
    )
    assert {name: row["rank_ordinal"] for name, row in found.items()} == {"a": 1}


# ---- survivorship ---------------------------------------------------------------------------

NAMES = [f"m{i:02}" for i in range(16)]
POINTS = st.lists(
    st.integers(9000, 15000).map(lambda n: n / 10), min_size=16, max_size=16, unique=True
)


@PROPERTY
@given(POINTS, st.sets(st.sampled_from(NAMES), max_size=11), st.booleans())
def test_models_that_the_data_set_dropped_come_back_with_their_ranks(
    points: list[float], gone: set[str], named_by_display: bool
) -> None:
    """At least five stay, by which the boards are seen to be the same."""
    spread: list[tuple[str, float, dict[str, Any]]] = [
        (name, rating, {"rating_lower": rating - 5 - i % 3, "rating_upper": rating + 5})
        for i, (name, rating) in enumerate(zip(NAMES, points, strict=True))
    ]
    shown = {n: f"Model {n}" if named_by_display else n for n in NAMES}
    whole = dataset(*(line(n, r, **bounds) for n, r, bounds in spread))
    left = dataset(*(line(n, r, **bounds) for n, r, bounds in spread if n not in gone))
    others = {
        "raw_arena_catalog_ratings": catalog(*(entry(shown[n], r, **b) for n, r, b in spread)),
        "raw_arena_space_tables": tables(
            *({"model_name": shown[n], "model_key": n} for n in NAMES)
        ),
    }
    healed = made(raw_arena_leaderboards=left, **others)
    want = made(raw_arena_leaderboards=whole, **others)["core.arena_ratings"]
    ranks = ["model_id", "rating", "rank_ordinal", "rank_ub", "variance", "n_tied"]
    assert sorted(healed["core.arena_ratings"].select(ranks).rows()) == sorted(
        want.select(ranks).rows()
    )
    found = healed["core.arena_ratings"].select("model_name_arena", "board_source").rows()
    assert {n for n, source in found if source == "arena_catalog"} == {shown[n] for n in gone}
    assert set(healed["core.arena_ratings"]["has_catalog_rows"]) == {bool(gone)}
    (counted,) = healed["meta.arena_boards"].iter_rows(named=True)
    assert (counted["n_models"], counted["n_from_catalog"]) == (16, len(gone))
    assert (counted["n_compared"], counted["n_disagreeing"]) == (16 - len(gone), 0)


def test_a_stale_board_on_another_scale_is_refused_whole_and_told() -> None:
    raw = {
        "raw_arena_leaderboards": dataset(*(line(f"m{i}", 1300.0 + i) for i in range(6))),
        "raw_arena_catalog_ratings": catalog(
            *(entry(f"m{i}", 1360.0 + i) for i in range(6)), entry("retired", 1500)
        ),
    }
    found = made(**raw)["core.arena_observations"]
    refused = found.filter(pl.col("not_chosen_reason") == "other_scale")
    assert set(refused["board_source"]) == {"arena_catalog"}
    assert sorted(refused["difference_to_chosen"].fill_null(-1)) == [-1, *[60] * 6]
    assert set(ratings(**raw)) == {f"m{i}" for i in range(6)}
    assert board(**raw)["n_other_scale"] == 7
    assert board(**raw)["n_compared"] == 0


@pytest.mark.parametrize(
    ("differences", "joins"),
    [
        ([], False),
        ([0.5], True),
        ([0.5, 3.0], False),
        ([0, 0, 0, 1.0], True),
        ([0, 0, 0, 40.0], False),
        ([0.5, 1, 0.2, 40.0, 50.0], True),
        ([0.5, 1.5, 1.2, 40.0, 0.0], False),
    ],
)
def test_what_common_models_must_show(differences: list[float], joins: bool) -> None:
    """Under five each must agree; of five or more the median; without any nothing is shown."""
    common = [f"m{i}" for i in range(len(differences))]
    found = ratings(
        raw_arena_leaderboards=dataset(line("own", 1200), *(line(n, 1300) for n in common)),
        raw_arena_catalog_ratings=catalog(
            entry("retired", 1400),
            *(entry(n, 1300 + d) for n, d in zip(common, differences, strict=True)),
        ),
    )
    assert ("retired" in found) == joins
    assert all(found[n]["rating"] == 1300 for n in common)


def test_disagreement_within_one_scale_is_reported_model_by_model() -> None:
    raw = {
        "raw_arena_leaderboards": dataset(*(line(f"m{i}", 1300.0) for i in range(6))),
        "raw_arena_catalog_ratings": catalog(
            *(entry(f"m{i}", 1300.4) for i in range(5)), entry("m5", 1320)
        ),
    }
    row = board(**raw)
    assert (row["n_compared"], row["n_disagreeing"], row["n_other_scale"]) == (6, 1, 0)


@pytest.mark.parametrize(("day", "first"), [(OLD, "lmarena_space"), (LATE, "lmarena")])
def test_the_space_is_believed_first_until_the_data_set_keeps_retired_models(
    day: date, first: str
) -> None:
    names = [f"m{i}" for i in range(5)]
    found = ratings(
        raw_arena_leaderboards=dataset(*(line(n, 1300, day) for n in (*names, "new"))),
        raw_arena_space_ratings=pickles(*(vote(n, 1300.5, day) for n in (*names, "old"))),
        raw_arena_catalog_ratings=catalog(*(entry(n, 1300.2, day) for n in (*names, "third"))),
    )
    assert {found[n]["board_source"] for n in names} == {first}
    assert [found[n]["board_source"] for n in ("new", "old", "third")] == [
        "lmarena",
        "lmarena_space",
        "arena_catalog",
    ]


def test_the_wrong_series_of_the_data_set_gives_way_to_the_published_one() -> None:
    """2023-12-20: the data set holds online Elo, the Space's table what the site showed."""
    day = date(2023, 12, 20)
    names = [f"m{i}" for i in range(6)]
    raw = {
        "raw_arena_leaderboards": dataset(*(line(n, 1188, day) for n in names)),
        "raw_arena_space_tables": tables(*(vote(n, 1243, day) for n in names)),
        "raw_arena_space_ratings": pickles(
            *(vote(n, 1188, day, rating_kind="elo_online") for n in (*names, "more"))
        ),
    }
    found = ratings(**raw)
    assert set(found) == set(names)
    assert {(r["rating"], r["board_source"]) for r in found.values()} == {(1243, "lmarena_space")}
    assert board(**raw)["n_other_scale"] == 6


def test_bradley_terry_of_a_pickle_beats_the_table_of_the_day() -> None:
    found = ratings(
        raw_arena_space_tables=tables(vote("a", 1100), vote("b", 1090)),
        raw_arena_space_ratings=pickles(
            vote("a", 1190), vote("a", 1125, rating_kind="elo_online", source_category="full")
        ),
    )
    assert {n: r["rating"] for n, r in found.items()} == {"a": 1190}


def test_categories_take_the_data_sets_names_and_keep_their_own_without_a_successor() -> None:
    found = made(
        raw_arena_catalog_ratings=catalog(
            *(
                entry("a", 1300, source_category=c)
                for c in ("full", "no_tie", "if", "no_short", "brand_new")
            )
        )
    )["core.arena_ratings"]
    assert set(found["category"]) == {
        "overall", "exclude_ties", "instruction_following", "no_short", "brand_new"
    }  # fmt: skip


def test_a_row_without_rating_stands_for_its_model_only_where_no_source_rates_it() -> None:
    names = [f"m{i}" for i in range(5)]
    found = ratings(
        raw_arena_leaderboards=dataset(
            *(line(n, 1300) for n in names), line("back", None), line("never", None)
        ),
        raw_arena_catalog_ratings=catalog(*(entry(n, 1300) for n in (*names, "back"))),
    )
    assert (found["back"]["rating"], found["back"]["board_source"]) == (1300, "arena_catalog")
    assert (found["never"]["rating"], found["never"]["rank_ordinal"]) == (None, None)


# ---- names and labels -----------------------------------------------------------------------


def test_a_model_that_a_file_names_twice_stands_once_and_is_counted() -> None:
    twice = dataset(
        line("gpt-5.3-codex", 1400, vote_count=5),
        line("gpt-5.3-codex", 1450, vote_count=90),
        line("b", 1300, vote_count=5),
    )
    row = board(raw_arena_leaderboards=twice)
    assert (row["n_models"], row["n_duplicates"]) == (2, 1)
    assert ratings(raw_arena_leaderboards=twice)["gpt-5.3-codex"]["rating"] == 1450


def test_a_renamed_model_is_one_model_and_counted_as_renamed() -> None:
    """By the Space's tables, by case, and by a reviewed alias."""
    later = OLD + timedelta(days=1)
    found = made(
        raw_arena_leaderboards=dataset(
            line("Command R+", 1200), line("GLM-4.5", 1300), line("chocolate (Early Grok-3)", 1400),
            line("Command R+ (04-2024)", 1201, later), line("glm-4.5", 1301, later),
            line("early-grok-3", 1401, later), line("new", 1000, later),
        ),
        raw_arena_space_tables=tables(
            {"model_name": "Command R+", "model_key": "command-r-plus"},
            {"model_name": "Command R+ (04-2024)", "model_key": "Command-R-Plus"},
        ),
    )  # fmt: skip
    assert found["meta.arena_boards"]["n_renamed"].to_list() == [0, 3]
    changes = change_within_segment(found["core.arena_ratings"].lazy()).collect()
    assert changes["rating_change"].drop_nulls().to_list() == [1, 1, 1]


def test_a_display_name_of_two_keys_and_one_that_is_a_key_itself_join_nothing() -> None:
    found = made(
        raw_arena_leaderboards=dataset(
            line("Both", 1), line("k1", 2), line("k2", 3), line("k3", 4)
        ),
        raw_arena_space_tables=tables(
            {"model_name": "Both", "model_key": "k1"},
            {"model_name": "both", "model_key": "k2"},
            {"model_name": "k2", "model_key": "k3"},
        ),
    )["core.arena_ratings"]
    assert found["model_id"].n_unique() == 4


def test_a_blank_organisation_is_the_last_known_else_the_next_and_is_flagged() -> None:
    days = [OLD + timedelta(days=n) for n in range(4)]
    found = made(
        raw_arena_leaderboards=dataset(
            line("a", 1, days[0]),
            line("a", 1, days[1], organization="OpenAI"),
            line("A", 1, days[2]),
            line("a", 1, days[3], organization="DeepSeek"),
            line("b", 0, days[0]),
            line("c", 0, days[0], license="MIT"),
        ),
        raw_arena_space_tables=tables(
            {"model_name": "Bee", "model_key": "b", "organization": "DeepSeek", "license": "MIT"}
        ),
    )["core.arena_ratings"].sort("publish_date", "model_id")
    said = found.select("organization", "is_org_carried", "country_code", "license").rows()
    assert said == [
        ("OpenAI", True, "US", None),
        ("DeepSeek", True, "CN", None),  # the data set's own blank license stays blank
        (None, False, "XX", "MIT"),
        ("OpenAI", False, "US", None),
        ("OpenAI", True, "US", None),
        ("DeepSeek", False, "CN", None),
    ]


def test_labels_of_licenses_are_looked_up_and_never_guessed() -> None:
    labels = ["Apache 2.0", "Propretary", "Qwen", "MIT-ish", None]
    found = ratings(
        raw_arena_leaderboards=dataset(
            *(line(f"m{i}", 1300, license=label) for i, label in enumerate(labels)),
            line("m9", 1300),
        ),
        raw_arena_catalog_ratings=catalog(
            *(entry(f"m{i}", 1300) for i in range(5)), entry("Back", 1200)
        ),
        raw_arena_space_tables=tables(
            {"model_name": "Back", "model_key": "back", "license": "MIT", "organization": "OpenAI"}
        ),
    )
    assert [found[f"m{i}"]["is_open_weights"] for i in range(5)] == [True, False, None, None, None]
    back = found["Back"]  # arena-catalog has no labels at all: the Space's table has
    assert (back["license"], back["is_open_weights"], back["organization"]) == (
        "MIT",
        True,
        "OpenAI",
    )


def test_every_recorded_license_label_is_in_the_registry(recordings: Path) -> None:
    found: set[str] = set()
    for path in (recordings / "lmarena/leaderboard-dataset").glob("*/full-*.parquet"):
        found |= set(pl.read_parquet(path, columns=["license"])["license"].unique()) - {""}
    assert len(found) > 40
    known = read_registry("arena_licenses")
    assert found - {None} <= set(known["license"])


def test_a_board_published_again_is_told_from_a_new_one() -> None:
    days = [OLD + timedelta(days=n) for n in range(4)]
    values = [1300.25, 1300.25, 1300.5, 1300.25]
    found = made(
        raw_arena_leaderboards=dataset(
            *(
                row
                for day, value in zip(days, values, strict=True)
                for row in (line("a", value, day), line("b", 1200, day))
            )
        )
    )["meta.arena_boards"]
    assert found["republishes_date"].to_list() == [None, days[0], None, days[0]]


def test_models_with_the_same_rating_are_named_as_tied() -> None:
    found = ratings(
        raw_arena_leaderboards=dataset(
            line("a", 1400), line("b", 1300), line("c", 1300), line("d", None), line("e", None)
        )
    )
    assert {n: r["n_tied"] for n, r in found.items()} == {
        "a": 1, "b": 2, "c": 2, "d": None, "e": None
    }  # fmt: skip


def test_the_rank_under_style_control_is_that_of_the_same_model_there() -> None:
    on: dict[str, Any] = {"rating_lower": 1390, "rating_upper": 1410}
    off: dict[str, Any] = {"rating_lower": 1290, "rating_upper": 1310}
    raw = dataset(
        line("A", 1300, **off), line("b", 1400, **on), line("c", 1200),
        line("a", 1400, subset="text_style_control", **on),
        line("b", 1300, subset="text_style_control", **off),
    )  # fmt: skip
    found = made(raw_arena_leaderboards=raw)["core.arena_ratings"]
    plain = found.filter(board="text").sort("model_id")
    assert plain["rank_ub"].to_list() == [2, 1, None]
    assert plain["rank_ub_style_control"].to_list() == [1, 2, None]


# ---- segments of the scale ------------------------------------------------------------------


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


def test_one_model_that_leaps_is_no_break() -> None:
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


def test_a_break_between_two_boards_falls_on_the_later_and_none_before_the_first() -> None:
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
    (macro,) = (
        text for text in MACROS.read_text("utf-8").split(";") if "core.rating_change(" in text
    )
    with duckdb.connect() as con:
        con.execute("CREATE SCHEMA core")
        con.register("found", found)
        con.execute("CREATE TABLE core.arena_ratings AS FROM found")
        con.execute(macro)
        asked = "SELECT publish_date, model_id, rating_change FROM core.rating_change(?, ?)"
        return sorted(con.execute(asked, ["text", "overall"]).fetchall(), key=str)


@pytest.mark.parametrize("column", ["segment_id", "model_id", "category", "rating"])
def test_ratings_without_a_segment_cannot_be_differenced(column: str) -> None:
    found = made(raw_arena_leaderboards=steps(1))["core.arena_ratings"].lazy()
    with pytest.raises(ScaleError, match=column):
        change_within_segment(found.drop(column))


# ---- nobody differences ratings by accident -------------------------------------------------

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
            told = columns and not any("rating" in text for text in [*columns, *names])
            if node.func.attr == "join_asof" or not told:
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
def test_no_way_of_differencing_goes_unseen(call: str, is_seen: bool) -> None:
    assert bool(list(along_dates(f"rating = 1\nx = {call}"))) == is_seen


# ---- the registry ---------------------------------------------------------------------------


# ---- the recordings -------------------------------------------------------------------------

BREAK = date(2025, 5, 20)
FILES = {
    "text": "leaderboard-text.json",
    "text_style_control": "leaderboard-text-style-control.json",
}


def recorded_boards(recordings: Path) -> pl.LazyFrame:
    """The data set's text boards of the days around the break."""
    found = []
    for subset in FILES:
        path = recordings / f"lmarena/leaderboard-dataset/{subset}/full-00000-of-00001.parquet"
        held = pl.read_parquet(path).filter(
            pl.col("leaderboard_publish_date").str.to_date().is_in([OLD, BREAK])
        )
        found += [{**row, "subset": subset} for row in held.iter_rows(named=True)]
    text = "organization", "license"
    return dataset(
        *(
            {
                **row,
                **{c: row[c] or None for c in text},
                "leaderboard_publish_date": date.fromisoformat(row["leaderboard_publish_date"]),
            }
            for row in found
        )
    )


def recorded_catalog(recordings: Path) -> pl.LazyFrame:
    """arena-catalog's text boards of those days."""
    lines = [
        entry(
            name,
            values["rating"],
            day,
            rating_lower=values["rating_q025"],
            rating_upper=values["rating_q975"],
            subset=subset,
            source_category=category,
            file_name=f"{day}/{file}",
        )
        for day in (OLD, BREAK)
        for subset, file in FILES.items()
        for category, models in json.loads(
            (recordings / f"lmarena/arena-catalog/{day}/{file}").read_text("utf-8")
        ).items()
        for name, values in models.items()
    ]
    return catalog(*lines)


@pytest.fixture(scope="module")
def around_the_break(recordings: Path) -> tuple[Tables, Tables, list[str]]:
    """Both days by all sources; and again without some models in the data set's coding board."""
    full, others = recorded_boards(recordings), recorded_catalog(recordings)
    names = full.filter(pl.col("category") == "coding").select("model_name").collect().to_series()
    gone = sorted(names.unique())[::7]
    dropped = (pl.col("category") == "coding") & pl.col("model_name").is_in(gone)
    first, second = (
        made(raw_arena_leaderboards=boards, raw_arena_catalog_ratings=others)
        for boards in (full, full.filter(~dropped))
    )
    return first, second, gone


@pytest.mark.parametrize(
    ("board_name", "category", "median"),
    [
        ("text_style_control", "overall", 59.9),  # lmarena.md section 6
        ("text", "exclude_ties", -179),  # archive/README.md section 2, and the rest
        ("text", "korean", -170),
        ("text", "japanese", -151),
        ("text", "chinese", -65),
        ("text", "french", 62),
        ("text", "spanish", 38),
        ("text", "english", 29),
    ],
)
def test_the_recorded_break_of_2025_05_20_is_found(
    around_the_break: tuple[Tables, Tables, list[str]],
    board_name: str,
    category: str,
    median: float,
) -> None:
    held = around_the_break[0]["core.arena_scale_segments"]
    (found,) = held.filter(board=board_name, category=category, segment_id=2).to_dicts()
    assert found["first_publish_date"] == BREAK
    assert found["is_detected"]
    assert found["shift_median"] == pytest.approx(median, abs=0.6)
    if board_name == "text_style_control":
        assert found["n_common_models"] == 228
        assert found["shift_min"] == pytest.approx(57.8, abs=0.05)
        assert found["shift_max"] == pytest.approx(64.4, abs=0.05)


def test_the_raw_overall_board_moved_too_little_to_be_found(
    around_the_break: tuple[Tables, Tables, list[str]],
) -> None:
    held = around_the_break[0]["core.arena_scale_segments"]
    assert held.filter(board="text", category="overall").height == 1


def test_retired_models_come_back_from_the_recorded_catalog(
    around_the_break: tuple[Tables, Tables, list[str]],
) -> None:
    full, healed, gone = around_the_break
    shown = ["board", "publish_date", "model_id", "rank_ordinal", "rank_ub", "n_tied"]
    of_coding = [t["core.arena_ratings"].filter(category="coding") for t in (full, healed)]
    for want, got in zip(*(t.select(shown).sort(shown) for t in of_coding), strict=False):
        assert got.to_list() == want.to_list()
    back = of_coding[1].filter(board_source="arena_catalog")
    assert len(gone) > 30
    assert set(back["board"]) == set(FILES)
    assert back["model_id"].n_unique() == len(gone)
    disagreeing = healed["meta.arena_boards"].select("n_disagreeing", "n_other_scale").sum()
    assert disagreeing.rows() == [(0, 0)]


def test_the_recorded_overall_board_itself_lacks_retired_models(
    around_the_break: tuple[Tables, Tables, list[str]],
) -> None:
    """As the site hid them until July 2025: gemini-exp-1206 is among them."""
    board = around_the_break[0]["core.arena_ratings"].filter(
        board="text", category="overall", publish_date=OLD
    )
    assert board.height == 228  # lmarena.md section 6; the recorded data set has 197 of them
    found = board.filter(board_source="arena_catalog")
    assert found.height == 31
    assert "gemini-exp-1206" in {n.lower() for n in found["model_name_arena"]}
