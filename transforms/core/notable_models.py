"""core.notable_models."""

from __future__ import annotations

import polars as pl

from transforms.registry.countries import codes_of
from warehouse.contracts.table import contract

OPEN = r"(?i)^open (weights|access|source)"


def notable_models(
    raw_epoch_models: pl.LazyFrame, raw_registry_countries: pl.LazyFrame
) -> pl.LazyFrame:
    """One row per vintage and record of Epoch's notable models, with distinct country codes.

    Countries are Epoch's own, by the known spellings; an unknown spelling counts as XX. A blank
    accessibility is unknown, not closed.
    """
    notable = raw_epoch_models.filter(pl.col("file_name") == "notable_ai_models")
    codes = codes_of(notable.select("country_name"), raw_registry_countries)
    return (
        notable.join(codes, on="country_name", how="left")
        .rename({"country_name": "country_names", "snapshot_date": "vintage_date"})
        .with_columns(
            pl.col("n_countries").fill_null(0),
            publication_year=pl.col("publication_date").dt.year(),
            is_open_weights=pl.col("model_accessibility").str.contains(OPEN),
        )
        .select(*contract("core.notable_models").columns)
    )
