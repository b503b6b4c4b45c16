"""core.arena_scale_segments."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.arena.scale import SERIES, is_break, shifts
from transforms.numeric.exact_sums import running
from transforms.registry.bitemporal import as_known
from warehouse.contracts.table import contract

ANY = "*"


def arena_scale_segments(
    arena_observations: pl.LazyFrame, raw_registry_arena_scale_breaks: pl.LazyFrame, known_at: date
) -> pl.LazyFrame:
    """One row per board, category and segment, with the break before it.

    A board begins a segment if the median of its common models with the board before (at least 5)
    moved by 10 points or more, or if a reviewed break lies after the earlier board and not after
    the later one. Only chosen ratings count.
    """
    chosen = arena_observations.filter(pl.col("is_chosen"))
    reviewed = _reviewed(shifts(chosen), as_known(raw_registry_arena_scale_breaks, known_at))
    steps = reviewed.with_columns(
        is_break(pl.col("shift_median"), pl.col("n_common_models")).alias("is_detected")
    )
    begins = (pl.col("is_detected") | pl.col("is_reviewed")).cast(pl.Int32)
    segment = 1 + running(begins.cast(pl.Int64)).over(SERIES, order_by="publish_date")
    about = "previous_publish_date", "n_common_models", "reason"
    return (
        steps.with_columns(segment.cast(pl.Int32).alias("segment_id"))
        .sort(*SERIES, "publish_date")
        .group_by(*SERIES, "segment_id", maintain_order=True)
        .agg(
            pl.col("publish_date").first().alias("first_publish_date"),
            pl.col("publish_date").last().alias("last_publish_date"),
            pl.len().cast(pl.Int32).alias("n_publish_dates"),
            pl.col(*about, "is_detected", "is_reviewed").first(),
            pl.col("^shift_.*$").first(),
        )
        .select(*contract("core.arena_scale_segments").columns)
    )


def _reviewed(steps: pl.LazyFrame, breaks: pl.LazyFrame) -> pl.LazyFrame:
    """Adds `is_reviewed` and `reason` of a reviewed break between a board and the previous one."""
    day = pl.col("break_date")
    meant = (pl.col("named_board") == ANY) | (pl.col("named_board") == pl.col("board"))
    meant &= (pl.col("named_category") == ANY) | (pl.col("named_category") == pl.col("category"))
    between = (pl.col("previous_publish_date") < day) & (day <= pl.col("publish_date"))
    known = breaks.select(
        "reason", named_board="board", named_category="category", break_date="publish_date"
    )
    key = [*SERIES, "publish_date"]
    found = (
        steps.select(*key, "previous_publish_date")
        .join(known, how="cross")
        .filter(between & meant)
        .group_by(key)
        .agg(
            pl.col("reason")
            .sort_by("break_date", "reason")
            .unique(maintain_order=True)
            .str.join("; ")
        )
    )
    return steps.join(found, on=key, how="left").with_columns(
        pl.col("reason").is_not_null().alias("is_reviewed")
    )
