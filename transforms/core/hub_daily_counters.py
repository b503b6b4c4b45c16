"""core.hub_daily_counters."""

from __future__ import annotations

import polars as pl


def hub_daily_counters(
    raw_hub_models: pl.LazyFrame, hub_suspected_doubles: pl.LazyFrame
) -> pl.LazyFrame:
    """One row per snapshot day and model, with the counters as observed.

    A repository that the snapshot lists under two ids has one row, under its present id.
    """
    listed = raw_hub_models.select(
        pl.col("snapshot_date").alias("as_of_date"),
        "model_id_hf",
        "downloads_30d",
        "downloads_all_time",
        "likes",
        "trending_score",
    )
    twice = hub_suspected_doubles.filter("is_counted_once").select("as_of_date", "model_id_hf")
    return listed.join(twice, on=["as_of_date", "model_id_hf"], how="anti")
