"""Trending lists: the last list of a day counts."""

from __future__ import annotations

import csv
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import ROOT
from tests.support.frames import DAY, PROPERTY, Row, everything, registry, rows
from transforms.claims.trending import trending
from transforms.hub.trending import TOPS
from warehouse.registry.load import reference_tables

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


# --- lists that a third party recorded ------------------------------------------------------------


def feed(models: list[str], day: date) -> list[Row]:
    """The raw rows of one recorded list."""
    about = {
        **{"snapshot_id": f"hub_trending_feed/{day}", "snapshot_date": day, "commit_id": "c"},
        "observed_at": datetime(day.year, day.month, day.day, 7, 52, 4),
    }
    return [
        {**about, "position": n, "model_id_hf": m, "author": m.partition("/")[0]}
        for n, m in enumerate(models, 1)
    ]


def test_a_recorded_list_counts_on_days_without_our_own_and_is_marked() -> None:
    before = DAY - timedelta(days=1)
    others = [*feed(["us-lab/c"] * 5, DAY), *feed(["cn-lab/a"] * 4 + ["us-lab/c"], before)]
    every = everything(
        targets={"mart.trending_share_daily"},
        **registry(LABS),
        raw_hub_trending=rows("raw.hub_trending", *strip(["cn-lab/b"] * 5, "0600")),
        raw_hub_trending_feed=rows("raw.hub_trending_feed", *others),
    )
    lists = every["core.hub_trending"].select("as_of_date", "list_source", "strip_time").unique()
    assert set(lists.rows()) == {
        (DAY, "hub_trending", "06:00"),
        (before, "hub_trending_feed", "07:52"),
    }
    shares = every["mart.trending_share_daily"].filter(
        pl.col("attribution") == "publisher", pl.col("country_code") == "CN", pl.col("top_n") == 5
    )
    assert shares.select("as_of_date", "list_source", "n_places").rows() == [
        (before, "hub_trending_feed", 4.0),
        (DAY, "hub_trending", 5.0),
    ]


def test_four_of_the_first_five_were_chinese_on_days_of_january_and_february_2025(
    more_recordings: Path,
) -> None:
    """The recorded lists through the registry, against the registry's file in plain Python."""
    recorded = pl.read_csv(more_recordings / "trending_2025" / "trending.csv", try_parse_dates=True)
    raw = recorded.select(
        pl.format("hub_trending_feed/{}", "observed_on").alias("snapshot_id"),
        pl.col("observed_on").alias("snapshot_date"),
        pl.col("observed_at").cast(pl.Datetime("us")),
        pl.lit("c").alias("commit_id"),
        pl.col("position").cast(pl.Int32),
        pl.col("model_id").alias("model_id_hf"),
        pl.col("model_id").str.extract(r"^([^/]+)/").alias("author"),
    )
    tables = {f"raw_{n.removeprefix('raw.')}": f.lazy() for n, f in reference_tables().items()}
    made = everything(
        date(2026, 10, 15),
        {"mart.trending_share_daily"},
        raw_hub_trending_feed=raw.lazy(),
        **{k: f for k, f in tables.items() if k.startswith("raw_registry_")},
    )["mart.trending_share_daily"]
    mine = made.filter(
        pl.col("country_code") == "CN", pl.col("top_n") == 5, pl.col("attribution") == "publisher"
    )
    assert dict(mine.select("as_of_date", "n_places").rows()) == chinese_places(recorded)
    four = mine.filter(pl.col("n_places") >= 4)["as_of_date"].to_list()
    assert len(four) >= 3
    assert {day.month for day in four} == {1, 2}


def chinese_places(recorded: pl.DataFrame) -> dict[date, float]:
    """Places of Chinese labs among the first five of each day, from the registry's own files."""
    data = ROOT / "warehouse" / "registry" / "data"
    labs = list(csv.DictReader((data / "labs.csv").open(encoding="utf-8")))
    names = list(csv.DictReader((data / "namespaces.csv").open(encoding="utf-8")))
    chinese = {r["lab_id"] for r in labs if r["country_code"] == "CN"}
    theirs = {r["namespace"].lower() for r in names if r["lab_id"] in chinese}
    found: dict[date, float] = {}
    for day, position, model in recorded.select("observed_on", "position", "model_id").iter_rows():
        if position <= 5 and model.partition("/")[0].lower() in theirs:
            found[day] = found.get(day, 0.0) + 1
    return found
