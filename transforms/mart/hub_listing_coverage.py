"""mart.hub_listing_coverage."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.claims.completeness import incomplete_snapshots
from transforms.claims.requests import part
from transforms.registry.bitemporal import as_known


def hub_listing_coverage(
    country_share_daily: pl.LazyFrame,
    raw_registry_hub_sizes: pl.LazyFrame,
    meta_snapshots: pl.LazyFrame,
    known_at: date,
) -> pl.LazyFrame:
    """One row per Hub day: which part of the Hub's models its listing holds.

    By number of models, against the nearest day with a count of all models; 0 if there is none.
    `is_whole`: the listing is not a sample and is known to have reached its end.
    """
    is_count = (pl.col("population") == "all") & (pl.col("metric") == "models")
    listings = (
        country_share_daily.filter(is_count)
        .select("as_of_date", pl.col("n_models_population").alias("n"))
        .unique()
    )
    shares = _shares(listings, as_known(raw_registry_hub_sizes, known_at))
    parts = incomplete_snapshots(meta_snapshots).filter(pl.col("source") == "hub")
    incomplete = parts.select(pl.col("snapshot_date").alias("as_of_date"), is_whole=pl.lit(False))
    return (
        listings.select("as_of_date")
        .unique()
        .join(shares, on="as_of_date", how="left")
        .join(incomplete, on="as_of_date", how="left")
        .with_columns(
            pl.col("listed_share").fill_null(0.0), pl.col("is_whole").fill_null(value=True)
        )
    )


def _shares(listings: pl.LazyFrame, sizes: pl.LazyFrame) -> pl.LazyFrame:
    """`listed_share` of each day, by the nearest count of the Hub, the earlier of two as near."""
    off = (pl.col("as_of_date") - pl.col("counted_on")).dt.total_days().abs()
    counts = sizes.select("n_models", counted_on="as_of_date")
    return (
        listings.join(counts, how="cross")
        .with_columns(off.alias("off"))
        .sort("as_of_date", "off", "counted_on")
        .unique("as_of_date", keep="first", maintain_order=True)
        .select("as_of_date", part(pl.col("n"), pl.col("n_models")).alias("listed_share"))
    )
