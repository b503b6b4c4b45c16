"""Shares under every definition: who is counted, what is counted, who gets it, how sure it is."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import cache
from statistics import median
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.frames import DAY, PROPERTY, REVIEWED, Row, all_countries, everything, rows

KINDS = {
    "us-lab": ("lab", "US"),
    "cn-lab": ("lab", "CN"),
    "uni": ("academia", "DE"),
    "club": ("community", "FR"),
    "packer": ("requantizer", "US"),
    "person": ("individual", "ZZ"),
    "tests": ("ci", "US"),
}
POPULATIONS = {"all", "llm_vlm", "created_1y", "first_party", "without_ci", "without_spikes"}
METRICS = {"downloads_30d", "downloads_all_time", "likes", "models", "new_models_30d"}
DEFINITION = ["as_of_date", "population", "metric", "metric_window", "attribution"]
FEW = settings(PROPERTY, max_examples=25)


@cache
def registry() -> dict[str, pl.LazyFrame]:
    """One name and one lab of every kind."""
    ever = {**REVIEWED, "valid_from": date(1900, 1, 1)}
    labs = [
        {"lab_id": f"{name}-id", "kind": kind, "country_code": code}
        for name, (kind, code) in KINDS.items()
    ]
    names = [
        {"namespace": name, "lab_id": f"{name}-id", "kind": kind}
        for name, (kind, _) in KINDS.items()
    ]
    return {
        "raw_registry_labs": rows("raw.registry_labs", *labs, **ever | {"lab_name": "A lab"}),
        "raw_registry_namespaces": rows(
            "raw.registry_namespaces", *names, **ever | {"system": "hub"}
        ),
        "raw_registry_countries": all_countries(),
    }


def model(name: str, downloads: int | None = 1, *parents: str, **more: Any) -> Row:
    field = {"models": [{"id": p} for p in parents]}
    return {
        "model_id_hf": name,
        "author": name.partition("/")[0],
        "downloads_30d": downloads,
        "base_models_json": json.dumps(field) if parents else None,
        "snapshot_date": DAY,
        **more,
    }


def marts(*models: Row) -> dict[str, pl.DataFrame]:
    """Every table behind the shares, by name."""
    filled = [{"snapshot_id": f"hub/{m['snapshot_date']}", **m} for m in models]
    raw = rows("raw.hub_models", *filled, file_name="000001.json")
    wanted = {"mart.country_share_daily", "mart.lab_share_daily", "mart.attribution_range"}
    return everything(DAY, wanted, raw_hub_models=raw, **registry())


def numerators(
    made: dict[str, pl.DataFrame],
    population: str = "all",
    metric: str = "downloads_30d",
    attribution: str = "publisher",
    credit: str = "fractional",
    day: date = DAY,
) -> dict[str, float]:
    """Country -> numerator under one definition."""
    one = made["mart.country_share_daily"].filter(
        as_of_date=day, population=population, metric=metric, attribution=attribution,
        credit=credit,
    )  # fmt: skip
    return dict(one.select("country_code", "numerator").iter_rows())


# ---- populations ----------------------------------------------------------------------------


@cache
def one_of_each() -> dict[str, pl.DataFrame]:
    """A model of every kind of uploader, with distinct numbers of downloads."""
    names = [*KINDS, "stranger"]
    return marts(*(model(f"{name}/m", 10**i) for i, name in enumerate(names)))


def test_first_party_is_labs_universities_and_communities() -> None:
    assert numerators(one_of_each(), "first_party") == {"US": 1, "CN": 10, "DE": 100, "FR": 1000}


def test_first_party_depends_on_the_uploader_not_on_the_root() -> None:
    made = marts(model("packer/quant", 5, "cn-lab/base"), model("us-lab/tuned", 3, "cn-lab/base"))
    assert numerators(made, "first_party", attribution="base") == {"CN": 3}
    assert numerators(made, "all", attribution="base") == {"CN": 8}


def test_without_ci_excludes_test_fixtures_and_includes_unexamined_names() -> None:
    everybody = numerators(one_of_each())
    without = numerators(one_of_each(), "without_ci")
    assert everybody["US"] - without["US"] == 10**6
    assert without["XX"] == 10**7
    assert {k: v for k, v in everybody.items() if k != "US"} == {
        k: v for k, v in without.items() if k != "US"
    }


def at_midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)


@pytest.mark.parametrize(
    ("age", "new", "young"),
    [
        (timedelta(0), True, True),
        (timedelta(hours=-23, minutes=-59), True, True),  # later on the day itself
        (timedelta(days=-1), False, False),  # tomorrow
        (timedelta(days=29), True, True),  # the first moment of the 30 days
        (timedelta(days=29, seconds=1), False, True),
        (timedelta(days=364), False, True),  # the first moment of the 365 days
        (timedelta(days=364, seconds=1), False, False),
        (None, False, False),
    ],
)
def test_created_1y_and_new_models_30d_include_their_first_and_last_day(
    age: timedelta | None, new: bool, young: bool
) -> None:
    created = at_midnight(DAY) - age if age is not None else None
    made = marts(model("us-lab/m", 7, created_at=created), model("cn-lab/m", 7))
    assert numerators(made, "created_1y") == ({"US": 7} if young else {})
    assert numerators(made, metric="new_models_30d") == ({"US": 1} if new else {})


def daily(name: str, *downloads: int | None, step: int = 1) -> list[Row]:
    """Counters of the last days, the newest last."""
    return [
        model(name, n, snapshot_date=DAY - timedelta(days=step * i))
        for i, n in enumerate(reversed(downloads))
    ]


@pytest.mark.parametrize(
    ("downloads", "step", "is_spike"),
    [
        ((10, 10, 10, 101), 1, True),
        ((10, 10, 10, 100), 1, False),  # ten times is not above ten times
        ((10, 10, 101), 1, False),  # two earlier days say nothing of what is normal
        ((10, None, 10, 101), 1, False),  # a day without counter is no earlier day
        ((10, None, 10, 10, 101), 1, True),
        ((1000, 10, 10, 10, 101), 1, True),  # the median, not the mean
        ((10, 10, 10, 500), 10, True),  # 30, 20 and 10 days before
        ((10, 10, 10, 500), 11, False),  # 33 days before is too long ago
        ((10, 10, 10, 101, 101), 1, True),  # the second day of a spike
        ((10, 10, 10, None), 1, False),
    ],
)
def test_a_spike_is_above_ten_times_the_models_own_recent_median(
    downloads: tuple[int | None, ...], step: int, is_spike: bool
) -> None:
    made = marts(*daily("us-lab/m", *downloads, step=step), *daily("cn-lab/m", 1, 1, 1, 1))
    assert ("US" in numerators(made, "without_spikes")) != (is_spike or downloads[-1] is None)
    assert numerators(made)["CN"] == numerators(made, "without_spikes")["CN"] == 1


@pytest.mark.slow
@FEW
@given(
    st.lists(
        st.none() | st.sampled_from([0, 1, 9, 10, 11, 100, 101, 1000]), min_size=4, max_size=9
    ),
    st.integers(1, 12),
)
def test_spikes_equal_those_found_by_a_loop_over_days(
    downloads: list[int | None], step: int
) -> None:
    made = marts(*daily("us-lab/m", *downloads, step=step))
    days = [DAY - timedelta(days=step * i) for i in range(len(downloads))][::-1]
    for i, (day, now) in enumerate(zip(days, downloads, strict=True)):
        before = [
            n for d, n in zip(days[:i], downloads[:i], strict=True)
            if n is not None and day - d <= timedelta(days=31)
        ]  # fmt: skip
        spike = now is not None and len(before) >= 3 and now > 10 * median(before)
        counted = numerators(made, "without_spikes", "models", day=day)
        assert counted == ({} if spike else {"US": 1}), day


# ---- metrics --------------------------------------------------------------------------------


def test_each_metric_counts_its_own_column_and_has_its_window() -> None:
    made = marts(
        model("us-lab/a", 3, downloads_all_time=70, likes=5, created_at=at_midnight(DAY)),
        model("cn-lab/b", 4, downloads_all_time=20, likes=None),
        model("cn-lab/c", None, downloads_all_time=10, likes=6),
    )
    found = {m: numerators(made, metric=m) for m in METRICS}
    assert found == {
        "downloads_30d": {"US": 3, "CN": 4},
        "downloads_all_time": {"US": 70, "CN": 30},
        "likes": {"US": 5, "CN": 6},
        "models": {"US": 1, "CN": 2},
        "new_models_30d": {"US": 1},
    }
    windows = made["mart.country_share_daily"].select("metric", "metric_window").unique().rows()
    assert dict(windows) == {m: "30d" if m.endswith("30d") else "all_time" for m in METRICS}
    counts = made["mart.country_share_daily"].filter(population="all", attribution="publisher")
    shown = counts.select("metric", "n_models_population", "n_models_without_counter").unique()
    assert {m: (n, without) for m, n, without in shown.rows()} == {
        "downloads_30d": (2, 1),
        "downloads_all_time": (3, 0),
        "likes": (2, 1),
        "models": (3, 0),
        "new_models_30d": (1, 2),
    }


def test_an_unrecorded_metric_has_no_share() -> None:
    made = marts(model("us-lab/a", 3), model("cn-lab/b", 1))
    shown = set(made["mart.country_share_daily"]["metric"])
    assert shown == {"downloads_30d", "models"}  # all-time counters, likes and dates are null


def test_a_zero_is_counted_and_a_null_is_not() -> None:
    made = marts(model("us-lab/a", 3), model("cn-lab/zero", 0), model("uni/null", None))
    assert numerators(made) == {"US": 3, "CN": 0}


# ---- any listing ----------------------------------------------------------------------------

AUTHORS = [*KINDS, "stranger"]
BEFORE = DAY - timedelta(days=40)


@st.composite
def listings(draw: st.DrawFn) -> list[Row]:
    """Two days of a few models of any uploader, counter, age, task and lineage.

    Every model says what its parents are, also that there are none: else by base less is known.
    """
    names = [
        f"{a}/m{i}"
        for i, a in enumerate(draw(st.lists(st.sampled_from(AUTHORS), min_size=1, max_size=7)))
    ]
    parents = st.lists(st.sampled_from([*names, "cn-lab/gone", "stranger/gone"]), max_size=3)
    counter = st.none() | st.integers(0, 1000)
    models = []
    for name in names:
        age = draw(st.none() | st.integers(0, 400))
        fixed: dict[str, Any] = {
            "created_at": at_midnight(DAY) - timedelta(days=age) if age is not None else None,
            "pipeline_tag": draw(st.sampled_from([None, "text-generation", "fill-mask"])),
        }
        declared = draw(parents)
        fixed["base_models_json"] = json.dumps({"models": [{"id": p} for p in declared]})
        for day in (BEFORE, DAY):
            counters = {c: draw(counter) for c in ("likes", "downloads_all_time")}
            models.append(model(name, draw(counter), snapshot_date=day, **fixed, **counters))
    return models


def by(frame: pl.DataFrame, keys: Sequence[str]) -> dict[tuple[Any, ...], list[dict[str, Any]]]:
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in frame.iter_rows(named=True):
        groups[tuple(row[k] for k in keys)].append(row)
    return groups


@pytest.mark.slow
@FEW
@given(listings())
def test_invariants_of_shares_on_drawn_listings(models: list[Row]) -> None:
    made = marts(*models)
    country, lab = made["mart.country_share_daily"], made["mart.lab_share_daily"]
    whole = whole_of(models)
    assert_parts_make_the_whole(country, whole)
    assert_full_is_no_less(country)
    assert_bounds_enclose(country)
    assert_labs_make_the_whole(lab, whole)
    assert_concentration(country, lab)
    assert_ranges(country, made["mart.attribution_range"])


def whole_of(models: Sequence[Row]) -> dict[tuple[Any, ...], tuple[float, int]]:
    """(day, metric) -> sum over all models and how many have it: the raw listing, added up."""
    sums: dict[tuple[Any, ...], tuple[float, int]] = defaultdict(lambda: (0.0, 0))
    for m in models:
        values: dict[str, Any] = {
            c: m.get(c) for c in ("downloads_30d", "downloads_all_time", "likes")
        }
        day, created = m["snapshot_date"], m.get("created_at")
        assert isinstance(day, date)
        is_new = isinstance(created, datetime) and timedelta(0) <= (
            at_midnight(day) - created
        ) < timedelta(days=30)
        values |= {"models": 1, "new_models_30d": 1 if is_new else None}
        for metric, value in values.items():
            total, n = sums[day, metric]
            sums[day, metric] = (total, n) if value is None else (total + value, n + 1)
    return sums


def assert_parts_make_the_whole(
    country: pl.DataFrame, whole: dict[tuple[Any, ...], tuple[float, int]]
) -> None:
    """No row is lost between the raw listing and the mart, none is counted twice."""
    groups = by(country, [*DEFINITION, "credit"])
    for (day, population, metric, _, _, credit), found in groups.items():
        total = sum(r["numerator"] for r in found)
        assert {r["denominator"] for r in found} == {found[0]["denominator"]}
        if credit == "fractional":
            assert total == pytest.approx(found[0]["denominator"], rel=1e-9)
            assert sum(r["share"] for r in found) == pytest.approx(1, abs=1e-9)
        if population == "all":
            expected, n = whole[day, metric]
            assert (found[0]["denominator"], found[0]["n_models_population"]) == (expected, n)
        assert sum(r["n_models"] for r in found) >= found[0]["n_models_population"]
    shown = {(d, m) for d, p, m, *_ in groups if p == "all"}
    assert shown == {key for key, (total, _) in whole.items() if total > 0}
    publishers = country.filter(attribution="publisher", credit="full")
    for found in by(publishers, DEFINITION).values():
        assert sum(r["n_models"] for r in found) == found[0]["n_models_population"]


def assert_full_is_no_less(country: pl.DataFrame) -> None:
    for found in by(country, [*DEFINITION, "country_code"]).values():
        shares = {r["credit"]: r["share"] for r in found}
        assert set(shares) == {"full", "fractional"}
        assert shares["full"] >= shares["fractional"] - 1e-12


def assert_bounds_enclose(country: pl.DataFrame) -> None:
    for found in by(country, [*DEFINITION, "credit"]).values():
        doubt = sum(r["share"] for r in found if r["country_code"] in ("ZZ", "XX"))
        for r in found:
            assert -1e-12 <= r["share_lower"] <= r["share"] + 1e-12
            assert r["share"] <= r["share_upper"] + 1e-12 <= 1 + 1e-9
            known = r["country_code"] not in ("ZZ", "XX")
            assert r["share_lower"] == (r["share"] if known else 0)
            upper = doubt + r["share"] if known else doubt
            assert r["share_upper"] == pytest.approx(min(upper, 1), abs=1e-12)


def assert_labs_make_the_whole(
    lab: pl.DataFrame, whole: dict[tuple[Any, ...], tuple[float, int]]
) -> None:
    for (day, population, metric, *_), found in by(lab, DEFINITION).items():
        assert sum(r["share"] for r in found) == pytest.approx(1, abs=1e-9)
        if population == "all":
            assert found[0]["denominator"] == whole[day, metric][0]
        for r in found:
            assert r["is_examined"] == (r["lab_id"] != "unexamined")
            code = KINDS[r["lab_id"].removesuffix("-id")][1] if r["is_examined"] else "XX"
            assert r["country_code"] == code


def assert_concentration(country: pl.DataFrame, lab: pl.DataFrame) -> None:
    """Herfindahl index and top lab of every group, against the labs one by one."""
    labs = by(lab.filter(pl.col("is_examined")), DEFINITION)
    for key, found in by(country, DEFINITION).items():
        held = sorted(labs.get(key, []), key=lambda r: (-r["share"], r["lab_id"]))
        shown = {(r["herfindahl_labs"], r["top_lab_id"], r["top_lab_share"]) for r in found}
        ((index, top, share),) = shown
        if not held:
            assert (index, top, share) == (None, None, None)
            continue
        assert index == pytest.approx(sum(r["share"] ** 2 for r in held), abs=1e-12)
        assert (top, share) == (held[0]["lab_id"], held[0]["share"])


def assert_ranges(country: pl.DataFrame, ranges: pl.DataFrame) -> None:
    """Every range against all its definitions; one without the country says nothing of it: 0."""
    expected: dict[tuple[Any, ...], list[tuple[float, str, float, float]]] = {}
    groups = by(country, ["as_of_date", "metric", "population", "attribution", "credit"])
    for (day, metric, population, *_), _ in groups.items():
        for scope in (population, "any"):
            within = {
                key: found for key, found in groups.items()
                if key[:2] == (day, metric) and scope in (key[2], "any")
            }  # fmt: skip
            for code in {r["country_code"] for found in within.values() for r in found}:
                expected[day, scope, metric, code] = [
                    one_definition(key, found, code) for key, found in within.items()
                ]
    shown = by(ranges, ["as_of_date", "population", "metric", "country_code"])
    assert set(shown) == set(expected)
    for key, each in expected.items():
        ((row,),) = (shown[key],)
        assert row["n_definitions"] == len(each)
        shares = {name: share for share, name, _, _ in each}
        assert (row["share_lowest"], row["share_highest"]) == (
            min(shares.values()), max(shares.values())
        )  # fmt: skip
        assert shares[row["definition_lowest"]] == row["share_lowest"]
        assert shares[row["definition_highest"]] == row["share_highest"]
        assert row["share_lower"] == min(e[2] for e in each)
        assert row["share_upper"] == pytest.approx(max(e[3] for e in each), abs=1e-12)


def one_definition(
    key: tuple[Any, ...], found: Sequence[dict[str, Any]], code: str
) -> tuple[float, str, float, float]:
    """(share, name, lower, upper) of a country under one definition."""
    name = ", ".join(key[2:])
    own = [r for r in found if r["country_code"] == code]
    if own:
        return own[0]["share"], name, own[0]["share_lower"], own[0]["share_upper"]
    doubt = sum(r["share"] for r in found if r["country_code"] in ("ZZ", "XX"))
    return 0.0, name, 0.0, min(doubt, 1.0)


def test_a_country_without_a_model_has_no_row() -> None:
    made = marts(model("packer/quant", 60, "cn-lab/base"), model("stranger/x", 40))
    ranges = made["mart.attribution_range"].filter(metric="downloads_30d", population="all")
    found = {
        r["country_code"]: (r["share_lowest"], r["share_highest"], r["share_upper"])
        for r in ranges.iter_rows(named=True)
    }
    assert found["CN"] == (0.0, 0.6, pytest.approx(1.0))
    assert found["US"] == (0.0, 0.6, pytest.approx(1.0))
    assert found["XX"] == (0.4, 0.4, 0.4)
    names = dict(ranges.select("country_code", "definition_lowest").iter_rows())
    assert names["CN"].startswith("all, publisher, ")
    assert names["US"].startswith("all, base, ")


def test_a_definition_without_the_country_still_widens_its_range() -> None:
    made = marts(
        model("uni/tuned", 10, "stranger/base"), model("us-lab/tuned", 90, "stranger/other")
    )
    ranges = made["mart.attribution_range"].filter(
        metric="downloads_30d", population="all", country_code="DE"
    )
    found = ranges.select("share_lowest", "share_highest", "share_lower", "share_upper").row(0)
    assert found == (0.0, 0.1, 0.0, 1.0)


def test_every_population_and_metric_has_shares_if_all_is_recorded() -> None:
    full = {"downloads_all_time": 5, "likes": 5, "created_at": at_midnight(DAY)}
    made = marts(model("us-lab/a", 3, pipeline_tag="text-generation", **full))
    country = made["mart.country_share_daily"]
    assert country.height == len(POPULATIONS) * len(METRICS) * 2 * 2
    assert set(country["population"]) == POPULATIONS
    publisher = country.filter(pl.col("attribution") == "publisher")
    assert set(publisher["share"]) == {1.0}
    assert set(made["mart.attribution_range"]["population"]) == {*POPULATIONS, "any"}
