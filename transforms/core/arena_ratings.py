"""core.arena_ratings."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.attribution import with_lab_and_country
from warehouse.contract import contract

BOARD = ["board", "category", "publish_date"]


def arena_ratings(
    raw_arena_leaderboards: pl.LazyFrame,
    namespaces: pl.LazyFrame,
    labs: pl.LazyFrame,
    as_of: date,
) -> pl.LazyFrame:
    """One row per board, category, publish date up to `as_of` and model, with its ranks.

    Where a board names a model twice, the line with more votes counts. `rank_ub` is the rank the
    site showed until July 2025: 1 + number of models whose lower bound exceeds my upper bound.
    """
    lines = raw_arena_leaderboards.rename(
        {
            "subset": "board",
            "leaderboard_publish_date": "publish_date",
            "model_name": "model_name_arena",
            "rating": "rating_arena",
            "rating_lower": "rating_arena_lower",
            "rating_upper": "rating_arena_upper",
            "rank": "rank_published",
        }
    ).with_columns(pl.col("board").str.ends_with("_style_control").alias("is_style_controlled"))
    lines = lines.filter(pl.col("publish_date") <= as_of)
    ranked = _with_rank_ub(_with_rank_ordinal(_once_per_model(lines)))
    placed = with_lab_and_country(
        ranked, namespaces, labs, system="lmarena", name="organization", day="publish_date"
    )
    return placed.select(*contract("core.arena_ratings").columns)


def _once_per_model(lines: pl.LazyFrame) -> pl.LazyFrame:
    return lines.sort("vote_count", "line", descending=[True, False], nulls_last=True).unique(
        [*BOARD, "model_name_arena"], keep="first", maintain_order=True
    )


def _with_rank_ordinal(lines: pl.LazyFrame) -> pl.LazyFrame:
    """1..N by rating; equal ratings keep the published order, then the name."""
    by = ["rating_arena", "rank_published", "model_name_arena"]
    ordered = lines.sort(
        *BOARD, *by, descending=[False] * 3 + [True, False, False], nulls_last=True
    )
    place = pl.col("rating_arena").is_not_null().cum_sum().over(BOARD).cast(pl.Int32)
    return ordered.with_columns(
        pl.when(pl.col("rating_arena").is_not_null()).then(place).alias("rank_ordinal")
    )


def _with_rank_ub(lines: pl.LazyFrame) -> pl.LazyFrame:
    """1 + lower bounds of the board that exceed the model's own upper bound."""
    lowers, upper = pl.col("rating_arena_lower").drop_nulls(), pl.col("rating_arena_upper")
    not_above = lowers.sort().search_sorted(upper, side="right").over(BOARD)
    rank = 1 + lowers.len().over(BOARD).cast(pl.Int32) - not_above.cast(pl.Int32)
    return lines.with_columns(pl.when(upper.is_not_null()).then(rank).alias("rank_ub"))
