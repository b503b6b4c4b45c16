"""Tests of places on LMArena's boards: arena_count, arena_rank."""

from __future__ import annotations

import polars as pl

from transforms.claims.arena_boards import (
    SERIES,
    belongs_to,
    board_days,
    examined,
    is_complete,
    on_boards,
)
from transforms.claims.requests import for_tests, nearest, part, to_answers
from transforms.numeric.exact_sums import how_many
from transforms.registry.attribution import NOT_EXAMINED


def arena_count(requests: pl.LazyFrame, rated: pl.LazyFrame) -> pl.LazyFrame:
    """Answers: the country's models among the first N that count; the most over a period."""
    dated = _dated(for_tests(requests, "arena_count"), board_days(rated))
    models = on_boards(dated, rated)
    key = ["request", "observed_on"]
    best = (
        _counts(models, key)
        .sort("request", "value", "observed_on", descending=[False, True, False])
        .group_by("request", maintain_order=True)
        .agg(pl.col("value", "observed_on").first(), pl.col("low").max(), _highest())
    )
    whole = models.group_by(key).agg(_has_first_places()).group_by("request")
    return to_answers(
        best.join(examined(models), on="request")
        .join(_months(dated), on="request")
        .join(whole.agg(pl.col("is_whole").all()), on="request")
    )


def _counts(models: pl.LazyFrame, key: list[str]) -> pl.LazyFrame:
    """`value` of each request and board, with the lowest and the highest that it may be."""
    country = pl.col("country_code")
    is_mine = country == pl.col("subject")
    may_be = is_mine | (country == NOT_EXAMINED)
    counts, may_count = pl.col("counts"), pl.col("may_count")
    # Lowest: models of others that may count take places, and of equal ratings theirs come first.
    against = models.filter(counts | (may_count & ~is_mine))
    in_favor = models.filter(counts | (may_count & may_be))
    value = _among_first(models.filter(counts), is_mine, ties_count=True)
    low = _among_first(against, is_mine & counts, ties_count=False)
    high = _among_first(in_favor, may_be, ties_count=True)
    return (
        value.rename({"n": "value"})
        .join(low.rename({"n": "low"}), on=key)
        .join(high.rename({"n": "high"}), on=key)
    )


def _has_first_places() -> pl.Expr:
    """Whether the board is complete, or has N models that count above any that it may lack."""
    sure = how_many(pl.col("counts") & (pl.col("rating") >= pl.col("sure_from")))
    return (is_complete() | (sure >= pl.col("top_n").first())).alias("is_whole")


def _highest() -> pl.Expr:
    """Models in doubt can also push several that share a rank out of the first N."""
    return pl.max_horizontal("high", "value").max().alias("high")


def _is_over_a_period() -> pl.Expr:
    return pl.col("period_from").is_not_null() & (pl.col("moment") == "stated")


def _dated(wanted: pl.LazyFrame, days: pl.LazyFrame) -> pl.LazyFrame:
    """Every board of the period for the stated moment; the nearest board otherwise."""
    over = _is_over_a_period()
    every = (
        wanted.filter(over)
        .join(days, on=SERIES)
        .filter(pl.col("observed_on").is_between("period_from", "period_to"))
        .filter(pl.col("observed_on") <= pl.col("clock"))
    )
    one = nearest(wanted.filter(~over), days, SERIES, in_force=True)
    return pl.concat([every, one.select(every.collect_schema().names())])


def _months(dated: pl.LazyFrame) -> pl.LazyFrame:
    """The part of a period's months that have a board; 1 for a single day."""
    start, end = pl.col("period_from"), pl.col("period_to")
    due = (end.dt.year() - start.dt.year()) * 12 + end.dt.month() - start.dt.month() + 1
    seen = dated.group_by("request").agg(
        pl.col("observed_on").dt.truncate("1mo").n_unique().alias("seen"),
        pl.when(_is_over_a_period()).then(due.cast(pl.Int64)).otherwise(1).first().alias("due"),
    )
    return seen.select("request", part(pl.col("seen"), pl.col("due")).alias("coverage_time"))


def _among_first(models: pl.LazyFrame, hit: pl.Expr, *, ties_count: bool) -> pl.LazyFrame:
    """`n` of each request and board: hits of rank N or better, 1 + number of strictly better ones.

    Ties share a rank. Where they do not count, the N places are given out one by one, and of
    equal ratings the hits come last.
    """
    by = ["request", "observed_on"]
    rating = pl.col("rating")
    shared = rating.rank("min", descending=True).over(by)
    one_by_one = pl.struct(-rating, "hit").rank("ordinal").over(by)
    ranked = models.with_columns(hit.fill_null(False).alias("hit")).with_columns(
        (shared if ties_count else one_by_one).alias("place")
    )
    inside = pl.col("hit") & (pl.col("place") <= pl.col("top_n"))
    return ranked.group_by(by).agg(how_many(inside).alias("n"))


def arena_rank(requests: pl.LazyFrame, rated: pl.LazyFrame) -> pl.LazyFrame:
    """Answers: 1 + models above the holder's best one, by rating or surely by their bounds."""
    wanted = for_tests(requests, "arena_rank")
    bounded = board_days(rated.filter(pl.col("rank_ub").is_not_null()))
    is_ub = pl.col("rank") == "ub"
    dated = pl.concat(
        [
            nearest(wanted.filter(~is_ub), board_days(rated), SERIES, in_force=True),
            nearest(wanted.filter(is_ub), bounded, SERIES, in_force=True),
        ]
    )
    sure, possible = belongs_to()
    models = on_boards(dated, rated).with_columns(
        pl.when(is_ub).then("rating_upper").otherwise("rating").alias("mine"),
        pl.when(is_ub).then("rating_lower").otherwise("rating").alias("theirs"),
        (sure & pl.col("counts")).alias("is_mine"),
        (possible & pl.col("may_count")).alias("may_be_mine"),
    )
    best = (
        models.group_by("request")
        .agg(
            pl.col("mine").filter("is_mine").max().alias("best"),
            pl.col("mine").filter("may_be_mine").max().alias("best_possible"),
            pl.col("observed_on").first(),
            (is_complete() | _is_sure()).alias("is_whole"),
        )
        .filter(pl.col("best").is_not_null())
    )
    return to_answers(
        best.join(_placed(models, best.drop("observed_on", "is_whole")), on="request")
        .join(examined(models), on="request")
        .with_columns(coverage_time=pl.lit(1.0))
    )


def _is_sure() -> pl.Expr:
    """Whether the holder's best model is above any model that the board may lack.

    Never by bounds: a model that is rated lower may have a higher bound.
    """
    best = pl.col("mine").filter("is_mine").max()
    return (pl.col("rank") != "ub").all() & (best >= pl.col("sure_from").max())


def _placed(models: pl.LazyFrame, best: pl.LazyFrame) -> pl.LazyFrame:
    """The place of each request's best model, with the lowest and the highest that it may be."""
    theirs, counts, may_count = pl.col("theirs"), pl.col("counts"), pl.col("may_count")
    above, ties = theirs > pl.col("best"), theirs >= pl.col("best")
    return (
        models.join(best, on="request")
        .group_by("request")
        .agg(
            (1 + how_many(above & counts)).alias("value"),
            (1 + how_many((theirs > pl.col("best_possible")) & counts)).alias("low"),
            pl.when((pl.col("rank") == "ub").first())
            .then(1 + how_many(above & may_count))
            .otherwise(1 + how_many(ties & may_count & ~pl.col("is_mine")))
            .alias("high"),
        )
    )
