"""The table of models: whom it lists, their places, and the statements that name them."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from tests.support.frames import DAY, Row, compute, rows
from tests.transforms.test_lab_measures import labs, rating, ratings

WEEK_AGO = DAY - timedelta(days=7)
BLANK = {"as_of_date": DAY, "downloads_30d": 5}


def hub(*names: str, seen: tuple[str, ...] = ()) -> dict[str, pl.LazyFrame]:
    """The listing of DAY; `seen` are models of an earlier listing only."""
    both = (*names, *seen)
    return {
        "hub_daily_counters": rows(
            "core.hub_daily_counters",
            *({"model_id_hf": name, **BLANK} for name in names),
            *({"model_id_hf": name, "as_of_date": WEEK_AGO} for name in both),
        ),
        "hub_models": rows(
            "core.hub_models",
            *(
                {"model_id_hf": name, "model_key": n, "author": name.split("/")[0]}
                for n, name in enumerate(both, 1)
            ),
            first_seen_date=WEEK_AGO,
            last_seen_date=DAY,
        ),
    }


def identities(*given: tuple[str, str, str]) -> pl.LazyFrame:
    """Names by system, each with its model; on the Hub only reviewed ones have an own id."""
    return rows(
        "core.model_identities",
        *(
            {
                "system": system,
                "name": name,
                "model_id": model,
                "rule": "raw" if model.startswith("hub:") else "alias",
            }
            for system, name, model in given
        ),
    )


def table(**inputs: pl.LazyFrame) -> dict[str, Row]:
    made = compute("mart.models", **{"labs": labs("one"), **inputs})
    return {row["model"]: row for row in made.iter_rows(named=True)}


def test_models_of_the_listing_and_rated_models_are_listed_once() -> None:
    found = table(
        **hub("a/Open", "a/Plain", seen=("a/Gone", "a/Unrated")),
        model_identities=identities(
            ("hub", "a/Open", "open"), ("hub", "a/Gone", "gone"), ("hub", "a/Plain", "hub:a/plain")
        ),
        arena_ratings=ratings(
            rating("one", 1, 1400.0, model_id="closed", model_name_arena="Closed 1"),
            rating("one", 2, 1300.0, model_id="open"),
            rating("one", 3, 1200.0, model_id="gone"),
        ),
    )
    assert set(found) == {"a/Open", "a/Plain", "a/Gone", "closed"}
    missing = {model: row["counters_missing"] for model, row in found.items()}
    assert missing == {
        "a/Open": None,
        "a/Plain": None,
        "a/Gone": "not_listed",
        "closed": "not_on_hub",
    }
    assert {m: r["arena_rank"] for m, r in found.items() if r["arena_rank"]} == {
        "closed": 1,
        "a/Open": 2,
        "a/Gone": 3,
    }
    assert found["closed"]["model_name"] == "Closed 1"
    assert (found["closed"]["lab_id"], found["closed"]["country_code"]) == ("one", "US")
    assert (found["a/Plain"]["lab_id"], found["a/Plain"]["arena_missing"]) == (None, "not_rated")
    assert found["a/Plain"]["country_code"] == "XX"


def test_the_best_place_is_that_of_the_newest_boards_that_every_release_may_show() -> None:
    catalog = {"publish_date": DAY, "has_catalog_rows": True}
    found = table(
        arena_ratings=ratings(
            rating("one", 9, 1.0, model_id="m", publish_date=WEEK_AGO),
            rating("one", 1, 1.0, model_id="m", **catalog),
            rating("one", 9, 1.0, model_id="m", board="webdev"),
            rating("one", 1, 1.0, model_id="m", category="coding"),
            rating("one", 2, 1.0, model_id="old", board="webdev", publish_date=WEEK_AGO),
        )
    )
    place = ("arena_board", "arena_publish_date", "arena_rank", "arena_missing")
    assert [found["m"][c] for c in place] == ["text", WEEK_AGO, 9, None]
    assert [found["old"][c] for c in place] == [None, None, None, "not_on_newest"]


def test_statements_are_counted_by_any_name_of_the_model() -> None:
    trial = {
        "definition_id": "d",
        "measure_id": "m",
        "position": 0,
        "definition": "d",
        "is_own": True,
        "label": "l",
        "unit": "u",
        "relation": "equals",
        "stated_value": 1.0,
        "tolerance": 0.0,
        "only_stated": False,
        "within_days": 0,
        "test": "t",
    }
    found = table(
        **hub("a/Open", "a/Plain"),
        model_identities=identities(
            ("hub", "a/Open", "open"),
            ("hub", "a/Plain", "hub:a/plain"),
            ("epoch", "Open 1", "open"),
        ),
        raw_claim_trials=rows(
            "raw.claim_trials",
            {**trial, "claim_id": "by-id", "by": "model", "subject": "open"},
            {**trial, "claim_id": "by-epoch", "other": "Open 1"},
            {**trial, "claim_id": "by-names", "names": "a/*\na/PLAIN\na/open"},
            {**trial, "claim_id": "lab", "by": "lab", "subject": "open"},
        ),
    )
    assert found["a/Open"]["claim_ids"] == "by-epoch, by-id, by-names"
    assert (found["a/Plain"]["n_claims"], found["a/Plain"]["claim_ids"]) == (1, "by-names")


def test_lineage_names_one_parent_one_root_and_counts_what_derives() -> None:
    names = ("a/Base", "a/Tune", "a/Merge", "a/Silent")
    edges = {"a/Tune": ["a/Base"], "a/Merge": ["z/Lost", "a/Base"]}
    found = table(
        **hub(*names),
        hub_base_models=rows(
            "core.hub_base_models",
            *(
                {
                    "model_id_hf": child,
                    "base_model_id_hf": parent,
                    "declared_base_model_id_hf": parent,
                    "declared_by": "tags",
                }
                for child, parents in edges.items()
                for parent in parents
            ),
        ),
        hub_model_roots=rows(
            "core.hub_model_roots",
            {"model_id_hf": "a/Base", "root_model_id_hf": "a/Base", "weight": 1.0, "depth": 0},
            {"model_id_hf": "a/Tune", "root_model_id_hf": "a/Base", "weight": 1.0, "depth": 1},
            {"model_id_hf": "a/Merge", "root_model_id_hf": "z/Lost", "weight": 0.25, "depth": 1},
            {"model_id_hf": "a/Merge", "root_model_id_hf": "a/Base", "weight": 0.75, "depth": 2},
            end_reason="root",
        ),
    )
    shown = ("base_model_id_hf", "n_base_models", "root_model_id_hf", "lineage_missing")
    assert [found["a/Merge"][c] for c in shown] == ["a/Base", 2, "a/Base", None]
    assert [found["a/Tune"][c] for c in shown] == ["a/Base", 1, "a/Base", None]
    assert [found["a/Silent"][c] for c in shown] == [None, None, None, "not_recorded"]
    assert {
        model: row["n_derivatives"] for model, row in found.items() if row["n_derivatives"]
    } == {"a/Base": 2}
