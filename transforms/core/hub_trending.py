"""core.hub_trending."""

from __future__ import annotations

import polars as pl

from transforms.registry.attribution import with_lab_and_country
from warehouse.contracts.table import contract


def hub_trending(
    raw_hub_trending: pl.LazyFrame, namespaces: pl.LazyFrame, labs: pl.LazyFrame
) -> pl.LazyFrame:
    """One row per trending list and model in it, numbered among the models only.

    A day may have several lists, each with its time of day in the snapshot id:
    `<source>/<date>T<HHMM>`.
    """
    minute = pl.col("snapshot_id").str.extract(r"T(\d{4})$")
    strip = (
        raw_hub_trending.with_columns(
            pl.col("snapshot_id").rank("dense").over("snapshot_date").cast(pl.Int32).alias("strip"),
            (minute.str.slice(0, 2) + ":" + minute.str.slice(2)).alias("strip_time"),
        )
        .filter(pl.col("repo_type") == "model")
        .rename({"snapshot_date": "as_of_date"})
        .with_columns(
            pl.col("position")
            .rank("ordinal")
            .over("as_of_date", "strip")
            .cast(pl.Int32)
            .alias("model_position")
        )
    )
    placed = with_lab_and_country(
        strip, namespaces, labs, system="hub", name="author", day="as_of_date"
    )
    uploader = {"lab_id": "lab_id_uploader", "country_code": "country_code_uploader"}
    return placed.rename(uploader).select(*contract("core.hub_trending").columns)
