"""Attributes, counters and declared parents of the Hub's models."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from tests.support.frames import (
    DAY,
    Row,
    all_countries,
    compute,
    rows,
    shuffled,
    table_of,
)
from tests.support.listings import BEFORE, REGISTRY, hub, listing, model


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


def test_counters_equal_the_observed_ones() -> None:
    sweeps = [
        *listing(model("a/x", 10, likes=3), day=BEFORE),
        *listing(model("a/x", None, likes=2)),
    ]
    made = compute("core.hub_daily_counters", raw_hub_models=hub(sweeps))
    assert made.select("as_of_date", "downloads_30d", "likes").rows() == [
        (BEFORE, 10, 3),
        (DAY, None, 2),
    ]


def test_trending_numbers_only_models_and_adds_their_labs() -> None:
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


def test_the_last_trending_list_of_a_day_counts() -> None:
    def strip(slot: str, model: str) -> dict[str, Any]:
        at = {"snapshot_id": f"hub_trending/{DAY}T{slot}", "snapshot_date": DAY}
        author = model.split("/", maxsplit=1)[0]
        return {**at, "position": 1, "repo_type": "model", "model_id_hf": model, "author": author}

    raw = rows("raw.hub_trending", strip("1815", "CN-Lab/x"), strip("0015", "us-lab/y"))
    made = table_of("core.hub_trending", **REGISTRY, raw_hub_trending=raw)
    shown = made.select("strip", "strip_time", "model_position", "model_id_hf").sort("strip")
    assert shown.rows() == [(1, "00:15", 1, "us-lab/y"), (2, "18:15", 1, "CN-Lab/x")]
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


def parents_of(*sweeps: Row) -> list[tuple[Any, ...]]:
    made = compute("core.hub_base_models", raw_hub_models=hub(sweeps))
    return made.drop("declared_base_model_id_hf").rows()


def test_tags_add_no_parent_to_a_resolved_field() -> None:
    tags = ["license:mit", "base_model:a/base", "base_model:adapter:a/base", "base_model:a/two"]
    (row,) = listing(model("b/x", parents=["a/base"], tags_json=json.dumps(tags)))
    assert parents_of(row) == [
        ("b/x", "a/base", "finetune", "base_models"),
    ]


def test_tags_declare_parents_and_relations_without_a_field() -> None:
    tags = ["base_model:merge:a/one", "base_model:a/one", "base_model:a/two"]
    (row,) = listing(model("b/x", tags_json=json.dumps(tags)))
    assert parents_of(row) == [("b/x", "a/one", "merge", "tags"), ("b/x", "a/two", None, "tags")]


def test_a_model_is_not_its_own_parent_and_case_does_not_matter() -> None:
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
