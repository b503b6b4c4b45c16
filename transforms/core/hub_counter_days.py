"""core.hub_counter_days."""

from __future__ import annotations

import polars as pl

from warehouse.contracts.table import contract

STALE_SHARE = 0.5  # of the models with 100 downloads; 0 to 7 % on a normal day
FALL_SHARE = 0.3


def hub_counter_days(raw_hub_history_days: pl.LazyFrame) -> pl.LazyFrame:
    """One row per snapshot day: the changes since the snapshot before, and whether they are valid.

    A day on which most counters of used models did not change, or on which the sum over the same
    models fell far, is flagged. Nothing is repaired or carried over.
    """
    change = pl.col("downloads_30d_compared") - pl.col("downloads_30d_compared_before")
    days = (pl.col("as_of_date") - pl.col("previous_date")).dt.total_days().cast(pl.Int32)
    differenced = pl.col("models_compared_all_time") > 0
    falls = ("downloads_all_time_falls", "models_fallen_all_time")
    return (
        raw_hub_history_days.rename({"snapshot_date": "as_of_date"})
        .with_columns(
            days.alias("days"),
            unchanged_share=_share("models_unchanged", "models_compared"),
            unchanged_share_100=_share("models_unchanged_100", "models_compared_100"),
            downloads_30d_change_share=_share(change, "downloads_30d_compared_before"),
            downloads_new=pl.when(differenced).then("downloads_all_time_rises"),
        )
        .with_columns(
            *(pl.when(differenced).then(column).alias(column) for column in falls),
            _outage().alias("counter_outage"),
        )
        .select(*contract("core.hub_counter_days").columns)
    )


def _outage() -> pl.Expr:
    return (
        pl.when(pl.col("unchanged_share_100") >= STALE_SHARE)
        .then(pl.lit("stale_day"))
        .when(pl.col("downloads_30d_change_share") < -FALL_SHARE)
        .then(pl.lit("total_fell"))
    )


def _share(part: str | pl.Expr, whole: str) -> pl.Expr:
    """A share of a column; null if that is 0."""
    share = (pl.col(part) if isinstance(part, str) else part) / pl.col(whole)
    return pl.when(pl.col(whole) > 0).then(share)
