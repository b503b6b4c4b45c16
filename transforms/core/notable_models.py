"""core.notable_models."""

from __future__ import annotations

import polars as pl

from transforms.attribution import NOT_EXAMINED

OPEN = r"(?i)^open (weights|access|source)"


def notable_models(
    raw_epoch_models: pl.LazyFrame, raw_registry_countries: pl.LazyFrame
) -> pl.LazyFrame:
    """One row per vintage and record of Epoch's notable models, with distinct country codes.

    Countries are Epoch's own, by the known spellings; an unknown spelling counts as XX. A blank
    accessibility is not known, never closed.
    """
    notable = raw_epoch_models.filter(pl.col("file_name") == "notable_ai_models")
    key = ["snapshot_id", "line"]
    access = pl.col("model_accessibility")
    return (
        notable.join(_codes(notable, raw_registry_countries, key), on=key, how="left")
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


def _codes(notable: pl.LazyFrame, spellings: pl.LazyFrame, key: list[str]) -> pl.LazyFrame:
    """Distinct codes of each record; the cell repeats a country for each organisation."""
    return (
        notable.filter(pl.col("country_name").is_not_null())
        .select(*key, pl.col("country_name").str.split(",").alias("spelling"))
        .explode("spelling")
        .with_columns(pl.col("spelling").str.strip_chars())
        .filter(pl.col("spelling") != "")
        .join(spellings.select("spelling", "country_code"), on="spelling", how="left")
        .with_columns(pl.col("country_code").fill_null(NOT_EXAMINED))
        .group_by(key)
        .agg(
            pl.col("country_code").unique().sort().str.join(",").alias("country_codes"),
            pl.col("country_code").n_unique().cast(pl.Int32).alias("n_countries"),
        )
    )
