"""Tests of who is ahead on LMArena's boards, and by how much."""

from __future__ import annotations

import polars as pl

from transforms.arena.leaders import expected_win_rate
from transforms.arena.probability_best import log_normal_cdf
from transforms.claims.arena_boards import (
    CATALOG,
    SERIES,
    belongs_to,
    board_days,
    examined,
    examined_share,
    is_complete,
    on_boards,
    strict_source,
)
from transforms.claims.requests import for_tests, nearest, to_answers
from transforms.numeric.exact_sums import exactly


def arena_first(requests: pl.LazyFrame, rated: pl.LazyFrame) -> pl.LazyFrame:
    """Answers: the sum of the chances of the holder's models to be the best."""
    wanted = for_tests(requests, "arena_first")
    known = rated.filter(pl.col("probability_best").is_not_null())
    models = on_boards(nearest(wanted, board_days(known), SERIES, in_force=True), known)
    sure, possible = belongs_to()
    chance = pl.col("probability_best")
    sums = models.group_by("request", "observed_on").agg(
        exactly(chance.filter(sure)).clip(0, 1).alias("value"),
        exactly(chance.filter(possible)).clip(0, 1).alias("high"),
        is_complete(),
    )
    return to_answers(
        sums.join(examined(models), on="request").with_columns(coverage_time=pl.lit(1.0))
    )


def arena_lead(requests: pl.LazyFrame, rated: pl.LazyFrame) -> pl.LazyFrame:
    """Answers: the best rating of one holder against the best of another on a board with both.

    The outer bounds are those of the ratings. A model in doubt may be the best of either.
    """
    wanted = for_tests(requests, "arena_lead")
    boards = wanted.join(rated.rename({"publish_date": "observed_on"}), on=SERIES)
    pairs = (
        boards.group_by("request", "observed_on")
        .agg(
            *_best("mine", "subject"),
            *_best("theirs", "other"),
            examined_share(),
            strict_source(),
            pl.col("sure_from").max(),
        )
        .drop_nulls(["mine", "theirs"])
        .with_columns(
            (pl.min_horizontal("mine", "theirs") >= pl.col("sure_from")).alias("is_whole")
        )
    )
    low, high = _lead("mine", "theirs_possible"), _lead("mine_possible", "theirs")
    return to_answers(
        nearest(wanted, pairs, ["request"], in_force=True).with_columns(
            _lead("mine", "theirs").alias("value"),
            low.alias("low"),
            high.alias("high"),
            pl.min_horizontal(low, _lead("mine_lower", "theirs_upper")).alias("value_lower"),
            pl.max_horizontal(high, _lead("mine_upper", "theirs_lower")).alias("value_upper"),
            coverage_time=pl.lit(1.0),
        )
    )


def _best(side: str, holder: str) -> list[pl.Expr]:
    """Rating of the holder's best model, its bounds, and the best that may be the holder's."""
    sure, possible = belongs_to(holder)
    rating = pl.col("rating")
    mine = rating.filter(sure)
    return [
        mine.max().alias(side),
        rating.filter(possible).max().alias(f"{side}_possible"),
        pl.col("rating_lower").filter(sure).sort_by(mine).last().alias(f"{side}_lower"),
        pl.col("rating_upper").filter(sure).sort_by(mine).last().alias(f"{side}_upper"),
    ]


def _lead(mine: str, theirs: str) -> pl.Expr:
    gap, scale = pl.col(mine) - pl.col(theirs), pl.col("scale")
    return (
        pl.when(scale == "points")
        .then(gap)
        .when(scale == "percent")
        .then(100 * gap / pl.col(theirs))
        .otherwise(expected_win_rate(gap))
    )


def arena_spread(requests: pl.LazyFrame, rated: pl.LazyFrame) -> pl.LazyFrame:
    """Answers: how far the first place of a board is above place N, in percent of the latter."""
    wanted = for_tests(requests, "arena_spread")
    models = on_boards(nearest(wanted, board_days(rated), SERIES, in_force=True), rated)
    rating = pl.col("rating").sort(descending=True)
    nth = rating.get(pl.col("top_n").first() - 1, null_on_oob=True)
    spreads = models.group_by("request", "observed_on").agg(
        (100 * (rating.first() - nth) / nth).alias("value"),
        (nth >= pl.col("sure_from").max()).alias("is_whole"),
        strict_source(),
    )
    return to_answers(spreads.drop_nulls("value").with_columns(coverage_time=pl.lit(1.0)))


def arena_ahead(requests: pl.LazyFrame, rated: pl.LazyFrame) -> pl.LazyFrame:
    """Answers: the probability that one model is better, with ratings as independent normals.

    It is Phi of the gap in standard deviations of the difference.
    """
    wanted = for_tests(requests, "arena_ahead")
    known = rated.filter(pl.col("variance").is_not_null()).select(
        *SERIES,
        pl.col("publish_date").alias("observed_on"),
        *("model_id", "rating", "variance", "has_catalog_rows"),
    )
    pairs = (
        wanted.select("request", *SERIES, "subject", "other")
        .join(known, left_on=[*SERIES, "subject"], right_on=[*SERIES, "model_id"])
        .join(
            known,
            left_on=[*SERIES, "other", "observed_on"],
            right_on=[*SERIES, "model_id", "observed_on"],
            suffix="_other",
        )
        .filter(pl.col("variance") + pl.col("variance_other") > 0)
    )
    deviation = (pl.col("variance") + pl.col("variance_other")).sqrt()
    z = (pl.col("rating") - pl.col("rating_other")) / deviation
    either = pl.col("has_catalog_rows") | pl.col("has_catalog_rows_other")
    found = pairs.select(
        "request",
        "observed_on",
        log_normal_cdf(z).exp().alias("value"),
        pl.when(either).then(pl.lit(CATALOG)).alias("strict_source"),
    )
    return to_answers(
        nearest(wanted, found, ["request"], in_force=True).with_columns(coverage_time=pl.lit(1.0))
    )
