"""mart.notable_models_by_country."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.attribution import NOT_EXAMINED
from transforms.sums import in_order

COLUMNS = [
    "source",
    "year",
    "country_code",
    "country_name",
    "n_models",
    "n_models_fractional",
    "vintage_date",
    "figure",
]


def notable_models_by_country(
    notable_models: pl.LazyFrame,
    ai_index_series: pl.LazyFrame,
    raw_ai_index_rows: pl.LazyFrame,
    countries: pl.LazyFrame,
    as_of: date,
) -> pl.LazyFrame:
    """One row per source, year and country.

    Epoch: the newest vintage up to `as_of`, a model once in full for each distinct country of its
    organisations (the AI Index's rule). AI Index: as printed, one series an edition; the figure
    of a single year wins over the figure of all years, which shows three areas only.
    """
    vintages = raw_ai_index_rows.group_by("edition").agg(
        pl.col("snapshot_date").max().alias("vintage_date")
    )
    both = pl.concat(
        [_from_epoch(notable_models, as_of), _from_ai_index(ai_index_series, vintages)]
    )
    return both.join(countries, on="country_code", how="left").select(COLUMNS)


def _from_epoch(notable_models: pl.LazyFrame, as_of: date) -> pl.LazyFrame:
    until = notable_models.filter(pl.col("vintage_date") <= as_of)
    codes = pl.col("country_codes").fill_null(NOT_EXAMINED).str.split(",")
    return (
        until.filter(
            (pl.col("vintage_date") == pl.col("vintage_date").max())
            & pl.col("publication_year").is_not_null()
        )
        .with_columns(codes.alias("country_code"))
        .with_columns((1.0 / pl.col("country_code").list.len()).alias("part"))
        .explode("country_code")
        .group_by(pl.col("publication_year").alias("year"), "country_code")
        .agg(
            pl.len().cast(pl.Int64).alias("n_models"),
            in_order(pl.col("part")).alias("n_models_fractional"),
            pl.col("vintage_date").first(),
        )
        .with_columns(source=pl.lit("epoch"), figure=pl.lit(None, pl.String))
        .select([c for c in COLUMNS if c != "country_name"])
    )


def _from_ai_index(ai_index_series: pl.LazyFrame, vintages: pl.LazyFrame) -> pl.LazyFrame:
    printed = ai_index_series.filter(
        (pl.col("series") == "notable_models") & pl.col("country_code").is_not_null()
    )
    return (
        # "1.1.1" before "1.1.2": the figure of the single year has the lower number
        printed.sort("edition", "figure")
        .unique(["edition", "year", "country_code"], keep="first", maintain_order=True)
        .join(vintages, on="edition")
        .with_columns(
            pl.concat_str(pl.lit("ai_index_"), pl.col("edition").cast(pl.String)).alias("source"),
            pl.col("value").cast(pl.Int64).alias("n_models"),
            n_models_fractional=pl.lit(None, pl.Float64),
        )
        .select([c for c in COLUMNS if c != "country_name"])
    )
