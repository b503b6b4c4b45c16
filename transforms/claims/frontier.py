"""Test on Epoch's capabilities index: frontier_lag."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.claims.completeness import vintages, without_earlier
from transforms.claims.requests import for_tests, nearest, to_answers
from transforms.numeric.exact_sums import rate, total
from transforms.registry.attribution import NOT_EXAMINED
from transforms.registry.countries import each_country

MONTHS_A_DAY = 12 / 365.25
SAME = 1.0  # models whose scores differ by at most this are equal, says Epoch
BEFORE_ALL = date(2000, 1, 1)  # a level can have been reached first by any earlier model


def frontier_lag(
    requests: pl.LazyFrame,
    raw_epoch_capabilities: pl.LazyFrame,
    spellings: pl.LazyFrame,
    sizes: pl.LazyFrame,
    meta_snapshots: pl.LazyFrame,
) -> pl.LazyFrame:
    """Answers: months from another country's first reach of a level to a country's own.

    A level is a record of one of them since a day: a model that scores above all its earlier ones.
    Levels that only one of them has reached, or that the country reached first, do not count. With
    `days` each day has a lag, as Epoch measures it (see _by_day).
    A model of several countries counts for each; one without a country or score counts for none.
    Any record that a vintage lacks could have been the first of a level.
    """
    wanted = for_tests(requests, "frontier_lag")
    models = _scored(raw_epoch_capabilities, spellings).cache()
    every = raw_epoch_capabilities.select(pl.col("snapshot_date").alias("observed_on"))
    held = vintages(every, sizes, meta_snapshots, "epoch_capabilities_index")
    days = models.select(pl.col("snapshot_date").alias("observed_on")).unique()
    dated = nearest(wanted, days, []).cache()
    lags = pl.concat([_by_level(dated, models), _by_day(dated, models)])
    return to_answers(
        lags.group_by("request", "observed_on")
        .agg((_statistic() * MONTHS_A_DAY).alias("value"))
        .join(_with_country(raw_epoch_capabilities), on="observed_on")
        .join(without_earlier(held, pl.lit(BEFORE_ALL)), on="observed_on")
        .with_columns(
            (pl.col("with_country") * pl.col("held").fill_null(1.0)).alias("coverage_population"),
            (~pl.col("is_part")).alias("is_whole"),
            coverage_time=pl.lit(1.0),
        )
    )


_LAGS = ["request", "statistic", "observed_on", "n", "sum", "shortest", "longest"]


def _by_level(dated: pl.LazyFrame, models: pl.LazyFrame) -> pl.LazyFrame:
    """One row per request and level that the country reached after the other, in days."""
    late, early = _records(dated, models, "subject"), _records(dated, models, "other")
    is_own, is_others = (pl.col("levels") == name for name in ("subject", "other"))
    levels = pl.concat([late.filter(is_own), early.filter(is_others)]).filter(
        pl.col("release_date") >= pl.col("since")
    )
    lag = (pl.col("late") - pl.col("early")).dt.total_days()
    return (
        levels.select("request", "statistic", "observed_on", "eci_score")
        .join(_first_reach(late, levels, "late"), on=["request", "eci_score"])
        .join(_first_reach(early, levels, "early"), on=["request", "eci_score"])
        .with_columns(n=pl.lit(1, pl.Int64), sum=lag, shortest=lag, longest=lag)
        .filter(pl.col("shortest") >= 0)
        .select(_LAGS)
    )


def _by_day(dated: pl.LazyFrame, models: pl.LazyFrame) -> pl.LazyFrame:
    """One row per request and record of the country: the lags of the days on which it is the best.

    A day's lag is the time since the other one surpassed that record by more than SAME; 0 while it
    has not. The first record of each is left out, and so are days before both have another one and
    days after the stated one. This is Epoch's method (epoch.ai/data-insights/us-vs-china-eci).
    """
    wanted = dated.filter(pl.col("levels") == "days")
    best, other = (_later_records(wanted, models, holder) for holder in ("subject", "other"))
    begin = other.group_by("request").agg(pl.col("release_date").min().alias("begin"))
    end = pl.min_horizontal("day", "observed_on").dt.offset_by("1d")
    following = pl.col("release_date").shift(-1).over("request", order_by="release_date")
    held = (
        best.with_columns(pl.min_horizontal(following, end).alias("until"))
        .join(begin, on="request")
        .join(_first_reach(other, best, "passed", SAME), on=["request", "eci_score"], how="left")
        .with_columns(pl.max_horizontal("release_date", "since", "begin").alias("start"))
        .filter(pl.col("start") < pl.col("until"))
    )
    return held.with_columns(_days_behind()).select(
        *("request", "statistic", "observed_on"),
        (pl.col("before") + pl.col("after")).alias("n"),
        (pl.col("after") * (2 * pl.col("least") + pl.col("after") - 1) // 2).alias("sum"),
        pl.when(pl.col("before") > 0).then(0).otherwise("least").alias("shortest"),
        pl.max_horizontal(pl.col("least") + pl.col("after") - 1, 0).alias("longest"),
    )


def _days_behind() -> list[pl.Expr]:
    """Days `before` the record was passed and `after`, and the lag of the first day after it."""
    passed = pl.col("passed").fill_null(pl.col("until")).clip(upper_bound=pl.col("until"))
    turn = pl.max_horizontal("start", passed)
    return [
        (turn - pl.col("start")).dt.total_days().alias("before"),
        (pl.col("until") - turn).dt.total_days().alias("after"),
        (turn - passed).dt.total_days().alias("least"),
    ]


def _later_records(dated: pl.LazyFrame, models: pl.LazyFrame, holder: str) -> pl.LazyFrame:
    """All records of a country but the first, which may not have been at the real frontier."""
    first = pl.col("release_date").min().over("request")
    return _records(dated, models, holder).filter(pl.col("release_date") > first)


def _statistic() -> pl.Expr:
    """The mean, shortest or longest lag, as the request says."""
    statistic = pl.col("statistic").first()
    return (
        pl.when(statistic == "mean")
        .then(total(pl.col("sum")) / total(pl.col("n")))
        .when(statistic == "min")
        .then(pl.col("shortest").min())
        .otherwise(pl.col("longest").max())
    )


def _first_reach(
    records: pl.LazyFrame, levels: pl.LazyFrame, name: str, above: float | None = None
) -> pl.LazyFrame:
    """The day on which records first reached each level of the request, or passed it by `above`."""
    score, level = pl.col("eci_score_reached"), pl.col("eci_score")
    reached = score >= level if above is None else score > level + above
    return (
        levels.select("request", "eci_score")
        .join(
            records.select("request", "eci_score", "release_date"), on="request", suffix="_reached"
        )
        .filter(reached)
        .group_by("request", "eci_score")
        .agg(pl.col("release_date").min().alias(name))
    )


def _scored(capabilities: pl.LazyFrame, spellings: pl.LazyFrame) -> pl.LazyFrame:
    """One row per vintage, scored and dated model, and country."""
    return (
        capabilities.drop_nulls(["eci_score", "release_date", "country_name"])
        .join(each_country(capabilities.select("country_name"), spellings), on="country_name")
        .filter(pl.col("country_code") != NOT_EXAMINED)
        .select("snapshot_date", "line", "country_code", "eci_score", "release_date")
        .unique()
    )


def _records(dated: pl.LazyFrame, models: pl.LazyFrame, holder: str) -> pl.LazyFrame:
    """The models that scored above all earlier ones of a country, by request."""
    held = dated.join(
        models,
        left_on=["observed_on", holder],
        right_on=["snapshot_date", "country_code"],
    )
    daily = held.group_by(
        "request", "observed_on", "day", "since", "statistic", "levels", "release_date"
    ).agg(pl.col("eci_score").max())
    before = pl.col("eci_score").cum_max().shift(1).over("request", order_by="release_date")
    return daily.filter(before.is_null() | (pl.col("eci_score") > before))


def _with_country(capabilities: pl.LazyFrame) -> pl.LazyFrame:
    """The part of each vintage's scored models whose country Epoch gives."""
    return (
        capabilities.drop_nulls(["eci_score", "release_date"])
        .group_by(pl.col("snapshot_date").alias("observed_on"))
        .agg(rate(pl.col("country_name").is_not_null()).alias("with_country"))
    )
