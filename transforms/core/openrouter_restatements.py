"""core.openrouter_restatements."""

from __future__ import annotations

import polars as pl

from warehouse.contracts.table import contract

_ROW = ["day", "model_permaslug"]


def openrouter_restatements(raw_openrouter_rankings: pl.LazyFrame) -> pl.LazyFrame:
    """One row per day, model and snapshot whose figure differs from the snapshot before it.

    Only snapshots that have the day are compared. A model can enter or leave the list.
    """
    snapshots = raw_openrouter_rankings.select("day", "snapshot_id", "snapshot_date").unique()
    steps = snapshots.with_columns(
        pl.col("snapshot_id")
        .shift()
        .over("day", order_by="snapshot_id")
        .alias("previous_snapshot_id")
    ).drop_nulls("previous_snapshot_id")
    figures = raw_openrouter_rankings.select("snapshot_id", *_ROW, "total_tokens")
    after = steps.join(figures, on=["snapshot_id", "day"]).rename({"total_tokens": "tokens_after"})
    before = steps.join(
        figures.rename({"snapshot_id": "previous_snapshot_id", "total_tokens": "tokens_before"}),
        on=["previous_snapshot_id", "day"],
    )
    key = [*_ROW, "snapshot_id", "snapshot_date", "previous_snapshot_id"]
    both = after.join(before, on=key, how="full", coalesce=True)
    return both.filter(pl.col("tokens_before").ne_missing(pl.col("tokens_after"))).select(
        *contract("core.openrouter_restatements").columns
    )
