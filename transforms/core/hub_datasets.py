"""core.hub_datasets."""

from __future__ import annotations

import polars as pl

from transforms.registry.attribution import with_lab_and_country
from warehouse.contracts.table import contract


def hub_datasets(
    raw_hub_datasets: pl.LazyFrame, namespaces: pl.LazyFrame, labs: pl.LazyFrame
) -> pl.LazyFrame:
    """One row per dataset of the newest sweep, with the lab that uploaded it."""
    newest = (
        raw_hub_datasets.rename({"snapshot_date": "as_of_date"})
        .filter(pl.col("as_of_date") == pl.col("as_of_date").max())
        .with_columns(pl.col("tags_json").str.extract(r'"license:([^"\\]+)"').alias("license"))
    )
    placed = with_lab_and_country(
        newest, namespaces, labs, system="hub", name="author", day="as_of_date"
    )
    uploader = {"lab_id": "lab_id_uploader", "country_code": "country_code_uploader"}
    return placed.rename(uploader).select(*contract("core.hub_datasets").columns)
