"""core.hub_counter_spikes."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from transforms.hub.definitions import SPIKE_DAYS, SPIKE_FACTOR, SPIKE_OBSERVATIONS


def hub_counter_spikes(
    hub_daily_counters: pl.LazyFrame, raw_hub_earlier_counters: pl.LazyFrame
) -> pl.LazyFrame:
    """One row per day and model whose 30-day counter is far above the model's own recent past."""
    age = pl.col("snapshot_date") - pl.col("observed_date")
    usual = (
        raw_hub_earlier_counters.filter(
            age.is_between(timedelta(0), timedelta(days=SPIKE_DAYS), closed="right")
        )
        .group_by(pl.col("snapshot_date").alias("as_of_date"), "model_id_hf")
        .agg(
            pl.col("downloads_30d").median().alias("downloads_30d_usual"),
            pl.len().cast(pl.Int32).alias("n_observations"),
        )
        .filter(pl.col("n_observations") >= SPIKE_OBSERVATIONS)
    )
    return (
        hub_daily_counters.join(usual, on=["as_of_date", "model_id_hf"])
        .filter(pl.col("downloads_30d") > SPIKE_FACTOR * pl.col("downloads_30d_usual"))
        .select(
            "as_of_date", "model_id_hf", "downloads_30d", "downloads_30d_usual", "n_observations"
        )
    )
