"""mart.hub_listing_coverage."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.claims.completeness import incomplete_snapshots
from transforms.claims.requests import part
from transforms.hub.panels import with_nearest_count
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
    parts = incomplete_snapshots(meta_snapshots).filter(pl.col("source") == "hub")
    incomplete = parts.select(pl.col("snapshot_date").alias("as_of_date"), is_whole=pl.lit(False))
    sizes = as_known(raw_registry_hub_sizes, known_at)
    share = part(pl.col("n"), pl.col("n_models")).fill_null(0.0)
    return (
        with_nearest_count(listings, sizes)
        .join(incomplete, on="as_of_date", how="left")
        .select("as_of_date", share.alias("listed_share"), pl.col("is_whole").fill_null(value=True))
    )
