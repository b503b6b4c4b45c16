"""mart.arena_leaders."""

from __future__ import annotations

import polars as pl

from warehouse.contract import contract

BOARD = ["board", "category", "publish_date"]


def arena_leaders(arena_ratings: pl.LazyFrame, countries: pl.LazyFrame) -> pl.LazyFrame:
    """One row per board, category, publish date and country: its best model by ordinal rank.

    Gaps hold within one board, category and date alone. The expected win rate is that of the
    Bradley-Terry model behind the ratings, base 10 and scale 400.
    """
    rated = arena_ratings.filter(pl.col("rating_arena").is_not_null()).sort(*BOARD, "rank_ordinal")
    best = rated.group_by(*BOARD, "country_code", maintain_order=True).agg(
        pl.col("is_style_controlled").first(),
        pl.col("model_name_arena").first().alias("best_model"),
        pl.col("lab_id").first().alias("best_lab_id"),
        pl.col("rank_ordinal").first().alias("best_rank_ordinal"),
        pl.col("rank_ub").first().alias("best_rank_ub"),
        pl.col("rating_arena").first().alias("rating"),
        *(_count_top(n) for n in (10, 20, 100)),
        pl.len().cast(pl.Int32).alias("n_models"),
    )
    gap = pl.col("rating").max().over(BOARD) - pl.col("rating")
    return (
        best.with_columns(
            gap.alias("gap_to_leader"),
            pl.col("n_models").sum().over(BOARD).cast(pl.Int32).alias("n_models_board"),
        )
        .with_columns(
            (1 / (1 + 10 ** (-pl.col("gap_to_leader") / 400))).alias("expected_win_rate_of_leader")
        )
        .join(countries, on="country_code", how="left")
        .select(*contract("mart.arena_leaders").columns)
    )


def _count_top(n: int) -> pl.Expr:
    return (pl.col("rank_ordinal") <= n).sum().cast(pl.Int32).alias(f"n_top{n}")
