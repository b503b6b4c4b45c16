"""Test on Epoch's capabilities index: frontier_lag."""

from __future__ import annotations

import polars as pl

from transforms.claims.completeness import vintages
from transforms.claims.requests import for_tests, nearest, to_answers
from transforms.numeric.exact_sums import rate, total
from transforms.registry.attribution import NOT_EXAMINED
from transforms.registry.countries import each_country

MONTHS_A_DAY = 12 / 365.25


def frontier_lag(
    requests: pl.LazyFrame,
    raw_epoch_capabilities: pl.LazyFrame,
    spellings: pl.LazyFrame,
    sizes: pl.LazyFrame,
    meta_snapshots: pl.LazyFrame,
) -> pl.LazyFrame:
    """Answers: months from another country's first reach of a level to a country's own.

    A level is a record of one of them since a day: a model that scores above all its earlier ones.
    Levels that only one of them has reached, or that the country reached first, do not count. A
    model of several countries counts for each; one without a country or score counts for none. Any
    record that a vintage lacks could have been the first of a level.
    """
    wanted = for_tests(requests, "frontier_lag")
    models = _scored(raw_epoch_capabilities, spellings)
    every = raw_epoch_capabilities.select(pl.col("snapshot_date").alias("observed_on"))
    held = vintages(every, sizes, meta_snapshots, "epoch_capabilities_index")
    days = models.select(pl.col("snapshot_date").alias("observed_on")).unique()
    lags = _lags(nearest(wanted, days, []), models)
    return to_answers(
        lags.group_by("request", "observed_on")
        .agg((_statistic() * MONTHS_A_DAY).alias("value"))
        .join(_with_country(raw_epoch_capabilities), on="observed_on")
        .join(held, on="observed_on")
        .with_columns(
            (pl.col("with_country") * pl.col("held").fill_null(1.0)).alias("coverage_population"),
            (~pl.col("is_part")).alias("is_whole"),
            coverage_time=pl.lit(1.0),
        )
    )


def _lags(dated: pl.LazyFrame, models: pl.LazyFrame) -> pl.LazyFrame:
    """One row per request and level that the country reached after the other: `lag` in days."""
    late, early = _records(dated, models, "subject"), _records(dated, models, "other")
    is_own = pl.col("levels") == "subject"
    levels = pl.concat([late.filter(is_own), early.filter(~is_own)]).filter(
        pl.col("release_date") >= pl.col("since")
    )
    lag = (pl.col("late") - pl.col("early")).dt.total_days()
    return (
        levels.select("request", "statistic", "observed_on", "eci_score")
        .join(_first_reach(late, levels, "late"), on=["request", "eci_score"])
        .join(_first_reach(early, levels, "early"), on=["request", "eci_score"])
        .with_columns(lag.alias("lag"))
        .filter(pl.col("lag") >= 0)
    )


def _statistic() -> pl.Expr:
    """The mean, shortest or longest lag, as the request says."""
    statistic, lag = pl.col("statistic").first(), pl.col("lag")
    return (
        pl.when(statistic == "mean")
        .then(total(lag) / pl.len())
        .when(statistic == "min")
        .then(lag.min())
        .otherwise(lag.max())
    )


def _first_reach(records: pl.LazyFrame, levels: pl.LazyFrame, name: str) -> pl.LazyFrame:
    """The day on which records first reached each level of the request."""
    reached = pl.col("eci_score_reached") >= pl.col("eci_score")
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
        "request", "observed_on", "since", "statistic", "levels", "release_date"
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
