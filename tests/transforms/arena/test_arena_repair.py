"""Repaired boards of LMArena: which source counts, names and labels."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.arena_sources import (
    LATE,
    OLD,
    board,
    catalog,
    dataset,
    entry,
    line,
    made,
    pickles,
    ratings,
    tables,
    vote,
)
from tests.support.frames import PROPERTY
from transforms.arena.scale import change_within_segment
from warehouse.registry.load import read_registry


def test_excluded_names_have_no_rank_in_any_source() -> None:
    found = ratings(
        raw_arena_leaderboards=dataset(line("Boss-Bandit", 1500), line("a", 1400)),
        raw_arena_catalog_ratings=catalog(entry("boss-bandit", 1500), entry("a", 1400)),
    )
    assert {name: row["rank_ordinal"] for name, row in found.items()} == {"a": 1}


NAMES = [f"m{i:02}" for i in range(16)]
POINTS = st.lists(
    st.integers(9000, 15000).map(lambda n: n / 10), min_size=16, max_size=16, unique=True
)


@PROPERTY
@given(POINTS, st.sets(st.sampled_from(NAMES), max_size=11), st.booleans())
def test_models_dropped_from_the_dataset_are_restored_with_their_ranks(
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


def test_a_stale_board_on_another_scale_is_not_used_and_is_reported() -> None:
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
def test_a_board_joins_only_if_its_common_models_agree(
    differences: list[float], joins: bool
) -> None:
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
def test_the_space_is_trusted_most_until_the_dataset_keeps_retired_models(
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


def test_a_wrong_series_of_the_dataset_is_replaced_by_the_published_one() -> None:
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


def test_bradley_terry_ratings_of_a_pickle_replace_the_table() -> None:
    found = ratings(
        raw_arena_space_tables=tables(vote("a", 1100), vote("b", 1090)),
        raw_arena_space_ratings=pickles(
            vote("a", 1190), vote("a", 1125, rating_kind="elo_online", source_category="full")
        ),
    )
    assert {n: r["rating"] for n, r in found.items()} == {"a": 1190}


def test_categories_get_the_names_of_the_dataset_if_there_is_one() -> None:
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


def test_an_unrated_row_is_chosen_only_if_no_source_rates_the_model() -> None:
    names = [f"m{i}" for i in range(5)]
    found = ratings(
        raw_arena_leaderboards=dataset(
            *(line(n, 1300) for n in names), line("back", None), line("never", None)
        ),
        raw_arena_catalog_ratings=catalog(*(entry(n, 1300) for n in (*names, "back"))),
    )
    assert (found["back"]["rating"], found["back"]["board_source"]) == (1300, "arena_catalog")
    assert (found["never"]["rating"], found["never"]["rank_ordinal"]) == (None, None)


def test_a_model_named_twice_in_a_file_has_one_row_and_is_counted_as_duplicate() -> None:
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


def test_ambiguous_display_names_join_no_models() -> None:
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


def test_a_blank_organization_is_filled_from_the_last_or_next_known_and_flagged() -> None:
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


def test_a_republished_board_is_marked() -> None:
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


def test_models_with_equal_ratings_are_counted_as_tied() -> None:
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
