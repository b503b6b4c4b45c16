"""Tests on Epoch's tables: notable_count, models_published, frontier_lag."""

from __future__ import annotations

import polars as pl

from transforms.ai_index.notable import placed
from transforms.claims.requests import answers, lines, nearest, of
from transforms.claims.wholeness import vintages
from transforms.numeric.exact_sums import how_many, rate, total
from transforms.registry.attribution import NOT_EXAMINED
from transforms.registry.countries import each_country

MONTHS_A_DAY = 12 / 365.25


def notable_count(
    requests: pl.LazyFrame,
    notable_models: pl.LazyFrame,
    notable_model_labs: pl.LazyFrame,
    sizes: pl.LazyFrame,
    meta_snapshots: pl.LazyFrame,
) -> pl.LazyFrame:
    """Answers: models of a year that count for a country, by the vintage nearest to the day.

    Once in full for each distinct country. A record without a country may be anybody's, and so may
    one that the vintage lacks. Where the vintage is not known, what those before and after the
    stated day say is doubt.
    """
    wanted = of(requests, "notable_count")
    days = notable_models.select(pl.col("vintage_date").alias("observed_on"))
    held = vintages(days, sizes, meta_snapshots, "notable_ai_models")
    models = placed(notable_models, notable_model_labs).rename(
        {"vintage_date": "observed_on", "publication_year": "year"}
    )
    chosen = nearest(wanted, days, []).with_columns(is_chosen=pl.lit(True))
    beside = _around(wanted, days.unique()).with_columns(is_chosen=pl.lit(False))
    dated = pl.concat([chosen, beside.select(chosen.collect_schema().names())])
    counts = _counts(dated, models).join(held, on="observed_on")
    chosen_one = pl.col("is_chosen")
    return answers(
        counts.sort("request", "observed_on")
        .group_by("request", maintain_order=True)
        .agg(
            pl.col("observed_on", "value", "coverage_names").filter(chosen_one).first(),
            pl.col("held").filter(chosen_one).first().alias("coverage_population"),
            (~pl.col("is_part") | (pl.col("n_missing") > 0)).all().alias("is_whole"),
            pl.col("value").min().alias("low"),
            pl.sum_horizontal("value", "x", "n_missing").max().alias("high"),
            pl.col("value").min().alias("value_lower"),
            pl.sum_horizontal("value", "x", "z", "n_missing").max().alias("value_upper"),
        )
        .with_columns(coverage_time=pl.lit(1.0))
    )


def _around(wanted: pl.LazyFrame, vintages: pl.LazyFrame) -> pl.LazyFrame:
    """The vintages next to the stated day, before and after, where it asks for them."""
    stated = wanted.filter((pl.col("vintages") == "around") & (pl.col("moment") == "stated"))
    off = (pl.col("observed_on") - pl.col("day")).dt.total_days()
    return (
        stated.join(vintages, how="cross")
        .with_columns(off.alias("off"), (off > 0).alias("is_after"))
        .filter(
            (pl.col("off").abs() <= pl.col("within_days"))
            & (pl.col("observed_on") <= pl.col("clock"))
        )
        .sort("request", pl.col("off").abs())
        .unique(["request", "is_after"], keep="first", maintain_order=True)
    )


def _counts(dated: pl.LazyFrame, models: pl.LazyFrame) -> pl.LazyFrame:
    """Models of each request's year by its vintages: the country's, the unexamined, and ZZ."""
    country = pl.col("country_code")
    return (
        dated.join(models, on=["observed_on", "year", "method"])
        .group_by("request", "observed_on", "is_chosen")
        .agg(
            how_many(country == pl.col("subject")).alias("value"),
            how_many(country == NOT_EXAMINED).alias("x"),
            how_many(country == "ZZ").alias("z"),
            pl.col("line").n_unique().alias("n"),
        )
        .with_columns((1 - pl.col("x") / pl.col("n")).alias("coverage_names"))
    )


def models_published(requests: pl.LazyFrame, notable_models: pl.LazyFrame) -> pl.LazyFrame:
    """Answers: how many of the named models Epoch lists as published in the period.

    In any vintage near the day: one that lists a model is proof. Absence is none, since Epoch
    lists what is notable.
    """
    each = (
        of(requests, "models_published").with_columns(lines("names").alias("name")).explode("name")
    )
    off = (pl.col("vintage_date") - pl.col("day")).dt.total_days().abs()
    is_near = (pl.col("moment") == "newest") | (off <= pl.col("within_days"))
    found = (
        each.join(notable_models, left_on="name", right_on="model_name_epoch")
        .filter(is_near & (pl.col("vintage_date") <= pl.col("clock")))
        .filter(pl.col("publication_date").is_between("period_from", "period_to"))
        .group_by("request")
        .agg(
            pl.col("name").n_unique().alias("value"),
            lines("names").list.len().first().alias("high"),
            pl.col("vintage_date").max().alias("observed_on"),
        )
    )
    value = pl.col("value")
    return answers(
        found.with_columns(
            value.alias("low"), (value / pl.col("high")).alias("coverage_population")
        )
    )


def frontier_lag(
    requests: pl.LazyFrame,
    raw_epoch_capabilities: pl.LazyFrame,
    spellings: pl.LazyFrame,
    sizes: pl.LazyFrame,
    meta_snapshots: pl.LazyFrame,
) -> pl.LazyFrame:
    """Answers: months from another country's first reach of a level to a country's own.

    A level is a record of either: a model that scores above all its earlier ones, since a day.
    Levels that only one of them has reached say nothing yet, nor do those that the country reached
    first. A model of several countries is each one's; one without country or score is nobody's. Any
    record that a vintage lacks could have been the first of a level.
    """
    wanted = of(requests, "frontier_lag")
    models = _scored(raw_epoch_capabilities, spellings)
    every = raw_epoch_capabilities.select(pl.col("snapshot_date").alias("observed_on"))
    held = vintages(every, sizes, meta_snapshots, "epoch_capabilities_index")
    days = models.select(pl.col("snapshot_date").alias("observed_on")).unique()
    dated = nearest(wanted, days, [])
    late, early = _records(dated, models, "subject"), _records(dated, models, "other")
    is_own = pl.col("levels") == "subject"
    levels = pl.concat([late.filter(is_own), early.filter(~is_own)]).filter(
        pl.col("release_date") >= pl.col("since")
    )
    lag = (pl.col("late") - pl.col("early")).dt.total_days()
    lags = (
        levels.select("request", "statistic", "observed_on", "eci_score")
        .join(_first_reach(late, levels, "late"), on=["request", "eci_score"])
        .join(_first_reach(early, levels, "early"), on=["request", "eci_score"])
        .with_columns(lag.alias("lag"))
        .filter(pl.col("lag") >= 0)
    )
    statistic = pl.col("statistic").first()
    value = (
        pl.when(statistic == "mean")
        .then(total(pl.col("lag")) / pl.len())
        .when(statistic == "min")
        .then(pl.col("lag").min())
        .otherwise(pl.col("lag").max())
    )
    return answers(
        lags.group_by("request", "observed_on")
        .agg((value * MONTHS_A_DAY).alias("value"))
        .join(_with_country(raw_epoch_capabilities), on="observed_on")
        .join(held, on="observed_on")
        .with_columns(
            (pl.col("with_country") * pl.col("held").fill_null(1.0)).alias("coverage_population"),
            (~pl.col("is_part")).alias("is_whole"),
            coverage_time=pl.lit(1.0),
        )
    )


def _first_reach(records: pl.LazyFrame, levels: pl.LazyFrame, name: str) -> pl.LazyFrame:
    """The day on which records first came up to each level of the request."""
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
    """The models with which a country rose above all its earlier ones, by request."""
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
