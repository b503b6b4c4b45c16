"""core.notable_models."""

from __future__ import annotations

import polars as pl

from transforms.registry.countries import codes_of

OPEN = r"(?i)^open (weights|access|source)"


def notable_models(
    raw_epoch_models: pl.LazyFrame, raw_registry_countries: pl.LazyFrame
) -> pl.LazyFrame:
    """One row per vintage and record of Epoch's notable models, with distinct country codes.

    Countries are Epoch's own, by the known spellings; an unknown spelling counts as XX. A blank
    accessibility is not known, never closed.
    """
    notable = raw_epoch_models.filter(pl.col("file_name") == "notable_ai_models")
    codes = codes_of(notable.select("country_name"), raw_registry_countries)
    access = pl.col("model_accessibility")
    return (
        notable.join(codes, on="country_name", how="left")
        .with_columns(pl.col("n_countries").fill_null(0))
        .select(
            pl.col("snapshot_date").alias("vintage_date"),
            "line",
            "snapshot_id",
            "model_name_epoch",
            "organization",
            "publication_date",
            pl.col("publication_date").dt.year().alias("publication_year"),
            pl.col("country_name").alias("country_names"),
            "country_codes",
            "n_countries",
            "model_accessibility",
            access.str.contains(OPEN).alias("is_open_weights"),
            "parameters",
            "training_compute_flop",
        )
    )
