"""core.hub_backfill_counters."""

from __future__ import annotations

import polars as pl


def hub_backfill_counters(raw_hub_stats_models: pl.LazyFrame) -> pl.LazyFrame:
    """One row per day and model of the third party's copies, as they were."""
    return raw_hub_stats_models.select(
        pl.col("snapshot_date").alias("as_of_date"),
        "model_id_hf",
        "object_id_hf",
        "author",
        "created_at",
        "downloads_30d",
        "downloads_all_time",
        "likes",
    )
