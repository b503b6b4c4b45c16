"""The best model of each country or lab on every board, for both leader marts."""

from __future__ import annotations

import math

import polars as pl

from transforms.arena.refused import ranked_boards
from transforms.arena.scale import BOARD, PLACED
from transforms.numeric.exact_sums import exactly, how_many

TOPS = (1, 3, 5, 10, 20, 50, 100)
_NEEDED = [
    *(*BOARD, "is_style_controlled", "segment_id", "has_catalog_rows"),
    *("model_name_arena", "model_id", "lab_id", "country_code", "is_open_weights"),
    *("rating", "rating_lower", "rating_upper", "variance"),
    *PLACED[:2],
    *("n_tied", "rank_ub"),
    *("probability_best", "probability_reason"),
]


def leaders_by(arena_ratings: pl.LazyFrame, holder: str) -> pl.LazyFrame:
    """One row per board, category, publish date and `holder`: its best model by ordinal rank.

    A rank is 1 + the number of models of the board with a strictly higher rating. Among several
    best models with the same rating, the one with the best published rank is named, else the first
    by name (`best_n_tied`). Models without a value of `holder` have no row, but they have ranks,
    can lead and count as models of the board. Gaps are within one board, category and date. The
    expected win rate is that of the Bradley-Terry model behind the ratings, base 10 and scale 400.
    For the probabilities see `transforms.arena.probability_best`.
    """
    rated = ranked_boards(arena_ratings).select(_NEEDED)
    placed = rated.with_columns(
        pl.col("rating").max().over(BOARD).alias("leader_rating"),
        pl.len().over(BOARD).cast(pl.Int32).alias("n_models_board"),
        pl.col("rank_ordinal").filter("is_open_weights").min().over(BOARD).alias("first_open"),
    ).filter(pl.col(holder).is_not_null())
    best = (
        placed.sort(*BOARD, *PLACED, nulls_last=True)
        .group_by(*BOARD, holder, maintain_order=True)
        .agg(*_best(), *_best_open(), *_counts())
    )
    gap = pl.col("leader_rating") - pl.col("rating")
    open_gap = pl.col("leader_rating") - pl.col("best_open_rating")
    is_first_open = (pl.col("best_open_rank_ordinal") == pl.col("first_open")).fill_null(False)
    return _with_style_control(best, holder).with_columns(
        gap.alias("gap_to_leader"),
        expected_win_rate(gap).alias("expected_win_rate_of_leader"),
        open_gap.alias("best_open_gap_to_leader"),
        is_first_open.alias("is_open_weight_leader"),
    )


def _with_style_control(best: pl.LazyFrame, holder: str) -> pl.LazyFrame:
    """Adds the holder's best rank by upper bound on the style-controlled board of that day.

    Any of its models counts, since some are on that board only.
    """
    plain = pl.col("board").str.strip_suffix("_style_control").alias("plain_board")
    key = ["plain_board", *BOARD[1:], holder]
    named = best.with_columns(plain)
    controlled = named.filter("is_style_controlled").select(
        *key, pl.col("best_rank_ub").alias("best_rank_ub_style_control")
    )
    return named.join(controlled, on=key, how="left").drop("plain_board")


def expected_win_rate(gap: pl.Expr) -> pl.Expr:
    """How often the model that is `gap` points ahead would win, ties as half.

    1 / (1 + 10^(-gap/400)), computed with `exp` and a product: Polars has two ways to divide by a
    number, and which one it uses depends on the number of rows.
    """
    return 1 / (1 + (-gap * (math.log(10) / 400)).exp())


def _best() -> list[pl.Expr]:
    """The holder's first model, and its best rank of each kind."""
    is_known = pl.col("probability_reason").first().is_null()
    sum_of_all = exactly(pl.col("probability_best").fill_null(0.0))
    return [
        pl.col("is_style_controlled", "segment_id", "has_catalog_rows").first(),
        pl.col("model_name_arena").first().alias("best_model"),
        pl.col("model_id").first().alias("best_model_id"),
        pl.col("lab_id").first().alias("best_lab_id"),
        pl.col("country_code").first().alias("best_country_code"),
        pl.col("rank_ordinal").first().alias("best_rank_ordinal"),
        pl.col("n_tied").first().alias("best_n_tied"),
        pl.col("rank_ub").min().alias("best_rank_ub"),
        pl.col("rating", "rating_lower", "rating_upper", "leader_rating").first(),
        pl.col("probability_best", "probability_reason").first(),
        pl.when(is_known).then(sum_of_all.clip(upper_bound=1.0)).alias("probability_first"),
    ]


def _best_open() -> list[pl.Expr]:
    """The same for its first model with open weights; null if it has none."""
    is_open = pl.col("is_open_weights")
    return [
        pl.col("model_name_arena").filter(is_open).first().alias("best_open_model"),
        pl.col("model_id").filter(is_open).first().alias("best_open_model_id"),
        pl.col("rank_ordinal").filter(is_open).first().alias("best_open_rank_ordinal"),
        pl.col("rating").filter(is_open).first().alias("best_open_rating"),
        pl.col("first_open").first(),
    ]


def _counts() -> list[pl.Expr]:
    counts = {
        **{f"n_top{n}": how_many(pl.col("rank_ordinal") <= n) for n in TOPS},
        "n_models": pl.len(),
        "n_open_models": how_many(pl.col("is_open_weights")),
        "n_models_license_unknown": pl.col("is_open_weights").null_count(),
    }
    return [count.cast(pl.Int32).alias(name) for name, count in counts.items()] + [
        pl.col("n_models_board").first()
    ]
