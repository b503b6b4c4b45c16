"""core.hub_trending."""

from __future__ import annotations

import polars as pl

from transforms.registry.attribution import with_lab_and_country
from warehouse.contracts.table import contract

OWN, FEED = "hub_trending", "hub_trending_feed"


def hub_trending(
    raw_hub_trending: pl.LazyFrame,
    raw_hub_trending_feed: pl.LazyFrame,
    namespaces: pl.LazyFrame,
    labs: pl.LazyFrame,
) -> pl.LazyFrame:
    """One row per trending list and model in it, numbered among the models only.

    A day may have several lists of ours, each with its time of day in the snapshot id:
    `<source>/<date>T<HHMM>`. A third party's recording counts only on days without one of ours.
    """
    own = _own_strips(raw_hub_trending)
    strip = pl.concat([own, _recorded(raw_hub_trending_feed, own)], how="diagonal")
    placed = with_lab_and_country(
        strip, namespaces, labs, system="hub", name="author", day="as_of_date"
    )
    uploader = {"lab_id": "lab_id_uploader", "country_code": "country_code_uploader"}
    return placed.rename(uploader).select(*contract("core.hub_trending").columns)


def _own_strips(raw_hub_trending: pl.LazyFrame) -> pl.LazyFrame:
    minute = pl.col("snapshot_id").str.extract(r"T(\d{4})$")
    return (
        raw_hub_trending.with_columns(
            pl.col("snapshot_id").rank("dense").over("snapshot_date").cast(pl.Int32).alias("strip"),
            (minute.str.slice(0, 2) + ":" + minute.str.slice(2)).alias("strip_time"),
            pl.lit(OWN).alias("list_source"),
        )
        .filter(pl.col("repo_type") == "model")
        .rename({"snapshot_date": "as_of_date"})
        .with_columns(_among_models().alias("model_position"))
    )


def _recorded(raw_hub_trending_feed: pl.LazyFrame, own: pl.LazyFrame) -> pl.LazyFrame:
    """The third party's lists of the days without a list of ours: one a day, of models only."""
    return (
        raw_hub_trending_feed.join(own, left_on="snapshot_date", right_on="as_of_date", how="anti")
        .rename({"snapshot_date": "as_of_date"})
        .select(
            *("as_of_date", "snapshot_id", "position", "model_id_hf", "author"),
            pl.lit(1, pl.Int32).alias("strip"),
            pl.col("observed_at").dt.strftime("%H:%M").alias("strip_time"),
            pl.lit(FEED).alias("list_source"),
        )
        .with_columns(_among_models().alias("model_position"))
    )


def _among_models() -> pl.Expr:
    return pl.col("position").rank("ordinal").over("as_of_date", "strip").cast(pl.Int32)
