"""mart.notable_models_by_country."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.numeric.exact_sums import exactly
from transforms.registry.attribution import NOT_EXAMINED
from transforms.registry.bitemporal import as_known
from warehouse.contracts.table import contract

COUNTED = ["year", "country_code", "n_models", "n_models_fractional", "vintage_date"]


def notable_models_by_country(
    notable_models: pl.LazyFrame,
    notable_model_labs: pl.LazyFrame,
    ai_index_series: pl.LazyFrame,
    raw_ai_index_rows: pl.LazyFrame,
    raw_registry_ai_index_editions: pl.LazyFrame,
    countries: pl.LazyFrame,
    as_of: date,
    known_at: date,
) -> pl.LazyFrame:
    """One row per source, year and country.

    Epoch: the newest vintage up to `as_of`. A model counts in full for each distinct country of its
    organizations (the AI Index's rule), once by Epoch's own list of countries and once by the
    registry's country of each lab. AI Index: as printed, one series per edition. If an edition
    prints a value twice, the later revision counts, then the figure of the single year.
    """
    published = as_known(raw_registry_ai_index_editions, known_at)
    vintages = _dated(raw_ai_index_rows, published)
    every = pl.concat(
        [
            _counted(_by_epoch(notable_models), "epoch", as_of),
            _counted(_by_registry(notable_models, notable_model_labs), "epoch_registry", as_of),
            _from_ai_index(ai_index_series, vintages),
        ]
    )
    return every.join(countries, on="country_code", how="left").select(
        *contract("mart.notable_models_by_country").columns
    )


def _dated(rows: pl.LazyFrame, editions: pl.LazyFrame) -> pl.LazyFrame:
    """The publication date of each edition, or the date of its snapshot if that is unknown."""
    filed = rows.group_by("edition").agg(pl.col("snapshot_date").max())
    return filed.join(editions.select("edition", "published_on"), on="edition", how="left").select(
        "edition", pl.coalesce("published_on", "snapshot_date").alias("vintage_date")
    )


def _by_epoch(notable_models: pl.LazyFrame) -> pl.LazyFrame:
    return notable_models.with_columns(pl.col("country_codes").str.split(",").alias("codes"))


def _by_registry(notable_models: pl.LazyFrame, notable_model_labs: pl.LazyFrame) -> pl.LazyFrame:
    distinct = notable_model_labs.group_by("vintage_date", "line").agg(
        pl.col("country_code").unique().alias("codes")
    )
    return notable_models.join(distinct, on=["vintage_date", "line"], how="left")


def _counted(records: pl.LazyFrame, source: str, as_of: date) -> pl.LazyFrame:
    """Models by year and country of the newest vintage; `codes` lists a record's countries."""
    until = records.filter(pl.col("vintage_date") <= as_of)
    return (
        until.filter(
            (pl.col("vintage_date") == pl.col("vintage_date").max())
            & pl.col("publication_year").is_not_null()
        )
        .with_columns(pl.col("codes").fill_null([NOT_EXAMINED]).alias("country_code"))
        .with_columns((1.0 / pl.col("country_code").list.len()).alias("part"))
        .explode("country_code")
        .group_by(pl.col("publication_year").alias("year"), "country_code")
        .agg(
            pl.len().cast(pl.Int64).alias("n_models"),
            exactly(pl.col("part")).alias("n_models_fractional"),
            pl.col("vintage_date").first(),
        )
        .with_columns(source=pl.lit(source), figure=pl.lit(None, pl.String))
        .select("source", *COUNTED, "figure")
    )


def _from_ai_index(ai_index_series: pl.LazyFrame, vintages: pl.LazyFrame) -> pl.LazyFrame:
    printed = ai_index_series.filter(
        (pl.col("series") == "notable_models")
        & pl.col("country_code").is_not_null()
        & pl.col("is_preferred")
    )
    return (
        printed.join(vintages, on="edition")
        .with_columns(
            pl.concat_str(pl.lit("ai_index_"), pl.col("edition").cast(pl.String)).alias("source"),
            pl.col("value").cast(pl.Int64).alias("n_models"),
            n_models_fractional=pl.lit(None, pl.Float64),
        )
        .select("source", *COUNTED, "figure")
    )
