"""Tests of places on the Hub by a counter: model_rank, top_overlap, download_concentration.

A listing of the first N models by a counter bounds all others: each has at most the N-th counter.
So a place down to N is exact, although the listing is a small part of the Hub.
"""

from __future__ import annotations

import polars as pl

from transforms.claims.completeness import COUNTERS
from transforms.claims.hub_models import named, proves_absence
from transforms.claims.requests import for_tests, nearest, to_answers
from transforms.numeric.exact_sums import running, total

_NO_BOUND = float("inf")


def model_rank(
    requests: pl.LazyFrame, hub_daily_counters: pl.LazyFrame, hub_listing_coverage: pl.LazyFrame
) -> pl.LazyFrame:
    """Answers: the best place of the named repositories by a counter, on one day's listing.

    Below the first N, and on a listing without a known N, the place is a lower bound: models that
    are not listed may be before it.
    """
    wanted = for_tests(requests, "model_rank")
    observed = hub_daily_counters.rename({"as_of_date": "observed_on"})
    coverage = hub_listing_coverage.rename({"as_of_date": "observed_on"})
    listed = named(wanted, observed.select("observed_on", "model_id_hf", *COUNTERS)).cache()
    placed = [
        _placed(wanted.filter(pl.col("metric") == c), observed, coverage, listed, c)
        for c in COUNTERS
    ]
    return to_answers(pl.concat(placed).pipe(_bounded))


def _placed(
    wanted: pl.LazyFrame,
    observed: pl.LazyFrame,
    coverage: pl.LazyFrame,
    listed: pl.LazyFrame,
    counter: str,
) -> pl.LazyFrame:
    """One row per dated request: the best count and place of its repositories, and the floor."""
    dated = _dated(wanted, observed, coverage, counter)
    needed = places(observed.join(dated, on="observed_on", how="semi"), counter)
    best = (
        listed.select("request", "observed_on", pl.col(counter).alias("count"))
        .join(dated, on=["request", "observed_on"], how="semi")
        .join(needed, on=["observed_on", "count"])
        .group_by("request")
        .agg(pl.col("place").min().cast(pl.Float64).alias("value"), pl.col("count").max())
    )
    return (
        dated.join(best, on="request", how="left")
        .join(floors(needed, coverage, counter), on="observed_on", how="left")
        .join(
            coverage.select("observed_on", "listed_share", "is_whole"), on="observed_on", how="left"
        )
        .with_columns(pl.col("count", "floor").cast(pl.Float64))
    )


def _dated(
    wanted: pl.LazyFrame, observed: pl.LazyFrame, coverage: pl.LazyFrame, counter: str
) -> pl.LazyFrame:
    """The day of each request: the nearest listing that can decide, else the nearest one.

    Both are within the days that the statement allows; for the newest moment, of the clock.
    """
    days = counted_days(observed, counter)
    decides = proves_absence() | pl.col(f"top_{counter}").is_not_null()
    whole = days.join(coverage.filter(decides), on="observed_on", how="semi")
    age = (pl.col("clock") - pl.col("observed_on")).dt.total_days()
    is_near = (pl.col("moment") == "stated") | (age <= pl.col("within_days"))
    best = nearest(wanted, whole, []).filter(is_near)
    other = nearest(wanted.join(best, on="request", how="anti"), days, [])
    key = ["request", "observed_on"]
    return pl.concat([best.select(key), other.select(key)])


def _bounded(placed: pl.LazyFrame) -> pl.LazyFrame:
    """Exact on the whole Hub and within the first N; else at least the place of the N-th count."""
    value, is_whole = pl.col("value"), proves_absence().fill_null(value=False)
    is_exact = (is_whole | (pl.col("count") >= pl.col("floor"))).fill_null(value=False)
    least = pl.when(is_exact).then(value).otherwise(pl.col("floor_place").cast(pl.Float64))
    has_depth = pl.col("floor").is_not_null() & ~is_whole
    return placed.filter(value.is_not_null() | has_depth).with_columns(
        pl.coalesce(least, value).alias("low"),
        pl.when(is_exact).then(value).otherwise(_NO_BOUND).alias("high"),
        pl.when(is_exact & has_depth)
        .then(1.0)
        .otherwise(pl.col("listed_share").fill_null(0.0))
        .alias("coverage_population"),
        has_depth.alias("bounds_hold"),
        is_whole=pl.lit(None),  # what is missing is in the bounds
    )


def counted_days(observed: pl.LazyFrame, counter: str) -> pl.LazyFrame:
    """The days on which a counter was recorded."""
    return observed.filter(pl.col(counter).is_not_null()).select("observed_on").unique()


def places(observed: pl.LazyFrame, counter: str) -> pl.LazyFrame:
    """One row per day and count: its `place`, 1 + the number of greater counts, and how many."""
    n = pl.col("n").cast(pl.Int64)
    return (
        observed.select("observed_on", pl.col(counter).alias("count"))
        .drop_nulls()
        .group_by("observed_on", "count")
        .agg(pl.len().alias("n"))
        .sort("observed_on", "count", descending=True)
        .with_columns((running(n) - n + 1).over("observed_on").alias("place"))
    )


def floors(counts: pl.LazyFrame, coverage: pl.LazyFrame, counter: str) -> pl.LazyFrame:
    """`floor`: the N-th count of a listing of the first N, and its place `floor_place`.

    No model that such a listing lacks has a greater count.
    """
    depth = pl.col(f"top_{counter}")
    return (
        counts.join(coverage.select("observed_on", depth), on="observed_on")
        .filter(depth.is_not_null())
        .filter(total(pl.col("n").cast(pl.Int64)).over("observed_on") >= depth)
        .filter(pl.col("place") <= depth)
        .group_by("observed_on")
        .agg(pl.col("count").min().alias("floor"), pl.col("place").max().alias("floor_place"))
    )
