"""Hub: models, counters, lineage, attribution and shares, by hand and against slow references."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
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
    all_countries,
    compute,
    registry,
    rows,
    shuffled,
    table_of,
)

BEFORE = DAY - timedelta(days=8)
MOVED = DAY - timedelta(days=3)
GROUP = ["as_of_date", "population", "metric", "metric_window", "attribution", "credit"]

LABS: dict[str, Any] = {
    "us-lab": "US",
    "cn-lab": "CN",
    "de-lab": "DE",
    "nowhere": "ZZ",
    "mover": [("FR", date(1900, 1, 1), MOVED), ("SG", MOVED, None)],
}
REGISTRY = registry(LABS)


def listing(*models: Row, day: date = DAY) -> list[Row]:
    """One sweep: `parents` become the field `baseModels`, the author is what the id says."""
    return [_listed(dict(model), day) for model in models]


def _listed(model: dict[str, object], day: date) -> Row:
    name = str(model["model_id_hf"])
    parents = model.pop("parents", None)
    declared = {"relation": "finetune", "models": [{"_id": "0", "id": p} for p in parents or ()]}  # type: ignore[attr-defined]
    return {
        "snapshot_id": f"hub/{day}",
        "snapshot_date": day,
        "file_name": "000001.json",
        "author": name.rpartition("/")[0] or None,
        "base_models_json": json.dumps(declared) if parents else None,
        **model,
    }


def hub(models: Sequence[Row]) -> pl.LazyFrame:
    return rows("raw.hub_models", *models)


def model(name: str, downloads: int | None = 1, parents: Sequence[str] = (), **more: Any) -> Row:
    return {"model_id_hf": name, "downloads_30d": downloads, "parents": list(parents), **more}


def shares(*models: Row, labs: Mapping[str, pl.LazyFrame] = REGISTRY) -> pl.DataFrame:
    """mart.country_share_daily of one or more sweeps."""
    return shares_of(hub(models), labs)


def shares_of(found: pl.LazyFrame, labs: Mapping[str, pl.LazyFrame] = REGISTRY) -> pl.DataFrame:
    """Of 30-day downloads, in the three populations that need no kinds of namespaces."""
    # Every record holds its whole list of tags, so that its lineage is recorded.
    recorded = found.with_columns(pl.col("tags_json").fill_null('["region:us"]'))
    made = table_of("mart.country_share_daily", **labs, raw_hub_models=recorded)
    return made.filter(
        pl.col("metric") == "downloads_30d",
        pl.col("population").is_in(["all", "llm_vlm", "created_1y"]),
    )


def share_of(
    frame: pl.DataFrame,
    population: str = "all",
    attribution: str = "publisher",
    credit: str = "fractional",
    day: date = DAY,
) -> dict[str, float]:
    one = frame.filter(
        as_of_date=day, population=population, attribution=attribution, credit=credit
    )
    return dict(one.select("country_code", "share").iter_rows())


# ---- attributes and counters ----------------------------------------------------------------


def test_a_model_keeps_the_newest_value_that_was_recorded() -> None:
    first = listing(
        model(
            "a/x", pipeline_tag="text-generation", library_name="old", tags_json='["license:mit"]'
        )
    )
    sweeps = [
        *[{**r, "snapshot_date": BEFORE, "snapshot_id": f"hub/{BEFORE}"} for r in first],
        *listing(model("a/x", library_name="new"), model("a/y", pipeline_tag="fill-mask")),
    ]
    x, y = compute("core.hub_models", raw_hub_models=hub(sweeps)).iter_rows(named=True)
    assert (x["pipeline_tag"], x["library_name"], x["license"]) == ("text-generation", "new", "mit")
    assert (x["first_seen_date"], x["last_seen_date"]) == (BEFORE, DAY)
    assert (y["first_seen_date"], y["license"]) == (DAY, None)
    assert (x["is_llm_vlm"], y["is_llm_vlm"]) == (True, False)


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("text-generation", True),
        ("image-text-to-text", True),
        ("any-to-any", True),
        ("text2text-generation", False),
        ("feature-extraction", False),
        (None, None),
    ],
)
def test_language_models_are_known_by_their_task(tag: str | None, expected: bool | None) -> None:
    made = compute("core.hub_models", raw_hub_models=hub(listing(model("a/x", pipeline_tag=tag))))
    assert made["is_llm_vlm"].to_list() == [expected]


def test_counters_are_kept_as_observed() -> None:
    sweeps = [
        *listing(model("a/x", 10, likes=3), day=BEFORE),
        *listing(model("a/x", None, likes=2)),
    ]
    made = compute("core.hub_daily_counters", raw_hub_models=hub(sweeps))
    assert made.select("as_of_date", "downloads_30d", "likes").rows() == [
        (BEFORE, 10, 3),
        (DAY, None, 2),
    ]


def test_trending_counts_models_alone_and_places_their_labs() -> None:
    strip = [
        {"position": 1, "repo_type": "space", "model_id_hf": "cn-lab/demo", "author": "cn-lab"},
        {"position": 2, "repo_type": "model", "model_id_hf": "CN-Lab/x", "author": "CN-Lab"},
        {"position": 3, "repo_type": "dataset", "model_id_hf": "us-lab/d", "author": "us-lab"},
        {"position": 4, "repo_type": "model", "model_id_hf": "who/y", "author": "who"},
    ]
    raw = rows("raw.hub_trending", *strip, snapshot_id=f"hub_trending/{DAY}", snapshot_date=DAY)
    made = table_of("core.hub_trending", **REGISTRY, raw_hub_trending=shuffled(raw, 3))
    places = made.select(
        "model_position", "model_id_hf", "lab_id_uploader", "country_code_uploader"
    )
    assert places.rows() == [(1, "CN-Lab/x", "cn-lab", "CN"), (2, "who/y", None, "XX")]


def test_several_strips_of_a_day_stay_apart_and_the_last_one_counts() -> None:
    def strip(slot: str, model: str) -> dict[str, Any]:
        at = {"snapshot_id": f"hub_trending/{DAY}T{slot}", "snapshot_date": DAY}
        author = model.split("/", maxsplit=1)[0]
        return {**at, "position": 1, "repo_type": "model", "model_id_hf": model, "author": author}

    raw = rows("raw.hub_trending", strip("1815", "CN-Lab/x"), strip("0015", "us-lab/y"))
    made = table_of("core.hub_trending", **REGISTRY, raw_hub_trending=raw)
    told = made.select("strip", "strip_time", "model_position", "model_id_hf").sort("strip")
    assert told.rows() == [(1, "00:15", 1, "us-lab/y"), (2, "18:15", 1, "CN-Lab/x")]
    mart = table_of("mart.trending_share_daily", **REGISTRY, raw_hub_trending=raw)
    assert set(mart.filter(attribution="publisher")["country_code"]) == {"CN"}


def test_the_registry_has_one_row_for_every_country_and_two_codes_for_none() -> None:
    made = compute("core.countries", raw_registry_countries=all_countries())
    without = made.filter(pl.col("country_code_alpha3").is_null())
    assert without.select("country_code", "country_name").rows() == [
        ("XX", "Not examined yet"),
        ("ZZ", "No single country"),
    ]
    names = dict(made.select("country_code", "country_name").iter_rows())
    assert (names["KR"], names["GB"]) == ("South Korea", "United Kingdom")


# ---- declared parents -----------------------------------------------------------------------


def parents_of(*sweeps: Row) -> list[tuple[Any, ...]]:
    made = compute("core.hub_base_models", raw_hub_models=hub(sweeps))
    return made.drop("declared_base_model_id_hf").rows()


def test_where_the_hub_resolved_a_parent_the_tags_add_none() -> None:
    tags = ["license:mit", "base_model:a/base", "base_model:adapter:a/base", "base_model:a/two"]
    (row,) = listing(model("b/x", parents=["a/base"], tags_json=json.dumps(tags)))
    assert parents_of(row) == [
        ("b/x", "a/base", "finetune", "base_models"),
    ]


def test_tags_alone_declare_parents_and_the_relation_if_they_name_it() -> None:
    tags = ["base_model:merge:a/one", "base_model:a/one", "base_model:a/two"]
    (row,) = listing(model("b/x", tags_json=json.dumps(tags)))
    assert parents_of(row) == [("b/x", "a/one", "merge", "tags"), ("b/x", "a/two", None, "tags")]


def test_no_model_is_its_own_parent_and_case_alone_makes_no_second_parent() -> None:
    found = listing(model("b/X", parents=["B/x"]), model("b/y", parents=["a/Base", "A/base"]))
    ((child, parent, _, _),) = parents_of(*found)
    assert (child, parent.lower()) == ("b/y", "a/base")


def test_parents_come_from_the_newest_sweep_that_declares_any() -> None:
    sweeps = [
        *listing(model("b/x", parents=["a/old"]), model("b/y", parents=["a/kept"]), day=BEFORE),
        *listing(model("b/x", parents=["a/new"]), model("b/y")),
    ]
    assert [row[:2] for row in parents_of(*sweeps)] == [("b/x", "a/new"), ("b/y", "a/kept")]


@pytest.mark.parametrize("declared", ["null", "{}", '{"relation":"merge","models":[]}', '["a/b"]'])
def test_a_field_without_parents_declares_none(declared: str) -> None:
    assert parents_of(*listing(model("b/x", base_models_json=declared))) == []


# ---- roots ----------------------------------------------------------------------------------


def roots(found: pl.LazyFrame) -> pl.DataFrame:
    return table_of("core.hub_model_roots", raw_hub_models=found)


def roots_of(*models: Row, start: str) -> list[tuple[Any, ...]]:
    """(root, weight, depth, end_reason) of one model."""
    made = roots(hub(listing(*models)))
    return made.filter(model_id_hf=start).drop("model_id_hf").rows()


def test_a_chain_ends_at_its_root() -> None:
    chain = [model("a/1"), model("a/2", parents=["a/1"]), model("a/3", parents=["a/2"])]
    assert roots_of(*chain, start="a/1") == [("a/1", 1.0, 0, "root")]
    assert roots_of(*chain, start="a/3") == [("a/1", 1.0, 2, "root")]


def test_two_ways_to_one_root_are_one_root() -> None:
    diamond = [
        model("a/top"),
        model("a/left", parents=["a/top"]),
        model("a/right", parents=["a/top"]),
        model("a/low", parents=["a/left", "a/right", "a/top"]),
    ]
    ((root, weight, depth, reason),) = roots_of(*diamond, start="a/low")
    assert (root, depth, reason) == ("a/top", 2, "root")
    assert weight == pytest.approx(1, abs=1e-12)


def test_a_parent_that_the_listing_lacks_is_a_stub() -> None:
    found = [model("a/top"), model("a/x", parents=["a/top", "Gone/Model"])]
    assert roots_of(*found, start="a/x") == [
        ("Gone/Model", 0.5, 1, "stub"),
        ("a/top", 0.5, 1, "root"),
    ]


def test_a_stub_under_two_spellings_is_one_root() -> None:
    found = [
        model("a/left", parents=["Gone/Model"]),
        model("a/right", parents=["gone/model"]),
        model("a/x", parents=["a/left", "a/right"]),
    ]
    ((root, weight, _, reason),) = roots_of(*found, start="a/x")
    assert (root.lower(), weight, reason) == ("gone/model", 1.0, "stub")


def test_a_parent_that_differs_by_case_alone_is_the_listed_model() -> None:
    found = [model("Org/Top"), model("a/x", parents=["org/TOP"])]
    assert roots_of(*found, start="a/x") == [("Org/Top", 1.0, 1, "root")]


def test_a_self_parent_is_a_root() -> None:
    assert roots_of(model("a/X", parents=["a/x"]), start="a/X") == [("a/X", 1.0, 0, "root")]


@pytest.mark.parametrize("size", [2, 3])
def test_on_a_cycle_every_model_is_its_own_root(size: int) -> None:
    ring = [model(f"a/{i}", parents=[f"a/{(i + 1) % size}"]) for i in range(size)]
    for i in range(size):
        assert roots_of(*ring, start=f"a/{i}") == [(f"a/{i}", 1.0, 0, "cycle")]


def test_a_model_below_a_cycle_keeps_what_the_cycle_would_have() -> None:
    found = [
        model("a/1", parents=["a/2"]),
        model("a/2", parents=["a/1"]),
        model("a/top"),
        model("a/x", parents=["a/1", "a/top"]),
    ]
    assert roots_of(*found, start="a/x") == [("a/top", 0.5, 1, "root"), ("a/x", 0.5, 1, "cycle")]


@pytest.mark.parametrize("steps", [31, 32, 33, 40])
def test_the_walk_is_cut_after_32_steps(steps: int) -> None:
    chain = [model(f"a/{i:03}", parents=[f"a/{i + 1:03}"]) for i in range(steps)]
    ((root, weight, depth, reason),) = roots_of(*chain, model(f"a/{steps:03}"), start="a/000")
    if steps <= 32:
        assert (root, weight, depth, reason) == (f"a/{steps:03}", 1.0, steps, "root")
    else:
        assert (root, weight, depth, reason) == ("a/000", 1.0, 32, "depth")


def test_ways_that_meet_are_walked_once() -> None:
    """Fifteen rungs of sixteen ways each: 2^60 ways from the lowest model to the highest."""
    ladder = [model("a/000")]
    for i in range(15):
        low, high = f"a/{2 * i:03}", f"a/{2 * i + 2:03}"
        sides = [f"a/{2 * i + 1:03}{side}" for side in "abcdefghijklmnop"]
        ladder += [model(side, parents=[low]) for side in sides] + [model(high, parents=sides)]
    ((root, weight, depth, reason),) = roots_of(*ladder, start="a/030")
    assert (root, depth, reason) == ("a/000", 30, "root")
    assert weight == pytest.approx(1, abs=1e-12)


def test_models_that_differ_by_case_alone_have_one_lineage_in_any_order() -> None:
    found = hub(
        listing(model("a/Top"), model("A/top"), model("b/x", parents=["a/top"]), model("B/X"))
    )
    made = roots(found)
    for seed in range(6):
        assert_frame_equal(roots(shuffled(found, seed)), made, check_exact=True)
    assert made.group_by("model_id_hf").agg(pl.col("weight").sum())["weight"].to_list() == [1.0] * 4
    below = made.filter(pl.col("model_id_hf").str.to_lowercase() == "b/x")
    assert below["root_model_id_hf"].n_unique() == 1


# ---- roots of any graph, against an obvious reference -----------------------------------------

NODES = [f"org/m{i}" for i in range(6)]
GONE = ["gone/p", "gone/q"]


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, list[str]]:
    """Some models with up to three parents each: loops, self parents and lost parents included."""
    nodes = NODES[: draw(st.integers(1, len(NODES)))]
    parents = st.lists(st.sampled_from(nodes + GONE), max_size=3)
    return {node: draw(parents) for node in nodes}


def walked(graph: Mapping[str, Sequence[str]]) -> dict[tuple[str, str], tuple[Fraction, int, str]]:
    """(model, root) -> (weight, depth, reason), by following every way; few models, so no cut."""
    up = {m: sorted({p.lower() for p in found} - {m}) for m, found in graph.items()}

    def above(node: str) -> set[str]:
        seen: set[str] = set()
        rest = list(up.get(node, ()))
        while rest:
            if (next_one := rest.pop()) not in seen:
                seen.add(next_one)
                rest += up.get(next_one, ())
        return seen

    cyclic = {node for node in up if node in above(node)}

    def ways(path: list[str], part: Fraction) -> Iterator[tuple[str, Fraction, int, str]]:
        node, steps = path[-1], len(path) - 1
        if node in cyclic:
            yield path[0], part, steps, "cycle"
        elif not up.get(node):
            yield node, part, steps, "root" if node in up else "stub"
        else:
            share = part / len(up[node])
            for parent in up[node]:
                yield from ways([*path, parent], share)

    ends: dict[tuple[str, str], list[tuple[Fraction, int, str]]] = defaultdict(list)
    for start in graph:
        for root, *end in ways([start], Fraction(1)):
            ends[start, root].append(tuple(end))  # type: ignore[arg-type]
    return {
        key: (sum((w for w, _, _ in found), Fraction(0)), max(d for _, d, _ in found), found[0][2])
        for key, found in ends.items()
    }


@PROPERTY
@given(graphs(), st.integers(0, 2**16), st.booleans())
def test_roots_are_those_found_by_following_every_way(
    graph: dict[str, list[str]], seed: int, upper: bool
) -> None:
    spelled = {
        m: [p.upper() if upper and p not in GONE else p for p in g] for m, g in graph.items()
    }
    found = hub(listing(*(model(m, parents=p) for m, p in spelled.items())))
    made = roots(found)
    expected = walked(graph)
    assert {(m, r) for m, r, *_ in made.rows()} == set(expected)
    for start, root, weight, depth, reason in made.rows():
        exact, longest, why = expected[start, root]
        assert weight == pytest.approx(float(exact), abs=1e-12)
        assert (depth, reason) == (longest, why)
    total = made.group_by("model_id_hf").agg(pl.col("weight").sum())["weight"]
    assert total.to_list() == pytest.approx([1.0] * len(graph), abs=1e-9)
    assert_frame_equal(roots(shuffled(found, seed)), made, check_exact=True)


# ---- shares ---------------------------------------------------------------------------------


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


def test_a_lost_parent_still_has_a_country_by_its_namespace() -> None:
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


def test_doubt_never_exceeds_the_whole() -> None:
    made = shares(*listing(model("us-lab/merge", 5, parents=["nowhere/a", "stranger/b"])))
    full = made.filter(population="all", attribution="base", credit="full")
    assert full["share"].to_list() == [1.0, 1.0]
    assert full["share_upper"].to_list() == [1.0, 1.0]


def test_a_lab_that_moves_moves_on_the_day_and_not_before() -> None:
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
def test_created_within_a_year_counts_365_days_with_the_day_itself(
    created: datetime | None, inside: bool
) -> None:
    made = shares(*listing(model("us-lab/a", 7, created_at=created)))
    assert share_of(made, population="created_1y") == ({"US": 1.0} if inside else {})
    assert share_of(made) == {"US": 1.0}


def test_language_models_are_a_population_of_their_own() -> None:
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


# ---- shares of any listing, against an obvious reference ---------------------------------------

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
def test_shares_are_those_counted_one_by_one(models: list[Row], seed: int) -> None:
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


def test_shares_of_many_models_are_the_same_bit_by_bit() -> None:
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
