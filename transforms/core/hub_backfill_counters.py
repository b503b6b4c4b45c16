"""core.hub_backfill_counters."""

from __future__ import annotations

import polars as pl

from warehouse.contracts.table import contract


def hub_backfill_counters(raw_hub_stats_models: pl.LazyFrame) -> pl.LazyFrame:
    """One row per day and model of the third party's copies, unchanged."""
    return raw_hub_stats_models.rename({"snapshot_date": "as_of_date"}).select(
        *contract("core.hub_backfill_counters").columns
    )
