"""Tests of the Hub's trending list: trending_days, trending_weeks."""

from __future__ import annotations

import polars as pl

from transforms.claims.requests import NEEDED, for_tests, nearest, part, to_answers
from transforms.hub.trending import TOPS, last_strips
from transforms.numeric.exact_sums import exactly, how_many, rate, total
from transforms.registry.attribution import NOT_EXAMINED

TESTS = ("trending_days", "trending_weeks")
WEEK = 7
OBSERVED_DAYS = 4  # of a week that counts as observed
CUT = ["top_n", "attribution"]
UPPER = ("high", "value_upper")  # the bounds that the unobserved can raise


def trending(
    requests: pl.LazyFrame,
    trending_share_daily: pl.LazyFrame,
    hub_trending: pl.LazyFrame,
    hub_models: pl.LazyFrame,
) -> pl.LazyFrame:
    """Answers over the weeks up to the stated day, or up to the newest list.

    If too little of the window was observed, the bounds include the other days: on each of them the
    country may have had all places or none.
    Unexamined places may belong to the country. By base, so may all places without a recorded
    lineage, even where the model's name names a family; places of models that the Hub's listing
    lacks are unexamined. A place that the trending list lacks may belong to anybody.
    """
    wanted = for_tests(requests, *TESTS)
    held = _held(trending_share_daily, _unlisted(hub_trending, hub_models)).cache()
    days = _in_window(wanted, held).join(held, on=["observed_on", *CUT])
    mine = days.filter(pl.col("holder") == pl.col("subject"))
    each = (
        days.group_by("request", "observed_on")
        .agg(
            pl.col("week", "places", "test", "n_weeks", "top_n", "window_days").first(),
            pl.col("unknown", "unclear", "unexamined", "unrecorded").first(),
        )
        .join(
            mine.group_by("request", "observed_on").agg(
                exactly(pl.col("n_places")), exactly(pl.col("by_name"))
            ),
            on=["request", "observed_on"],
            how="left",
        )
        .with_columns(pl.col("n_places", "by_name").fill_null(0.0))
    )
    return to_answers(_weighed(each))


def _unlisted(hub_trending: pl.LazyFrame, hub_models: pl.LazyFrame) -> pl.LazyFrame:
    """Places of each day's last trending list whose model the Hub's listing lacks, by top N."""
    placed = last_strips(hub_trending).filter(pl.col("model_position") <= max(TOPS))
    # Few models against millions: look them up in the listing first.
    held = hub_models.select("model_id_hf").join(placed, on="model_id_hf", how="semi")
    lost = placed.join(held, on="model_id_hf", how="anti")
    return pl.concat(
        [
            lost.filter(pl.col("model_position") <= n)
            .group_by("as_of_date")
            .agg(pl.len().alias("unlisted"))
            .with_columns(top_n=pl.lit(n, pl.Int32), attribution=pl.lit("base"))
            for n in TOPS
        ]
    )


def _held(shares: pl.LazyFrame, unlisted: pl.LazyFrame) -> pl.LazyFrame:
    """Places by day, cut and country, with the unexamined, unrecorded and ZZ places of the day."""
    key = ["as_of_date", *CUT]
    country, places = pl.col("country_code"), pl.col("n_places")
    by_name, without = pl.col("n_places_by_name"), pl.col("n_places_without_lineage")
    doubt = shares.group_by(key).agg(
        exactly(places.filter(country == NOT_EXAMINED)).alias("x"),
        exactly(places.filter(country == "ZZ")).alias("unclear"),
        (pl.col("top_n") - pl.col("n_places_total")).first().clip(lower_bound=0).alias("lacking"),
        exactly(by_name).alias("named"),
        exactly(without).alias("without"),
    )
    unexamined = pl.max_horizontal(pl.col("x") - pl.col("without"), pl.col("unlisted").fill_null(0))
    is_base = pl.col("attribution") == "base"
    return (
        shares.select(
            *key, country.alias("holder"), "n_places", by_name.fill_null(0.0).alias("by_name")
        )
        .join(doubt, on=key)
        .join(unlisted, on=key, how="left")
        .with_columns(
            (pl.col("x") + pl.col("named") + pl.col("lacking")).alias("unknown"),
            (unexamined + pl.col("lacking")).alias("unexamined"),
            pl.when(is_base).then(pl.col("named") + pl.col("without")).alias("unrecorded"),
        )
        .rename({"as_of_date": "observed_on"})
        .select(
            "observed_on",
            *CUT,
            *("holder", "n_places", "by_name", "unknown", "unclear", "unexamined", "unrecorded"),
        )
    )


def _in_window(wanted: pl.LazyFrame, held: pl.LazyFrame) -> pl.LazyFrame:
    """One row per request and observed day of its window, with the day's week."""
    days = held.select("observed_on", *CUT).unique()
    is_newest = pl.col("moment") == "newest"
    newest = nearest(wanted.filter(is_newest), days, CUT).with_columns(day="observed_on")
    ends = pl.concat([wanted.filter(~is_newest), newest.select(wanted.collect_schema().names())])
    back = (pl.col("day") - pl.col("observed_on")).dt.total_days()
    return (
        ends.join(days, on=CUT)
        .with_columns(back.alias("back"))
        .filter(pl.col("back").is_between(0, pl.col("window_days") - 1))
        .with_columns(
            (pl.col("back") // WEEK).alias("week"),
            ((pl.col("window_days") + WEEK - 1) // WEEK).alias("n_weeks"),
        )
    )


def _weighed(each: pl.LazyFrame) -> pl.LazyFrame:
    """One row per request: days or weeks with enough places, at the least and at the most."""
    sure = pl.col("n_places") - pl.col("by_name")
    have = {
        "value": pl.col("n_places"),
        "low": sure,
        "high": sure + pl.col("unknown"),
        "value_upper": sure + pl.col("unknown") + pl.col("unclear"),
    }
    enough = [(places >= pl.col("places")).alias(name) for name, places in have.items()]
    flagged = each.with_columns(enough)
    is_weeks = pl.col("test") == "trending_weeks"
    return (
        _by_day(flagged, [*have])
        .join(_by_week(flagged, [*have]), on="request", suffix="_weeks")
        .with_columns(part(pl.col("n_observed"), pl.col("n_weeks")).alias("coverage_time"))
        .with_columns((pl.col("coverage_time") < NEEDED).alias("bounds_hold"))
        .with_columns(
            *(pl.when(is_weeks).then(f"{name}_weeks").otherwise(name).alias(name) for name in have)
        )
        .with_columns(
            pl.when("bounds_hold").then(bound).otherwise(name).alias(name)
            for name, bound in _of_the_window(is_weeks).items()
        )
    )


def _by_week(flagged: pl.LazyFrame, have: list[str]) -> pl.LazyFrame:
    """Weeks with a day with enough places, and completely observed weeks that had none."""
    weeks = flagged.group_by("request", "week").agg(
        pl.col(have).any(),
        (pl.len() >= OBSERVED_DAYS).alias("is_observed"),
        (pl.len() >= WEEK).alias("is_full"),
    )
    return weeks.group_by("request").agg(
        how_many(pl.col(have)).cast(pl.Float64),
        how_many(pl.col("is_observed")).alias("n_observed"),
        *(how_many(pl.col("is_full") & ~pl.col(c)).alias(f"{c}_excluded") for c in UPPER),
    )


def _by_day(flagged: pl.LazyFrame, have: list[str]) -> pl.LazyFrame:
    """The part of the observed days with enough places, and the coverages."""
    return flagged.group_by("request").agg(
        rate(pl.col(have)),
        pl.len().cast(pl.Int64).alias("n_days"),
        pl.col("test", "n_weeks", "window_days").first(),
        pl.col("observed_on").max(),
        (1 - exactly(pl.col("unexamined")) / total(pl.col("top_n"))).alias("coverage_names"),
        _recorded().alias("coverage_lineage"),
    )


def _of_the_window(is_weeks: pl.Expr) -> dict[str, pl.Expr]:
    """The bounds of a count of weeks or share of days, with the days that were not observed."""
    days = pl.col("window_days")
    unseen = days - pl.col("n_days")
    lowest = pl.when(is_weeks).then("low").otherwise(pl.col("low") * pl.col("n_days") / days)
    highest = {
        name: pl.when(is_weeks)
        .then(pl.col("n_weeks") - pl.col(f"{name}_excluded"))
        .otherwise((pl.col(name) * pl.col("n_days") + unseen) / days)
        for name in UPPER
    }
    return {"low": lowest, **highest}


def _recorded() -> pl.Expr:
    """By base, the part of the places whose lineage is recorded; null by publisher."""
    is_base = pl.col("unrecorded").is_not_null().any()
    part_without = exactly(pl.col("unrecorded")) / total(pl.col("top_n"))
    return pl.when(is_base).then(1 - part_without)
