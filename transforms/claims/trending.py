"""Tests of the Hub's trending list: trending_days, trending_weeks."""

from __future__ import annotations

import polars as pl

from transforms.claims.requests import for_tests, nearest, part, to_answers
from transforms.hub.trending import TOPS, last_strips
from transforms.numeric.exact_sums import exactly, how_many, rate, total
from transforms.registry.attribution import NOT_EXAMINED

TESTS = ("trending_days", "trending_weeks")
WEEK = 7
OBSERVED_DAYS = 4  # of a week that counts as observed
CUT = ["top_n", "attribution"]


def trending(
    requests: pl.LazyFrame,
    trending_share_daily: pl.LazyFrame,
    hub_trending: pl.LazyFrame,
    hub_models: pl.LazyFrame,
) -> pl.LazyFrame:
    """Answers over the weeks up to the stated day, or up to the newest list.

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
            pl.col("week", "places", "test", "n_weeks", "top_n").first(),
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
    weeks = flagged.group_by("request", "week").agg(
        pl.col(*have).any(), (pl.len() >= OBSERVED_DAYS).alias("is_observed")
    )
    by_week = weeks.group_by("request").agg(
        how_many(pl.col(*have)).cast(pl.Float64),
        how_many(pl.col("is_observed")).alias("n_observed"),
    )
    by_day = flagged.group_by("request").agg(
        rate(pl.col(*have)),
        pl.col("test", "n_weeks").first(),
        pl.col("observed_on").max(),
        (1 - exactly(pl.col("unexamined")) / total(pl.col("top_n"))).alias("coverage_names"),
        _recorded().alias("coverage_lineage"),
    )
    is_weeks = pl.col("test") == "trending_weeks"
    return by_day.join(by_week, on="request", suffix="_weeks").with_columns(
        *(pl.when(is_weeks).then(f"{name}_weeks").otherwise(name).alias(name) for name in have),
        part(pl.col("n_observed"), pl.col("n_weeks")).alias("coverage_time"),
    )


def _recorded() -> pl.Expr:
    """By base, the part of the places whose lineage is recorded; null by publisher."""
    is_base = pl.col("unrecorded").is_not_null().any()
    part_without = exactly(pl.col("unrecorded")) / total(pl.col("top_n"))
    return pl.when(is_base).then(1 - part_without)
