"""mart.attribution_range."""

from __future__ import annotations

import polars as pl

from transforms.registry.attribution import UNKNOWN
from warehouse.contracts.table import contract

ANY = "any"  # instead of a population: the range over all of them
CUT = ["as_of_date", "metric", "metric_window", "country_code", "country_name"]


def attribution_range(country_share_daily: pl.LazyFrame) -> pl.LazyFrame:
    """One row per day, population or `any`, metric, window and country: the range of its share.

    The range covers all attributions and credits of a population, and under `any` all populations
    too. A country without a model under a definition has no row there: its share is 0, and its
    upper bound everything in doubt. Definitions without a share (no recorded lineage) are left out.
    """
    each = country_share_daily.filter(pl.col("share").is_not_null()).with_columns(
        definition=pl.concat_str("population", "attribution", "credit", separator=", ")
    )
    return pl.concat([_range(each), _range(each.with_columns(population=pl.lit(ANY)))])


def _range(shares: pl.LazyFrame) -> pl.LazyFrame:
    key = ["population", *CUT]
    within = ["as_of_date", "population", "metric", "metric_window"]
    # The upper bound of ZZ and XX is everything in doubt, with the models without lineage.
    of_unknown = pl.col("share_upper").filter(pl.col("country_code").is_in(list(UNKNOWN))).max()
    unrecorded = 1 - pl.col("lineage_coverage").first()
    doubt = pl.coalesce(of_unknown, unrecorded, 0.0)
    definitions = shares.group_by(*within, "definition").agg(doubt.alias("doubt"))
    every = shares.select(key).unique().join(definitions, on=within)
    filled = every.join(
        shares.select(*key, "definition", "share", "share_lower", "share_upper"),
        on=[*key, "definition"],
        how="left",
    ).with_columns(
        pl.col("share", "share_lower").fill_null(0.0),
        pl.col("share_upper").fill_null(pl.col("doubt")),
    )
    return (
        filled.sort(*key, "share", "definition")
        .group_by(key, maintain_order=True)
        .agg(
            pl.col("share").first().alias("share_lowest"),
            pl.col("definition").first().alias("definition_lowest"),
            pl.col("share").last().alias("share_highest"),
            pl.col("definition").last().alias("definition_highest"),
            pl.col("share_lower").min().alias("share_lower"),
            pl.col("share_upper").max().alias("share_upper"),
            pl.len().cast(pl.Int32).alias("n_definitions"),
        )
        .select(*contract("mart.attribution_range").columns)
    )
