"""mart.notable_models_by_country."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.numeric.exact_sums import exactly
from transforms.registry.attribution import NOT_EXAMINED
from transforms.registry.bitemporal import as_known
from warehouse.contracts.table import contract

RECORD = ["vintage_date", "line"]
SOURCES = {"epoch": "epoch_codes", "epoch_registry": "registry_codes"}
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
    registry's country of each lab; each row also has the other count, and the organizations that
    decide it. AI Index: as printed, one series per edition. If an edition
    prints a value twice, the later revision counts, then the figure of the single year.
    """
    published = as_known(raw_registry_ai_index_editions, known_at)
    vintages = _dated(raw_ai_index_rows, published)
    newest = _newest(notable_models, notable_model_labs, as_of)
    counted = {s: _counted(newest, codes, s) for s, codes in SOURCES.items()}
    other = [
        _with_other(counted[one], counted[two], newest)
        for one, two in (("epoch", "epoch_registry"), ("epoch_registry", "epoch"))
    ]
    every = pl.concat([*other, _from_ai_index(ai_index_series, vintages)], how="diagonal")
    return every.join(countries, on="country_code", how="left").select(
        *contract("mart.notable_models_by_country").columns
    )


def _dated(rows: pl.LazyFrame, editions: pl.LazyFrame) -> pl.LazyFrame:
    """The publication date of each edition, or the date of its snapshot if that is unknown."""
    filed = rows.group_by("edition").agg(pl.col("snapshot_date").max())
    return filed.join(editions.select("edition", "published_on"), on="edition", how="left").select(
        "edition", pl.coalesce("published_on", "snapshot_date").alias("vintage_date")
    )


def _newest(
    notable_models: pl.LazyFrame, notable_model_labs: pl.LazyFrame, as_of: date
) -> pl.LazyFrame:
    """The records of the newest vintage, with the countries by Epoch and by the registry."""
    by_registry = notable_model_labs.group_by(RECORD).agg(
        pl.col("country_code").unique().sort().alias("registry_codes")
    )
    until = notable_models.filter(pl.col("vintage_date") <= as_of)
    return (
        until.filter(
            (pl.col("vintage_date") == pl.col("vintage_date").max())
            & pl.col("publication_year").is_not_null()
        )
        .join(by_registry, on=RECORD, how="left")
        .select(
            "vintage_date",
            "organization",
            pl.col("publication_year").alias("year"),
            pl.col("country_codes").str.split(",").fill_null([NOT_EXAMINED]).alias("epoch_codes"),
            pl.col("registry_codes").fill_null([NOT_EXAMINED]),
        )
    )


def _counted(newest: pl.LazyFrame, codes: str, source: str) -> pl.LazyFrame:
    """Models by year and country; `codes` is the column with a record's countries."""
    return (
        newest.with_columns(pl.col(codes).alias("country_code"))
        .with_columns((1.0 / pl.col("country_code").list.len()).alias("part"))
        .explode("country_code")
        .group_by("year", "country_code")
        .agg(
            pl.len().cast(pl.Int64).alias("n_models"),
            exactly(pl.col("part")).alias("n_models_fractional"),
            pl.col("vintage_date").first(),
        )
        .with_columns(source=pl.lit(source), figure=pl.lit(None, pl.String))
        .select("source", *COUNTED, "figure")
    )


def _with_other(counted: pl.LazyFrame, other: pl.LazyFrame, newest: pl.LazyFrame) -> pl.LazyFrame:
    """Adds the count by the other list of countries, and the organizations that differ."""
    group = ["year", "country_code"]
    return (
        counted.join(other.select(*group, n_models_other="n_models"), on=group, how="left")
        .join(_differing(newest), on=group, how="left")
        .with_columns(pl.col("n_models_other").fill_null(0))
    )


def _differing(newest: pl.LazyFrame) -> pl.LazyFrame:
    """By year and country: organizations of models that count for it by one list only."""
    epoch, registry = pl.col("epoch_codes"), pl.col("registry_codes")
    listed = [codes.list.sort().list.join(", ") for codes in (epoch, registry)]
    text = pl.format(
        "{}: {} by Epoch, {} by the registry", pl.col("organization").fill_null("no name"), *listed
    )
    return (
        newest.select(
            "year",
            epoch.list.set_symmetric_difference(registry).alias("country_code"),
            text.alias("text"),
        )
        .explode("country_code")
        .drop_nulls("country_code")
        .group_by("year", "country_code")
        .agg(pl.col("text").unique().sort().str.join("; ").alias("differing_organizations"))
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
