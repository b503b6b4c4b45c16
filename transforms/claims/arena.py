"""Tests of LMArena's boards: arena_count, arena_rank, arena_first, arena_lead, arena_ahead.

Always on one board, category and date. A label that does not say whether weights can be had, and a
lab that nobody examined, are doubt: the bounds count them both ways.
"""

from __future__ import annotations

import polars as pl

from transforms.arena.leaders import expected_win_rate
from transforms.arena.probability_best import log_normal_cdf
from transforms.claims.requests import answers, nearest, of, part
from transforms.claims.wholeness import partial
from transforms.numeric.exact_sums import exactly, how_many, rate
from transforms.registry.attribution import NOT_EXAMINED

TESTS = ("arena_count", "arena_rank", "arena_first", "arena_lead", "arena_ahead")
SERIES = ["board", "category"]
_MODELS = [
    *(*SERIES, "publish_date", "model_id", "model_name_arena", "lab_id", "country_code"),
    *("is_open_weights", "rating", "rating_lower", "rating_upper", "variance"),
    *("rank_ub", "probability_best", "has_catalog_rows", "n_missing"),
]
CATALOG = "arena_catalog"


def arena(
    requests: pl.LazyFrame, arena_ratings: pl.LazyFrame, meta_snapshots: pl.LazyFrame
) -> pl.LazyFrame:
    """Answers of all five tests, from the board in force on the day if it can give one.

    Of a board that is a part, models may be missing below its last one (`sure_from`).
    """
    wanted = of(requests, *TESTS)
    series = wanted.select(SERIES).unique()
    rated = (
        arena_ratings.filter(pl.col("rating").is_not_null())
        .join(series, on=SERIES, how="semi")
        .select(*_MODELS, "snapshot_id")
        .join(_parts(meta_snapshots), on="snapshot_id", how="left")
        .with_columns(_sure_from())
        .collect()  # a few boards of many, looked at several times
        .lazy()
    )
    boards = rated.group_by(*SERIES, pl.col("publish_date").alias("observed_on")).agg(
        pl.col("rank_ub").is_not_null().any().alias("has_bounds")
    )
    return pl.concat(
        [
            _count(of(wanted, "arena_count"), rated, boards),
            _rank(of(wanted, "arena_rank"), rated, boards),
            _first(of(wanted, "arena_first"), rated),
            _lead(of(wanted, "arena_lead"), rated),
            _ahead(of(wanted, "arena_ahead"), rated),
        ]
    )


def _parts(meta_snapshots: pl.LazyFrame) -> pl.LazyFrame:
    return partial(meta_snapshots).select("snapshot_id", is_part=pl.lit(True))


def _sure_from() -> pl.Expr:
    """The lowest rating above which the board lacks no model: any at all if it is whole."""
    board = [*SERIES, "publish_date"]
    is_part = pl.col("is_part").fill_null(value=False).any().over(board)
    lowest = pl.col("rating").min().over(board)
    sure = (
        pl.when(pl.col("n_missing") > 0)
        .then(float("inf"))  # a refused row may be anywhere
        .when(is_part)
        .then(lowest)
        .otherwise(float("-inf"))
    )
    return sure.alias("sure_from")


def _is_whole() -> pl.Expr:
    return (pl.col("sure_from") == float("-inf")).all().alias("is_whole")


def _on_boards(dated: pl.LazyFrame, rated: pl.LazyFrame) -> pl.LazyFrame:
    """Each request's models of its board, with what is sure and what is possible of them."""
    models = dated.join(
        rated,
        left_on=[*SERIES, "observed_on"],
        right_on=[*SERIES, "publish_date"],
    )
    any_access = pl.col("access").fill_null("all") == "all"
    is_open = pl.col("is_open_weights")
    return models.with_columns(
        (any_access | is_open).fill_null(False).alias("counts"),
        (any_access | is_open).fill_null(True).alias("may_count"),
    )


def _examined(models: pl.LazyFrame) -> pl.LazyFrame:
    """What part of each request's models has a country, and whether rows have strict terms."""
    return models.group_by("request").agg(
        (1 - rate(pl.col("country_code") == NOT_EXAMINED)).alias("coverage_names"),
        _strict().alias("strict_source"),
    )


def _count(wanted: pl.LazyFrame, rated: pl.LazyFrame, boards: pl.LazyFrame) -> pl.LazyFrame:
    """Models of the country among the first N that count; the highest of a period's boards."""
    dated = _dated(wanted, boards)
    models = _on_boards(dated, rated)
    country = pl.col("country_code")
    is_mine = country == pl.col("subject")
    may_be = is_mine | (country == NOT_EXAMINED)
    value = _among_first(models.filter("counts"), is_mine, ties_count=True).rename({"n": "value"})
    # against the country: unclear models of others take places, ties go to others
    low = _among_first(
        models.filter(pl.col("counts") | (pl.col("may_count") & ~is_mine)),
        is_mine & pl.col("counts"),
        ties_count=False,
    ).rename({"n": "low"})
    high = _among_first(
        models.filter(pl.col("counts") | (pl.col("may_count") & may_be)), may_be, ties_count=True
    ).rename({"n": "high"})
    key = ["request", "observed_on"]
    best = (
        value.join(low, on=key)
        .join(high, on=key)
        .sort("request", "value", "observed_on", descending=[False, True, False])
        .group_by("request", maintain_order=True)
        .agg(pl.col("value", "observed_on").first(), pl.col("low").max(), _highest())
    )
    whole = models.group_by(key).agg(_has_first_places()).group_by("request")
    return answers(
        best.join(_examined(models), on="request")
        .join(_months(dated), on="request")
        .join(whole.agg(pl.col("is_whole").all()), on="request")
    )


def _has_first_places() -> pl.Expr:
    """Whether the board is whole, or holds N models that count above anything that it may lack."""
    sure = how_many(pl.col("counts") & (pl.col("rating") >= pl.col("sure_from")))
    whole = (pl.col("sure_from") == float("-inf")).all()
    return (whole | (sure >= pl.col("top_n").first())).alias("is_whole")


def _highest() -> pl.Expr:
    """Models in doubt can also push several that share a rank out of the first N."""
    return pl.max_horizontal("high", "value").max().alias("high")


def _dated(wanted: pl.LazyFrame, boards: pl.LazyFrame) -> pl.LazyFrame:
    """Every board of the period for the stated moment; the nearest board otherwise."""
    days = boards.select(*SERIES, "observed_on")
    over = pl.col("period_from").is_not_null() & (pl.col("moment") == "stated")
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
    over = start.is_not_null() & (pl.col("moment") == "stated")
    seen = dated.group_by("request").agg(
        pl.col("observed_on").dt.truncate("1mo").n_unique().alias("seen"),
        pl.when(over).then(due.cast(pl.Int64)).otherwise(1).first().alias("due"),
    )
    return seen.select("request", part(pl.col("seen"), pl.col("due")).alias("coverage_time"))


def _among_first(models: pl.LazyFrame, hit: pl.Expr, ties_count: bool) -> pl.LazyFrame:
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


def _holds(column: str = "subject") -> tuple[pl.Expr, pl.Expr]:
    """Whether a model is surely the holder's, and whether it may be."""
    by, holder = pl.col("by"), pl.col(column)
    is_open = pl.col("is_open_weights")
    sure = (
        pl.when(by == "country")
        .then(pl.col("country_code") == holder)
        .when(by == "lab")
        .then(pl.col("lab_id") == holder)
        .otherwise(is_open == (holder == "open"))
    )
    unknown = (
        pl.when(by == "country")
        .then(pl.col("country_code") == NOT_EXAMINED)
        .when(by == "lab")
        .then(pl.col("lab_id").is_null())
        .otherwise(is_open.is_null())
    )
    return sure.fill_null(False), sure.fill_null(False) | unknown


def _rank(wanted: pl.LazyFrame, rated: pl.LazyFrame, boards: pl.LazyFrame) -> pl.LazyFrame:
    """1 + models above the holder's best one, by rating or surely by their bounds."""
    days = boards.select(*SERIES, "observed_on")
    bounded = boards.filter("has_bounds").select(*SERIES, "observed_on")
    is_ub = pl.col("rank") == "ub"
    dated = pl.concat(
        [
            nearest(wanted.filter(~is_ub), days, SERIES, in_force=True),
            nearest(wanted.filter(is_ub), bounded, SERIES, in_force=True),
        ]
    )
    sure, possible = _holds()
    models = _on_boards(dated, rated).with_columns(
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
            (_is_whole() | _is_sure()).alias("is_whole"),
        )
        .filter(pl.col("best").is_not_null())
    )
    return answers(
        best.join(_placed(models, best.drop("observed_on", "is_whole")), on="request")
        .join(_examined(models), on="request")
        .with_columns(coverage_time=pl.lit(1.0))
    )


def _is_sure() -> pl.Expr:
    """Whether the holder's best model is above anything that the board may lack.

    Not by bounds: a model that is rated lower may have a higher one.
    """
    best = pl.col("mine").filter("is_mine").max()
    return (pl.col("rank") != "ub").all() & (best >= pl.col("sure_from").max())


def _placed(models: pl.LazyFrame, best: pl.LazyFrame) -> pl.LazyFrame:
    """The place of each request's best model, with the lowest and the highest it may be."""
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


def _first(wanted: pl.LazyFrame, rated: pl.LazyFrame) -> pl.LazyFrame:
    """The chances of the holder's models to be the best, added up; those in doubt both ways."""
    known = rated.filter(pl.col("probability_best").is_not_null())
    days = known.select(*SERIES, pl.col("publish_date").alias("observed_on")).unique()
    models = _on_boards(nearest(wanted, days, SERIES, in_force=True), known)
    sure, possible = _holds()
    chance = pl.col("probability_best")
    sums = models.group_by("request", "observed_on").agg(
        exactly(chance.filter(sure)).clip(0, 1).alias("value"),
        exactly(chance.filter(possible)).clip(0, 1).alias("high"),
        _is_whole(),
    )
    return answers(
        sums.join(_examined(models), on="request").with_columns(coverage_time=pl.lit(1.0))
    )


def _lead(wanted: pl.LazyFrame, rated: pl.LazyFrame) -> pl.LazyFrame:
    """Best rating of the one against the best of the other, on one board with both.

    The outer bounds are those of the ratings; a model in doubt may be the best of either.
    """
    boards = wanted.join(rated.rename({"publish_date": "observed_on"}), on=SERIES)
    pairs = (
        boards.group_by("request", "observed_on")
        .agg(
            *_best("mine", "subject"),
            *_best("theirs", "other"),
            (1 - rate(pl.col("country_code") == NOT_EXAMINED)).alias("coverage_names"),
            _strict().alias("strict_source"),
            pl.col("sure_from").max(),
        )
        .drop_nulls(["mine", "theirs"])
        .with_columns(
            (pl.min_horizontal("mine", "theirs") >= pl.col("sure_from")).alias("is_whole")
        )
    )
    value = _lead_of("mine", "theirs")
    low, high = _lead_of("mine", "theirs_possible"), _lead_of("mine_possible", "theirs")
    chosen = nearest(wanted, pairs, ["request"], in_force=True).with_columns(
        value.alias("value"),
        low.alias("low"),
        high.alias("high"),
        pl.min_horizontal(low, _lead_of("mine_lower", "theirs_upper")).alias("value_lower"),
        pl.max_horizontal(high, _lead_of("mine_upper", "theirs_lower")).alias("value_upper"),
        coverage_time=pl.lit(1.0),
    )
    return answers(chosen)


def _best(side: str, holder: str) -> list[pl.Expr]:
    """Rating of the holder's best model, its bounds, and the best that may be the holder's."""
    sure, possible = _holds(holder)
    rating = pl.col("rating")
    mine = rating.filter(sure)
    return [
        mine.max().alias(side),
        rating.filter(possible).max().alias(f"{side}_possible"),
        pl.col("rating_lower").filter(sure).sort_by(mine).last().alias(f"{side}_lower"),
        pl.col("rating_upper").filter(sure).sort_by(mine).last().alias(f"{side}_upper"),
    ]


def _strict() -> pl.Expr:
    return pl.when(pl.col("has_catalog_rows").any()).then(pl.lit(CATALOG)).first()


def _lead_of(mine: str, theirs: str) -> pl.Expr:
    gap, scale = pl.col(mine) - pl.col(theirs), pl.col("scale")
    return (
        pl.when(scale == "points")
        .then(gap)
        .when(scale == "percent")
        .then(100 * gap / pl.col(theirs))
        .otherwise(expected_win_rate(gap))
    )


def _ahead(wanted: pl.LazyFrame, rated: pl.LazyFrame) -> pl.LazyFrame:
    """Phi of the gap in deviations of the difference, ratings as independent normals."""
    known = rated.filter(pl.col("variance").is_not_null()).select(
        *SERIES,
        pl.col("publish_date").alias("observed_on"),
        "model_id",
        pl.col("rating").alias("rating"),
        "variance",
        "has_catalog_rows",
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
    return answers(
        nearest(wanted, found, ["request"], in_force=True).with_columns(coverage_time=pl.lit(1.0))
    )
