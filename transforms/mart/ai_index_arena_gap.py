"""mart.ai_index_arena_gap."""

from __future__ import annotations

import polars as pl

from transforms.arena.leaders import expected_win_rate
from warehouse.contracts.table import contract

# comparison -> its series, the first subject, the second
COMPARED = {
    "us_vs_cn": ("arena_best_by_country", "US", "CN"),
    "closed_vs_open": ("arena_best_by_access", "closed", "open"),
}


def ai_index_arena_gap(ai_index_series: pl.LazyFrame) -> pl.LazyFrame:
    """One row per edition, comparison and month that has both best models.

    Ratings are logarithmic: their difference gives a win rate, their ratio has no meaning.
    """
    best = ai_index_series.filter(pl.col("is_preferred"))
    first, second = pl.col("rating_first"), pl.col("rating_second")
    gap = first - second
    top, other = pl.max_horizontal(first, second), pl.min_horizontal(first, second)
    return (
        pl.concat([_pairs(best, name, *compared) for name, compared in COMPARED.items()])
        .with_columns(
            gap.alias("gap_points"),
            (100 * (top / other - 1)).alias("printed_gap_pct"),
            expected_win_rate(gap).alias("expected_win_rate"),
        )
        .select(*contract("mart.ai_index_arena_gap").columns)
    )


def _pairs(
    best: pl.LazyFrame, comparison: str, series: str, first: str, second: str
) -> pl.LazyFrame:
    mine = best.filter(pl.col("series") == series)
    a, b = (mine.filter(pl.col("subject_key") == key) for key in (first, second))
    month = ["edition", "period"]
    return (
        a.join(b.select(*month, pl.col("value").alias("rating_second")), on=month)
        .drop_nulls(["value", "rating_second"])
        .with_columns(
            pl.lit(comparison).alias("comparison"),
            pl.col("value").alias("rating_first"),
            pl.col("basis").fill_null("not stated").alias("board"),
        )
    )
