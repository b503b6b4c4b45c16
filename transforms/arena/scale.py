"""Ratings across dates: the only module that may difference the series of a board.

A rating is defined up to an anchor and a method, and both have changed overnight. Ratings of one
board and category are comparable across dates within a segment of core.arena_scale_segments, and
never across its ends. No other module of `transforms` takes differences of ratings along dates
(a test reads their syntax); this one requires a segment.
"""

from __future__ import annotations

import polars as pl

from transforms.numeric.exact_sums import mean

SERIES = ["board", "category"]
BOARD = [*SERIES, "publish_date"]
# The order of a board's models. Models with equal ratings share their rank; the published rank,
# then the name decide which of them every table names.
PLACED = ["rank_ordinal", "rank_published", "model_name_arena"]
DETECTED = 10.0  # arena points: a median shift of this size is a break
ENOUGH = 5  # common models that a detected break needs


class ScaleError(ValueError):
    """A difference of ratings that may cross a break of the scale."""


def change_within_segment(ratings: pl.LazyFrame) -> pl.LazyFrame:
    """Adds `previous_publish_date` and `rating_change` since the model's previous board.

    Both are null for a model's first board in a segment, for unrated rows (which are skipped) and
    for rows without a segment. The number of rows does not change.

    Raises ScaleError if board, category, publish_date, segment_id, model_id or rating is missing.
    """
    needed = [*BOARD, "segment_id", "model_id", "rating"]
    if lacks := [c for c in needed if c not in ratings.collect_schema()]:
        raise ScaleError(
            f"ratings cannot be compared across dates without {', '.join(lacks)}; "
            "read them from core.arena_ratings, whose segments say where a scale breaks"
        )
    model = [*SERIES, "segment_id", "model_id"]
    comparable = pl.col("rating").is_not_null() & pl.col("segment_id").is_not_null()
    before = pl.col("publish_date", "rating").shift(1).over(model, order_by="publish_date")
    changes = (
        ratings.filter(comparable)
        .select(*model, "publish_date", before.name.prefix("previous_"), now="rating")
        .select(
            *model,
            "publish_date",
            "previous_publish_date",
            (pl.col("now") - pl.col("previous_rating")).alias("rating_change"),
        )
    )
    return ratings.join(changes, on=[*model, "publish_date"], how="left")


def with_lowest_record(
    levels: pl.LazyFrame, records: pl.LazyFrame, *, level: str, reached: str, by: list[str]
) -> pl.LazyFrame:
    """Joins to every level the lowest record that is at least as high, within one segment.

    `by` are the columns that both sides share; rows without such a record get nulls.

    Raises ScaleError if `by` lacks board, category or segment_id.
    """
    if lacks := [c for c in (*SERIES, "segment_id") if c not in by]:
        raise ScaleError(f"levels are comparable within one scale only: `by` lacks {lacks}")
    return levels.sort(level).join_asof(
        records.sort(reached),
        left_on=level,
        right_on=reached,
        by=by,
        strategy="forward",
        check_sortedness=False,
    )


def consecutive_boards(ratings: pl.LazyFrame) -> pl.LazyFrame:
    """One row per board, category and publish date, with the date of the board before it."""
    previous = pl.col("publish_date").shift(1).over(SERIES, order_by="publish_date")
    return ratings.select(BOARD).unique().with_columns(previous.alias("previous_publish_date"))


def shifts(ratings: pl.LazyFrame) -> pl.LazyFrame:
    """How the models of each board moved since the board before it, to detect breaks.

    One row per board, category and publish date, with n_common_models and the median, mean,
    smallest and largest change of the models rated on both, or null. This compares across breaks
    and is for core.arena_scale_segments only.
    """
    rated = ratings.select(*BOARD, "model_id", "rating").drop_nulls("rating")
    boards = consecutive_boards(ratings)
    earlier = rated.rename({"publish_date": "previous_publish_date", "rating": "before"})
    change = pl.col("change")
    moved = (
        # left: Polars reorders inner joins, here into every pair of dates of a model
        rated.join(boards, on=BOARD, how="left")
        .join(earlier, on=[*SERIES, "previous_publish_date", "model_id"])
        .select(*BOARD, (pl.col("rating") - pl.col("before")).alias("change"))
        .group_by(BOARD)
        .agg(
            pl.len().cast(pl.Int32).alias("n_common_models"),
            change.median().alias("shift_median"),
            mean(change).alias("shift_mean"),
            change.min().alias("shift_min"),
            change.max().alias("shift_max"),
        )
    )
    has_before = pl.col("previous_publish_date").is_not_null()
    common = pl.when(has_before).then(pl.col("n_common_models").fill_null(0))
    return boards.join(moved, on=BOARD, how="left").with_columns(common)


def is_break(median: pl.Expr, common: pl.Expr) -> pl.Expr:
    """Whether the common models of two boards show a change of the scale between them."""
    return ((median.abs() >= DETECTED) & (common >= ENOUGH)).fill_null(value=False)
