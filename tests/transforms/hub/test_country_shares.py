"""Shares of countries: by hand, and on drawn listings."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tests.support.frames import (
    DAY,
    PROPERTY,
    Row,
    registry,
    shuffled,
)
from tests.support.listings import (
    BEFORE,
    GROUP,
    LABS,
    MOVED,
    REGISTRY,
    hub,
    listing,
    model,
    share_of,
    shares,
    shares_of,
    walked,
)


def test_downloads_go_to_the_uploader_or_to_the_root() -> None:
    made = shares(
        *listing(model("cn-lab/base", 30), model("us-lab/quant", 70, parents=["cn-lab/base"]))
    )
    assert share_of(made, attribution="publisher") == {"CN": 0.3, "US": 0.7}
    assert share_of(made, attribution="base") == {"CN": 1.0}


def test_parents_of_two_countries_have_half_each_or_all_each() -> None:
    made = shares(
        *listing(
            model("cn-lab/base", 10),
            model("us-lab/base", 10),
            model("de-lab/merge", 80, parents=["cn-lab/base", "us-lab/base"]),
        )
    )
    assert share_of(made, attribution="base") == {"CN": 0.5, "US": 0.5}
    assert share_of(made, attribution="base", credit="full") == {"CN": 0.9, "US": 0.9}
    counts = made.filter(attribution="base", population="all", country_code="CN")["n_models"]
    assert counts.to_list() == [2, 2]


def test_two_roots_of_one_country_are_one_full_credit() -> None:
    made = shares(
        *listing(
            model("cn-lab/one", 0),
            model("cn-lab/two", 0),
            model("us-lab/merge", 5, parents=["cn-lab/one", "cn-lab/two"]),
        )
    )
    assert share_of(made, attribution="base", credit="full") == {"CN": 1.0}


def test_an_unlisted_parent_has_the_country_of_its_namespace() -> None:
    made = shares(*listing(model("us-lab/tune", 5, parents=["CN-Lab/Deleted"])))
    assert share_of(made, attribution="base") == {"CN": 1.0}


def test_examined_without_country_and_not_examined_are_never_merged() -> None:
    made = shares(
        *listing(model("nowhere/a", 20), model("stranger/b", 30), model("legacy-name", 10)),
        *listing(model("us-lab/c", 40)),
    )
    assert share_of(made) == {"ZZ": 0.2, "XX": 0.4, "US": 0.4}
    assert share_of(made, attribution="base") == share_of(made)
    bounds = made.filter(population="all", attribution="publisher", credit="fractional")
    found = {r["country_code"]: (r["share_lower"], r["share_upper"]) for r in bounds.to_dicts()}
    assert found == {
        "US": (0.4, 1.0),
        "ZZ": (0.0, pytest.approx(0.6)),
        "XX": (0.0, pytest.approx(0.6)),
    }


def test_upper_bounds_never_exceed_one() -> None:
    made = shares(*listing(model("us-lab/merge", 5, parents=["nowhere/a", "stranger/b"])))
    full = made.filter(population="all", attribution="base", credit="full")
    assert full["share"].to_list() == [1.0, 1.0]
    assert full["share_upper"].to_list() == [1.0, 1.0]


def test_a_lab_changes_country_on_the_day_of_its_move() -> None:
    days = [BEFORE, MOVED - timedelta(days=1), MOVED, DAY]
    sweeps = [row for day in days for row in listing(model("mover/x", 5), day=day)]
    made = shares(*sweeps)
    for attribution in ("publisher", "base"):
        found = [share_of(made, attribution=attribution, day=day) for day in days]
        assert found == [{"FR": 1.0}, {"FR": 1.0}, {"SG": 1.0}, {"SG": 1.0}]


def test_before_and_after_its_periods_a_lab_has_no_examined_country() -> None:
    short = registry({"lab": [("US", BEFORE, MOVED)]})
    days = [BEFORE - timedelta(days=1), BEFORE, MOVED]
    sweeps = [row for day in days for row in listing(model("lab/x", 5), day=day)]
    made = shares(*sweeps, labs=short)
    assert [share_of(made, day=day) for day in days] == [{"XX": 1.0}, {"US": 1.0}, {"XX": 1.0}]


def test_a_model_without_counter_is_in_no_sum_and_is_counted() -> None:
    made = shares(*listing(model("us-lab/a", 10), model("cn-lab/b", None), model("cn-lab/c", 0)))
    assert share_of(made) == {"US": 1.0, "CN": 0.0}
    whole = made.filter(population="all").select("n_models_population", "n_models_without_counter")
    assert whole.unique().rows() == [(2, 1)]
    assert set(made.filter(population="all", country_code="CN")["n_models"]) == {1}


def test_a_population_without_any_download_has_no_share() -> None:
    made = shares(
        *listing(model("us-lab/a", 0, pipeline_tag="text-generation"), model("cn-lab/b", None))
    )
    assert made.is_empty()


@pytest.mark.parametrize(
    ("created", "inside"),
    [
        (datetime(2026, 8, 15, 0, 0), True),
        (datetime(2026, 8, 15, 23, 59, 59), True),
        (datetime(2026, 8, 16, 0, 0), False),
        (datetime(2025, 8, 16, 0, 0), True),
        (datetime(2025, 8, 15, 23, 59, 59), False),
        (None, False),
    ],
)
def test_created_1y_covers_365_days_including_the_day(
    created: datetime | None, inside: bool
) -> None:
    made = shares(*listing(model("us-lab/a", 7, created_at=created)))
    assert share_of(made, population="created_1y") == ({"US": 1.0} if inside else {})
    assert share_of(made) == {"US": 1.0}


def test_llm_vlm_is_a_population() -> None:
    made = shares(
        *listing(
            model("us-lab/a", 10, pipeline_tag="text-generation"),
            model("cn-lab/b", 10, pipeline_tag="any-to-any"),
            model("de-lab/c", 80, pipeline_tag="sentence-similarity"),
            model("de-lab/d", 100),
        )
    )
    assert share_of(made, population="llm_vlm") == {"US": 0.5, "CN": 0.5}
    assert share_of(made)["DE"] == 0.9


TAGS = [None, "text-generation", "image-text-to-text", "feature-extraction"]
AUTHORS = [*LABS, "stranger"]


@st.composite
def listings(draw: st.DrawFn, with_parents: bool = True) -> list[Row]:
    """Two sweeps of a few models: any author, age, task, counter and lineage."""
    authors = draw(st.lists(st.sampled_from(AUTHORS), min_size=1, max_size=6))
    names = [f"{a}/m{i}" for i, a in enumerate(authors)]
    pool = st.sampled_from([*names, "cn-lab/gone", "stranger/gone"])
    counter = st.none() | st.integers(0, 1000)
    age = st.none() | st.integers(300 * 24, 420 * 24).map(lambda h: timedelta(hours=h))
    models = []
    for name in names:
        created = draw(age)
        fixed = {
            "created_at": created and datetime(DAY.year, DAY.month, DAY.day) - created,
            "pipeline_tag": draw(st.sampled_from(TAGS)),
            "parents": draw(st.lists(pool, max_size=3)) if with_parents else [],
        }
        for day in (BEFORE, DAY):
            models += listing({**model(name, draw(counter)), **fixed}, day=day)
    return models


def country_on(name: str, day: date) -> str:
    held = LABS.get(name.partition("/")[0], "XX")
    return (
        held if isinstance(held, str) else next(c for c, a, b in held if a <= day < (b or date.max))
    )


def is_member(row: Row, population: str) -> bool:
    created, day = row.get("created_at"), row["snapshot_date"]
    assert isinstance(day, date)
    return {
        "all": True,
        "llm_vlm": row["pipeline_tag"] in ("text-generation", "image-text-to-text"),
        "created_1y": isinstance(created, datetime)
        and day - timedelta(days=364) <= created.date() <= day,
    }[population]


def counted(models: Sequence[Row]) -> dict[tuple[Any, ...], tuple[Fraction, int]]:
    """(day, population, attribution, credit, country) -> (numerator, models), one by one."""
    graph = {
        str(m["model_id_hf"]): [
            p["id"] for p in json.loads(str(m["base_models_json"] or '{"models": []}'))["models"]
        ]
        for m in models
    }
    ends: dict[str, dict[str, Fraction]] = defaultdict(dict)
    for (start, root), (weight, _, _) in walked(graph).items():
        ends[start][root] = weight
    sums: dict[tuple[Any, ...], tuple[Fraction, int]] = defaultdict(lambda: (Fraction(0), 0))
    for row in (m for m in models if m["downloads_30d"] is not None):
        name, day, downloads = str(row["model_id_hf"]), row["snapshot_date"], row["downloads_30d"]
        assert isinstance(day, date)
        assert isinstance(downloads, int)
        for attribution, held in (("publisher", {name: Fraction(1)}), ("base", ends[name])):
            parts: dict[str, Fraction] = defaultdict(Fraction)
            for root, weight in held.items():
                parts[country_on(root, day)] += weight
            for population in ("all", "llm_vlm", "created_1y"):
                if not is_member(row, population):
                    continue
                for country, part in parts.items():
                    for credit, one in (("full", Fraction(1)), ("fractional", part)):
                        key = (day, population, attribution, credit, country)
                        numerator, n = sums[key]
                        sums[key] = (numerator + one * downloads, n + 1)
    return sums


@pytest.mark.slow
@PROPERTY
@given(listings(), st.integers(0, 2**16))
def test_shares_equal_those_of_a_loop_over_models(models: list[Row], seed: int) -> None:
    made = shares(*models)
    expected = counted(models)
    keys = ["as_of_date", "population", "attribution", "credit", "country_code"]
    found = {
        tuple(r[k] for k in keys): (r["numerator"], r["n_models"], r["denominator"])
        for r in made.iter_rows(named=True)
    }
    for key, (numerator, n) in expected.items():
        whole = sum(
            int(str(m["downloads_30d"] or 0))
            for m in models
            if m["snapshot_date"] == key[0] and is_member(m, key[1])
        )
        if whole:
            assert found.pop(key) == (pytest.approx(float(numerator)), n, whole)
    assert not found, "rows that nobody counted"
    mixed = {name: shuffled(frame, seed) for name, frame in REGISTRY.items()}
    again = shares_of(shuffled(hub(models), seed), mixed)
    assert_frame_equal(again, made, check_exact=True)


@PROPERTY
@given(listings())
def test_shares_add_up_and_their_bounds_enclose_them(models: list[Row]) -> None:
    made = shares(*models)
    total = made.filter(credit="fractional").group_by(GROUP).agg(pl.col("share").sum())
    assert total["share"].to_list() == pytest.approx([1.0] * total.height, abs=1e-9)
    beyond = made.filter(
        (pl.col("share_lower") > pl.col("share") + 1e-9)
        | (pl.col("share") > pl.col("share_upper") + 1e-9)
        | (pl.col("share_upper") > 1 + 1e-9)
    )
    assert beyond.is_empty()
    both = made.pivot("credit", index=[*GROUP[:-1], "country_code", "n_models"], values="share")
    if not both.is_empty():
        assert (both["full"] >= both["fractional"] - 1e-12).all()
        assert both["full"].null_count() == both["fractional"].null_count() == 0


@PROPERTY
@given(listings(with_parents=False))
def test_publisher_and_base_agree_where_no_model_declares_a_parent(models: list[Row]) -> None:
    made = shares(*models)
    publisher, base = (
        made.filter(attribution=a).drop("attribution", "lineage_coverage").sort(pl.all())
        for a in ("publisher", "base")
    )
    assert_frame_equal(publisher, base, check_exact=True)


def test_shares_of_many_models_are_bit_identical_in_any_order() -> None:
    authors = ["us-lab", "cn-lab", "de-lab", "nowhere", "stranger"]
    top = [f"{authors[i % 5]}/top{i}" for i in range(40)]
    middle = [f"{authors[i % 3]}/middle{i}" for i in range(200)]
    models = [model(name, 1000 + i) for i, name in enumerate(top)]
    models += [
        model(name, 7 * i, parents=[top[(i * k) % 40] for k in range(1, 2 + i % 7)])
        for i, name in enumerate(middle)
    ]
    models += [
        model(f"de-lab/low{i}", 3 * i, parents=[middle[(i * k) % 200] for k in range(1, 2 + i % 7)])
        for i in range(1500)
    ]
    found = hub(listing(*models))
    made = shares_of(found)
    for seed in range(4):
        assert_frame_equal(shares_of(found), made, check_exact=True)
        assert_frame_equal(shares_of(shuffled(found, seed)), made, check_exact=True)
