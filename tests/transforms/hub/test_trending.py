"""Trending lists: the last list of a day counts."""

from __future__ import annotations

from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from tests.support.frames import DAY, PROPERTY, Row, everything, registry, rows
from transforms.claims.trending import trending
from transforms.hub.trending import TOPS

LABS = {"cn-lab": "CN", "us-lab": "US"}
LISTED = ("cn-lab/a", "cn-lab/b", "us-lab/c", "us-lab/d")
MODELS = (*LISTED, "cn-lab/new", "who/y")
STRIPS = st.lists(st.sampled_from(MODELS), min_size=1, max_size=10)


def strip(models: list[str], slot: str, day: Any = DAY) -> list[Row]:
    """The raw rows of one strip."""
    about = {"snapshot_id": f"hub_trending/{day}T{slot}", "snapshot_date": day}
    return [
        {
            **about,
            "position": place,
            "repo_type": "model",
            "model_id_hf": model,
            "author": model.partition("/")[0],
        }
        for place, model in enumerate(models, 1)
    ]


def listing(**more: Any) -> pl.LazyFrame:
    about = {"snapshot_id": f"hub/{DAY}", "snapshot_date": DAY, "file_name": "0.json.zst"}
    models = [{"model_id_hf": m, "author": m.partition("/")[0]} for m in LISTED]
    return rows("raw.hub_models", *models, **about, **more)


def answered(*strips: list[Row]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The shares of the strips' days, and the ledger's answers by top N and attribution."""
    raw = {
        **registry(LABS),
        "raw_hub_models": listing(),
        "raw_hub_trending": rows("raw.hub_trending", *(row for one in strips for row in one)),
    }
    tables = ("mart.trending_share_daily", "core.hub_trending", "core.hub_models")
    every = everything(targets=set(tables), **raw)
    made = {table.partition(".")[2]: every[table].lazy() for table in tables}
    wanted = pl.DataFrame(
        [
            {
                **{"request": n, "test": "trending_days", "moment": "stated", "subject": "CN"},
                **{"top_n": top, "attribution": attribution, "places": 1.0, "window_days": 1},
                **{"day": DAY, "clock": DAY, "within_days": 0},
            }
            for n, (top, attribution) in enumerate(
                (t, a) for t in TOPS for a in ("publisher", "base")
            )
        ],
        schema_overrides={"request": pl.UInt32, "top_n": pl.Int32},
    )
    given = trending(wanted.lazy(), **made).collect().sort("request")
    return made["trending_share_daily"].collect(), given


@PROPERTY
@given(last=STRIPS, earlier=st.lists(STRIPS, max_size=3))
def test_earlier_trending_lists_of_a_day_change_neither_shares_nor_coverage(
    last: list[str], earlier: list[list[str]]
) -> None:
    others = [strip(models, f"{6 * n:02}15") for n, models in enumerate(earlier)]
    alone, observed_often = answered(strip(last, "2015")), answered(*others, strip(last, "2015"))
    assert alone[0].equals(observed_often[0])
    assert alone[1].equals(observed_often[1])
    assert alone[1]["coverage_names"].is_between(0, 1).all()


def test_coverage_counts_places_whose_model_the_listing_lacks() -> None:
    new = ["cn-lab/new", *LISTED, *LISTED, "us-lab/c"]
    strips = [strip(new, slot) for slot in ("0015", "0615", "1215", "1815")]
    for observed in (strips[:1], strips):
        _, given = answered(*observed)
        assert given["coverage_names"].to_list() == [1.0, 0.8, 1.0, 0.9]
