"""mart.hub_listing_coverage."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.claims.completeness import COUNTERS, incomplete_snapshots
from transforms.claims.requests import part
from transforms.hub.panels import with_nearest_count
from transforms.registry.bitemporal import as_known
from warehouse.contracts.table import contract


def hub_listing_coverage(
    country_share_daily: pl.LazyFrame,
    raw_registry_hub_sizes: pl.LazyFrame,
    meta_snapshots: pl.LazyFrame,
    known_at: date,
) -> pl.LazyFrame:
    """One row per Hub day: which part of the Hub its listing holds, by models and by downloads.

    Against the nearest day with a count of the whole Hub. `is_whole`: the listing is not a sample
    and is known to have reached its end. `top_*`: it holds the first N models by that counter.
    """
    listings = _listed(country_share_daily)
    sizes = as_known(raw_registry_hub_sizes, known_at)
    counted = with_nearest_count(listings, sizes).with_columns(
        part(pl.col("n"), pl.col("n_models")).fill_null(0.0).alias("listed_share"),
        pl.col("n_models").alias("hub_models_total"),
    )
    parts = incomplete_snapshots(meta_snapshots).filter(pl.col("source") == "hub")
    incomplete = parts.select(pl.col("snapshot_date").alias("as_of_date"), is_whole=pl.lit(False))
    return (
        counted.join(_downloads(listings, sizes), on="as_of_date", how="left")
        .join(incomplete, on="as_of_date", how="left")
        .join(_tops(meta_snapshots), on="as_of_date", how="left")
        .with_columns(
            pl.col("is_whole").fill_null(value=True),
            # A record that was refused could be one of the first.
            *(pl.when(pl.col("n") >= pl.col("rows_seen")).then(f"top_{c}").alias(f"top_{c}")
              for c in COUNTERS),
        )
        .select(*contract("mart.hub_listing_coverage").columns)
    )  # fmt: skip


def _listed(country_share_daily: pl.LazyFrame) -> pl.LazyFrame:
    """Number of models of each listing, and their downloads in 30 days."""
    is_all = pl.col("population") == "all"
    days = country_share_daily.filter(is_all & (pl.col("credit") == "fractional"))
    downloads = pl.col("denominator").filter(pl.col("metric") == "downloads_30d")
    return (
        days.filter(pl.col("metric").is_in(["models", "downloads_30d"]))
        .group_by("as_of_date")
        .agg(
            pl.col("n_models_population").filter(pl.col("metric") == "models").first().alias("n"),
            downloads.first().alias("downloads"),
        )
        .filter(pl.col("n").is_not_null())
    )


def _downloads(listings: pl.LazyFrame, sizes: pl.LazyFrame) -> pl.LazyFrame:
    """`listed_downloads_share` by the nearest day with a total of downloads."""
    totals = sizes.filter(pl.col("n_downloads_30d").is_not_null())
    # The nearest total, by the same rule as the number of models.
    as_count = totals.with_columns(pl.col("n_downloads_30d").alias("n_models"))
    return with_nearest_count(listings, as_count).select(
        "as_of_date", part(pl.col("downloads"), pl.col("n_models")).alias("listed_downloads_share")
    )


def _tops(meta_snapshots: pl.LazyFrame) -> pl.LazyFrame:
    """Depth by counter as the sidecar says; of several snapshots of a day the smallest."""
    depths = {c: pl.col("tops").str.extract(rf"\b{c}:(\d+)").cast(pl.Int64) for c in COUNTERS}
    return (
        meta_snapshots.filter(pl.col("source") == "hub")
        .group_by(pl.col("snapshot_date").alias("as_of_date"))
        .agg(*(d.min().alias(f"top_{c}") for c, d in depths.items()), pl.col("rows_seen").max())
    )
