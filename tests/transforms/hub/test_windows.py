"""Shares in windows of time: made-up models of known downloads, and defects of counters."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.frames import PROPERTY, everything, registry, rows
from tests.support.study_file import Model, raw_counters

END = date(2025, 8, 27)
START = END - timedelta(days=365)
TABLE = "mart.country_share_window"
NAMES = {"China": "CN", "United States of America": "US", "user": "ZZ", None: "XX"}
LABS = {"cn": "CN", "us": "US", "zz": "ZZ"}
AUTHORS = {"China": "cn", "United States of America": "us", "user": "zz", None: "nobody"}
DIFFERENCES, OF_NEW = "counter_differences", "counters_of_new_models"


def flat(rate: int) -> Callable[[date], int]:
    return lambda day: rate


def model(number: int, country: str | None, created: date, rate: int) -> Model:
    return Model(f"{AUTHORS[country]}/m{number}", country, created, flat(rate))


def shares(models: Iterable[Model], days: Iterable[date], **raw: pl.LazyFrame) -> pl.DataFrame:
    counters = raw_counters(models, days)
    given = {"raw_hub_evolution_counters": counters, **registry(LABS), **raw}
    return everything(END, {TABLE}, **given)[TABLE]


def of(made: pl.DataFrame, **cut: Any) -> dict[str, dict[str, Any]]:
    """The rows of one window by country."""
    about = {"window_end": END, "window_start": START, "credit": "fractional", **cut}
    found = made.filter(pl.col(c) == v for c, v in about.items())
    return {row["country_code"]: row for row in found.iter_rows(named=True)}


def truth(models: Iterable[Model], count: Callable[[Model], int]) -> dict[str, int]:
    """Downloads by country, model by model."""
    sums: dict[str, int] = {}
    for m in models:
        sums[NAMES[m.country]] = sums.get(NAMES[m.country], 0) + count(m)
    return {code: n for code, n in sums.items() if n}


OLD = model(99, "user", START - timedelta(days=900), 1)  # there from the beginning
MODELS = st.lists(
    st.tuples(st.sampled_from(list(NAMES)), st.integers(-800, 364), st.integers(1, 1000)),
    min_size=2,
    max_size=6,
).map(
    lambda found: [
        OLD,
        *(model(i, c, START + timedelta(days=d + 1), r) for i, (c, d, r) in enumerate(found)),
    ]
)


def turning(models: Iterable[Model]) -> list[date]:
    """The first and last day of the window, and those on which a model turns a year old in it."""
    days = {m.created + timedelta(days=364) for m in models}
    return sorted({START, END, *(d for d in days if START < d < END)})


@PROPERTY
@given(MODELS)
def test_differences_of_counters_are_the_downloads_of_every_population(models: list[Model]) -> None:
    made = shares(models, turning(models))
    counts: dict[str, Callable[[Model], int]] = {
        "all": lambda m: m.between(START, END),
        "created_in_window": lambda m: m.between(START, END) if m.created > START else 0,
        "created_1y": lambda m: m.young_between(START, END),
    }
    for population, count in counts.items():
        due = truth(models, count)
        for attribution in ("publisher", "study_publisher", "study_base"):
            cut = of(made, population=population, attribution=attribution, basis=DIFFERENCES)
            assert {c: row["downloads"] for c, row in cut.items() if row["downloads"]} == due
            for row in cut.values():
                assert row["share"] == pytest.approx(row["downloads"] / sum(due.values()))
                assert row["share_lower"] - 1e-12 <= row["share"] <= row["share_upper"] + 1e-12


@PROPERTY
@given(MODELS)
def test_one_copy_of_the_last_day_counts_the_models_created_in_the_window(
    models: list[Model],
) -> None:
    """The identity: its counters are all their downloads; older young models are in the bounds."""
    made = shares(models, [END])
    new = truth(models, lambda m: m.between(START, END) if m.created > START else 0)
    young = truth(models, lambda m: m.young_between(START, END))
    for population in ("created_in_window", "created_1y"):
        cut = of(made, population=population, attribution="study_publisher")
        assert {row["basis"] for row in cut.values()} <= {OF_NEW}
        assert {c: row["downloads"] for c, row in cut.items() if row["downloads"]} == new
    if not new:
        return
    for code, row in cut.items():  # created_1y
        true = young.get(code, 0) / sum(young.values())
        assert row["share_lower"] - 1e-12 <= true <= row["share_upper"] + 1e-12


@PROPERTY
@given(MODELS, st.sets(st.integers(1, 364), max_size=12))
def test_both_bases_agree_on_models_created_in_the_window(
    models: list[Model], between: set[int]
) -> None:
    days = [START, *(START + timedelta(days=n) for n in sorted(between)), END]
    made = shares(models, days)
    cut = {"population": "created_in_window", "attribution": "publisher"}
    one, both = (
        {
            c: (r["downloads"], r["denominator"], r["n_models"], r["share"])
            for c, r in of(made, basis=b, **cut).items()
        }
        for b in (OF_NEW, DIFFERENCES)
    )
    assert one == both
    young = truth(models, lambda m: m.young_between(START, END))
    for basis in (OF_NEW, DIFFERENCES):
        for code, row in of(
            made, basis=basis, population="created_1y", attribution="study_base"
        ).items():
            true = young.get(code, 0) / max(1, sum(young.values()))
            assert row["share_lower"] - 1e-12 <= true <= row["share_upper"] + 1e-12
            assert row["share_lower"] - 1e-12 <= row["share"] <= row["share_upper"] + 1e-12


# --- defects --------------------------------------------------------------------------------------


def counters(**by_day: list[Any]) -> pl.DataFrame:
    """core.hub_all_time_counters of two models; arguments d0528=[counter, counter]."""
    found = [
        {
            "line": line * 10 + number,
            "model_id_hf": f"cn/{'ab'[number]}",
            "as_of_date": date(2025, int(day[1:3]), int(day[3:])),
            "created_at": None,
            "downloads_all_time": counter,
        }
        for line, (day, both) in enumerate(by_day.items(), start=1)
        for number, counter in enumerate(both)
        if counter is not None
    ]
    raw = rows("raw.hub_evolution_counters", *found, snapshot_id="x", snapshot_date=END)
    return everything(END, {"core.hub_all_time_days"}, raw_hub_evolution_counters=raw)[
        "core.hub_all_time_counters"
    ]


def test_days_that_repeat_one_state_are_flagged_with_its_first_day() -> None:
    made = counters(
        d0521=[900, 500], d0528=[1000, 600], d0611=[1000, 600], d0702=[1000, 600], d0709=[2000, 700]
    )
    repeats = dict(made.select("as_of_date", "repeats_date").unique().rows())
    first = date(2025, 5, 28)
    assert repeats == {
        date(2025, 5, 21): None, first: None,
        date(2025, 6, 11): first, date(2025, 7, 2): first, date(2025, 7, 9): None,
    }  # fmt: skip


def test_a_repeated_state_is_no_end_of_a_window() -> None:
    models = [model(1, "China", date(2025, 1, 1), 1000), model(2, "user", date(2025, 1, 1), 100)]
    days = [END - timedelta(days=n) for n in (60, 30, 3)]
    late = raw_counters(models, days).collect()
    again = late.filter(pl.col("as_of_date") == days[-1]).with_columns(
        as_of_date=pl.lit(END), line=pl.col("line") + 1000
    )
    raw = pl.concat([late, again]).lazy()
    built = everything(END, {TABLE}, raw_hub_evolution_counters=raw, **registry(LABS))
    assert END not in built[TABLE]["last_counter_on"].to_list()
    assert not built["core.hub_all_time_days"].filter(pl.col("as_of_date") == END)["is_usable"][0]


def test_a_fall_and_a_jump_are_flagged_and_not_repaired() -> None:
    made = counters(
        d0101=[10_000_000, 5_000],
        d0201=[10_100_000, 4_000],
        d0301=[15_100_000, 6_000],
        d0401=[15_200_000, 7_000],
    )
    flags = made.filter(pl.col("is_fall") | pl.col("is_jump"))
    assert flags.select("as_of_date", "model_id_hf", "is_fall", "is_jump").rows() == [
        (date(2025, 2, 1), "cn/b", True, False),
        (date(2025, 3, 1), "cn/a", False, True),
    ]
    assert flags["downloads_all_time"].to_list() == [4_000, 15_100_000]


def test_growth_that_lasts_is_no_jump() -> None:
    made = counters(d0101=[0, 1], d0201=[100_000, 2], d0301=[3_000_000, 3], d0401=[6_000_000, 4])
    assert not made["is_jump"].any()


def test_a_counter_before_the_creation_of_its_model_is_flagged() -> None:
    early = rows(
        "raw.hub_evolution_counters",
        {"line": 1, "model_id_hf": "cn/a", "as_of_date": date(2025, 5, 28), "downloads_all_time": 7,
         "created_at": datetime(2025, 5, 29)},
        snapshot_id="x", snapshot_date=END,
    )  # fmt: skip
    built = everything(END, {"core.hub_all_time_days"}, raw_hub_evolution_counters=early)
    assert built["core.hub_all_time_counters"]["is_before_creation"].to_list() == [True]
    assert built["core.hub_all_time_days"]["n_before_creation"].to_list() == [1]


# --- windows, panels, annotations -----------------------------------------------------------------


def test_models_without_a_first_counter_are_in_the_bounds_and_in_no_sum() -> None:
    old, late = model(1, "China", date(2023, 1, 1), 10), model(2, "user", date(2023, 1, 1), 30)
    us = model(3, "United States of America", date(2023, 1, 1), 10)
    raw = raw_counters([old, late, us], [START, END]).filter(
        ~((pl.col("model_id_hf") == late.name) & (pl.col("as_of_date") == START))
    )
    made = everything(END, {TABLE}, raw_hub_evolution_counters=raw, **registry(LABS))[TABLE]
    cut = of(made, population="all", attribution="study_publisher", basis=DIFFERENCES)
    assert {c: r["downloads"] for c, r in cut.items()} == {"CN": 3650, "US": 3650, "ZZ": 0}
    assert cut["CN"]["n_models_without_first"] == 1
    assert cut["CN"]["downloads_without_first"] == late.counter(END)
    assert cut["CN"]["share"] == 0.5
    assert cut["CN"]["share_lower"] == pytest.approx(3650 / (7300 + late.counter(END)))


def test_the_study_is_whole_if_its_models_are_annotated() -> None:
    annotated = [model(n, "China", date(2025, 1, 1), 5) for n in range(3)]
    bare = [Model(m.name, None, m.created, m.per_day) for m in annotated]
    made = {k: shares(m, [START, END]) for k, m in (("study", annotated), ("excerpt", bare))}
    for panel, frame in made.items():
        assert set(frame["panel"]) == {panel}
        assert set(frame["is_whole"]) == {panel == "study"}


def test_several_countries_of_an_annotation_have_equal_parts() -> None:
    mixed = Model("x/m", "China, United States of America", date(2025, 1, 1), flat(10))
    made = shares([mixed], [END])
    about = {"population": "created_in_window", "attribution": "study_publisher"}
    assert {c: r["share"] for c, r in of(made, **about).items()} == {"CN": 0.5, "US": 0.5}
    full = of(made, **{**about, "credit": "full"})
    assert {c: r["share"] for c, r in full.items()} == {"CN": 1.0, "US": 1.0}
