"""core.hub_panels."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.hub.panels import with_nearest_count
from transforms.registry.bitemporal import as_known
from warehouse.contracts.table import contract

WHOLE = "whole_hub"
# Least part of the models of two days that both list within one panel. In the recordings the two
# November days share 96 % and the August days 98 % or more from day to day; November and August
# share 18 % by name, August and October 1 %.
SAME_PANEL = 0.5


def hub_panels(
    raw_hub_history_days: pl.LazyFrame, raw_registry_hub_sizes: pl.LazyFrame, known_at: date
) -> pl.LazyFrame:
    """One row per Hub day: the panel that its listing belongs to, and how much of the Hub that is.

    Complete sweeps are one panel. Other listings form one as long as each day lists mostly the
    models of the day before (`models_in_common`, the Jaccard index of the two sets, by the keys of
    the history). The size of the Hub is that of the sweep, else the count of the nearest day.
    """
    both = pl.col("models_before") - pl.col("models_left")
    in_common = pl.when(pl.col("models_before") > 0).then(
        both / (pl.col("models") + pl.col("models_left"))
    )
    is_whole = pl.col("is_whole_sweep")
    begins = (in_common.fill_null(0.0) < SAME_PANEL) | is_whole.shift(1).fill_null(value=True)
    first = pl.when(begins & ~is_whole).then(pl.col("as_of_date")).forward_fill()
    days = raw_hub_history_days.rename({"snapshot_date": "as_of_date"}).sort("as_of_date")
    named = days.with_columns(
        in_common.alias("models_in_common"),
        pl.when(is_whole)
        .then(pl.lit(WHOLE))
        .otherwise(pl.format("excerpt_{}", first))
        .alias("panel_id"),
    )
    return _sized(named, as_known(raw_registry_hub_sizes, known_at)).select(
        *contract("core.hub_panels").columns
    )


def _sized(days: pl.LazyFrame, sizes: pl.LazyFrame) -> pl.LazyFrame:
    """Adds the size of the Hub by the nearest count, the earlier of two equally near."""
    is_whole = pl.col("is_whole_sweep")
    total = pl.when(is_whole).then("models").otherwise("n_models")
    share = (pl.col("models") / pl.col("hub_models_total")).clip(upper_bound=1.0)
    return (
        with_nearest_count(days, sizes)
        .with_columns(
            total.alias("hub_models_total"),
            pl.when(is_whole).then("as_of_date").otherwise("counted_on").alias("hub_counted_on"),
            pl.when(is_whole)
            .then(pl.lit("this sweep"))
            .otherwise("basis")
            .alias("hub_count_basis"),
            pl.col("models").alias("panel_models"),
            pl.when(is_whole).then(1.0).alias("panel_share_of_downloads"),
        )
        .with_columns(share.alias("panel_share_of_models"))
    )
