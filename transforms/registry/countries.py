"""Country codes of cells with country names."""

from __future__ import annotations

import polars as pl

from transforms.registry.attribution import NOT_EXAMINED
from transforms.registry.lists import listed
from transforms.registry.names import folded


def spellings_of(registry_countries: pl.LazyFrame) -> pl.LazyFrame:
    """`key` (a folded spelling, once) and `country_code`."""
    return registry_countries.select(folded("spelling").alias("key"), "country_code").unique(
        "key", keep="first", maintain_order=True
    )


def each_country(cells: pl.LazyFrame, registry_countries: pl.LazyFrame) -> pl.LazyFrame:
    """The one column of `cells`, and `country_code` of each country named; XX where not known.

    One row for each distinct cell and code.
    """
    (column,) = cells.collect_schema().names()
    spellings = spellings_of(registry_countries)
    distinct = cells.select(pl.col(column).alias("cell")).drop_nulls().unique()
    return (
        listed(distinct, spellings.select("key"))
        .with_columns(folded("name").alias("key"))
        .join(spellings, on="key", how="left")
        .select(pl.col("cell").alias(column), pl.col("country_code").fill_null(NOT_EXAMINED))
        .unique()
    )


def codes_of(cells: pl.LazyFrame, registry_countries: pl.LazyFrame) -> pl.LazyFrame:
    """The one column of `cells`, its distinct `country_codes` with commas, and `n_countries`."""
    (column,) = cells.collect_schema().names()
    return (
        each_country(cells, registry_countries)
        .group_by(column)
        .agg(
            pl.col("country_code").sort().str.join(",").alias("country_codes"),
            pl.len().cast(pl.Int32).alias("n_countries"),
        )
    )
