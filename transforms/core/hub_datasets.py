"""core.hub_datasets."""

from __future__ import annotations

import polars as pl

from transforms.registry.attribution import with_lab_and_country


def hub_datasets(
    raw_hub_datasets: pl.LazyFrame, namespaces: pl.LazyFrame, labs: pl.LazyFrame
) -> pl.LazyFrame:
    """One row per data set, as the newest sweep saw it, with the lab that uploaded it."""
    newest = (
        raw_hub_datasets.rename({"snapshot_date": "as_of_date"})
        .filter(pl.col("as_of_date") == pl.col("as_of_date").max())
        .with_columns(pl.col("tags_json").str.extract(r'"license:([^"\\]+)"').alias("license"))
    )
    placed = with_lab_and_country(
        newest, namespaces, labs, system="hub", name="author", day="as_of_date"
    )
    return placed.select(
        "dataset_id_hf",
        "object_id_hf",
        "author",
        pl.col("lab_id").alias("lab_id_uploader"),
        pl.col("country_code").alias("country_code_uploader"),
        "created_at",
        "last_modified_at",
        "as_of_date",
        "downloads_30d",
        "downloads_all_time",
        "likes",
        "gated",
        "license",
    )
