"""core.hub_counter_days."""

from __future__ import annotations

import polars as pl

STALE_SHARE = 0.5  # of the models with 100 downloads; 0 to 7 % on a normal day
FALL_SHARE = 0.3


def hub_counter_days(raw_hub_history_days: pl.LazyFrame) -> pl.LazyFrame:
    """One row per snapshot day: what moved since the snapshot before, and whether to believe it.

    A day on which most counters of used models stand still, or the sum of the same models falls
    far, is flagged; nothing is repaired or carried.
    """
    change = pl.col("downloads_30d_compared") - pl.col("downloads_30d_compared_before")
    differenced = pl.col("models_compared_all_time") > 0
    return raw_hub_history_days.with_columns(
        _share(pl.col("models_unchanged"), pl.col("models_compared")).alias("unchanged_share"),
        _share(pl.col("models_unchanged_100"), pl.col("models_compared_100")).alias(
            "unchanged_share_100"
        ),
        _share(change, pl.col("downloads_30d_compared_before")).alias("downloads_30d_change_share"),
        (pl.col("snapshot_date") - pl.col("previous_date"))
        .dt.total_days()
        .cast(pl.Int32)
        .alias("days"),
    ).select(
        pl.col("snapshot_date").alias("as_of_date"),
        "previous_date",
        "days",
        "is_whole_sweep",
        "models",
        "models_changed",
        "models_new",
        "models_left",
        "models_returned",
        "models_compared",
        "unchanged_share",
        "models_compared_100",
        "unchanged_share_100",
        "downloads_30d",
        "downloads_30d_change_share",
        pl.when(differenced).then(pl.col("downloads_all_time_rises")).alias("downloads_new"),
        pl.when(differenced).then(pl.col("downloads_all_time_falls")),
        pl.when(differenced).then(pl.col("models_fallen_all_time")),
        _outage().alias("counter_outage"),
    )


def _outage() -> pl.Expr:
    return (
        pl.when(pl.col("unchanged_share_100") >= STALE_SHARE)
        .then(pl.lit("stale_day"))
        .when(pl.col("downloads_30d_change_share") < -FALL_SHARE)
        .then(pl.lit("total_fell"))
    )


def _share(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """Null where there is nothing to be a share of."""
    return pl.when(whole > 0).then(part / whole)
