"""core.hub_trending."""

from __future__ import annotations

import polars as pl

from transforms.attribution import with_lab_and_country


def hub_trending(
    raw_hub_trending: pl.LazyFrame, namespaces: pl.LazyFrame, labs: pl.LazyFrame
) -> pl.LazyFrame:
    """One row per day and model in the trending strip, numbered among the models alone."""
    strip = (
        raw_hub_trending.filter(pl.col("repo_type") == "model")
        .rename({"snapshot_date": "as_of_date"})
        .with_columns(
            pl.col("position")
            .rank("ordinal")
            .over("as_of_date")
            .cast(pl.Int32)
            .alias("model_position")
        )
    )
    placed = with_lab_and_country(
        strip, namespaces, labs, system="hub", name="author", day="as_of_date"
    )
    return placed.select(
        "as_of_date",
        "model_position",
        "model_id_hf",
        "author",
        pl.col("lab_id").alias("lab_id_uploader"),
        pl.col("country_code").alias("country_code_uploader"),
        "downloads_30d",
        "likes",
        "pipeline_tag",
    )
