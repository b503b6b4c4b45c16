"""The boards behind the tests on LMArena, and whose their models are.

A model whose label does not say whether its weights are open, and a model whose lab has not been
examined, are in doubt: the bounds count them both ways.
"""

from __future__ import annotations

import polars as pl

from transforms.claims.completeness import incomplete_snapshots
from transforms.numeric.exact_sums import rate
from transforms.registry.attribution import NOT_EXAMINED

SERIES = ["board", "category"]
_BOARD = [*SERIES, "publish_date"]
_MODELS = [
    *(*_BOARD, "model_id", "model_name_arena", "lab_id", "country_code"),
    *("is_open_weights", "rating", "rating_lower", "rating_upper", "variance"),
    *("rank_ub", "probability_best", "has_catalog_rows", "n_missing"),
]
CATALOG = "arena_catalog"


def rated_models(
    requests: pl.LazyFrame, arena_ratings: pl.LazyFrame, meta_snapshots: pl.LazyFrame
) -> pl.LazyFrame:
    """The rated models of the requested boards, with `sure_from`.

    `sure_from` is the lowest rating above which the board lacks no model. An incomplete board may
    lack models below its last one; a board with a refused row may lack one anywhere.
    """
    parts = incomplete_snapshots(meta_snapshots).select("snapshot_id", is_part=pl.lit(True))
    is_part = pl.col("is_part").fill_null(value=False).any().over(_BOARD)
    sure_from = (
        pl.when(pl.col("n_missing") > 0)
        .then(float("inf"))
        .when(is_part)
        .then(pl.col("rating").min().over(_BOARD))
        .otherwise(float("-inf"))
    )
    return (
        arena_ratings.filter(pl.col("rating").is_not_null())
        .join(requests.select(SERIES).unique(), on=SERIES, how="semi")
        .select(*_MODELS, "snapshot_id")
        .join(parts, on="snapshot_id", how="left")
        .with_columns(sure_from.alias("sure_from"))
        .collect()  # few boards, and every test reads them
        .lazy()
    )


def board_days(rated: pl.LazyFrame) -> pl.LazyFrame:
    """One row per board, category and publish date (`observed_on`)."""
    return rated.select(*SERIES, pl.col("publish_date").alias("observed_on")).unique()


def is_complete() -> pl.Expr:
    """Whether no board of a request lacks a model."""
    return (pl.col("sure_from") == float("-inf")).all().alias("is_whole")


def on_boards(dated: pl.LazyFrame, rated: pl.LazyFrame) -> pl.LazyFrame:
    """The models on each request's board; `counts` and `may_count` say whether access fits."""
    models = dated.join(rated, left_on=[*SERIES, "observed_on"], right_on=_BOARD)
    any_access = pl.col("access").fill_null("all") == "all"
    is_open = pl.col("is_open_weights")
    return models.with_columns(
        (any_access | is_open).fill_null(False).alias("counts"),
        (any_access | is_open).fill_null(True).alias("may_count"),
    )


def examined_share() -> pl.Expr:
    """The part of a group's models whose country was examined."""
    return (1 - rate(pl.col("country_code") == NOT_EXAMINED)).alias("coverage_names")


def strict_source() -> pl.Expr:
    """The source under strict terms that a group has rows of, if any."""
    strict = pl.when(pl.col("has_catalog_rows").any()).then(pl.lit(CATALOG)).first()
    return strict.alias("strict_source")


def examined(models: pl.LazyFrame) -> pl.LazyFrame:
    """`coverage_names` and `strict_source` of each request."""
    return models.group_by("request").agg(examined_share(), strict_source())


def belongs_to(column: str = "subject") -> tuple[pl.Expr, pl.Expr]:
    """Whether a model surely belongs to the holder in `column` or is it, and whether it may."""
    by, holder = pl.col("by"), pl.col(column)
    is_open = pl.col("is_open_weights")
    sure = (
        pl.when(by == "country")
        .then(pl.col("country_code") == holder)
        .when(by == "lab")
        .then(pl.col("lab_id") == holder)
        .when(by == "model")
        .then(pl.col("model_id") == holder)
        .otherwise(is_open == (holder == "open"))
    )
    unknown = (
        pl.when(by == "country")
        .then(pl.col("country_code") == NOT_EXAMINED)
        .when(by == "lab")
        .then(pl.col("lab_id").is_null())
        .when(by == "model")
        .then(pl.lit(value=False))
        .otherwise(is_open.is_null())
    )
    return sure.fill_null(False), sure.fill_null(False) | unknown
