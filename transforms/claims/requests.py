"""Requests to the tests, the form of their answers, and the observation nearest to a day."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import polars as pl

MOMENTS = ("stated", "newest")
NEEDED = 0.9  # least part of what a figure is about that must have been observed
TRIAL = ["claim_id", "moment", "definition_id", "measure_id"]
BOUNDS = ("low", "high", "value_lower", "value_upper")

# The answer of a test to a request. `low` and `high` bound the value, whatever the unobserved and
# the unexamined turn out to be; `value_lower` and `value_upper` also give all of ZZ to one side.
# Infinite = no bound. Coverages are parts of one; null = does not apply. `is_whole` is false where
# the missing part of a source could change the answer; null = does not apply. `bounds_hold`: the
# bounds also hold for everything that was not observed, so that they can decide at any coverage.
ANSWER: dict[str, pl.DataType] = {
    "request": pl.UInt32(),
    "value": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "value_lower": pl.Float64(),
    "value_upper": pl.Float64(),
    "observed_on": pl.Date(),
    "coverage_time": pl.Float64(),
    "coverage_population": pl.Float64(),
    "coverage_lineage": pl.Float64(),
    "coverage_names": pl.Float64(),
    "strict_source": pl.String(),
    "is_whole": pl.Boolean(),
    "bounds_hold": pl.Boolean(),
}


def to_requests(trials: pl.LazyFrame, as_of: date) -> pl.LazyFrame:
    """One row per trial and moment, numbered as `request`, with the `day` that it is about.

    The day of the newest moment is `as_of`. A stated day after `as_of` stays as it is: no
    observation is near it.
    """
    moments = pl.LazyFrame({"moment": list(MOMENTS)})
    is_newest = pl.col("moment") == "newest"
    return (
        trials.join(moments, how="cross")
        .filter(~(is_newest & pl.col("only_stated")))
        .sort("claim_id", "definition_id", "measure_id", "moment")
        .with_columns(
            pl.when(is_newest).then(pl.lit(as_of)).otherwise("target_date").alias("day"),
            pl.lit(as_of).alias("clock"),
        )
        .with_row_index("request")
    )


def for_tests(requests: pl.LazyFrame, *tests: str) -> pl.LazyFrame:
    """The requests to some tests."""
    return requests.filter(pl.col("test").is_in(list(tests)))


def to_answers(frame: pl.LazyFrame) -> pl.LazyFrame:
    """A frame with at least `request` and `value`, in the form of ANSWER.

    A missing inner bound is the value itself, a missing outer bound is the inner one.
    """
    have = frame.collect_schema().names()
    value = pl.col("value").cast(pl.Float64)
    low = pl.col("low") if "low" in have else value
    high = pl.col("high") if "high" in have else value
    defaults = {"low": low, "high": high, "value_lower": low, "value_upper": high}
    return frame.select(
        (pl.col(name) if name in have else defaults.get(name, pl.lit(None))).cast(kind).alias(name)
        for name, kind in ANSWER.items()
    )


def answer_table(requests: pl.LazyFrame, answers: Iterable[pl.LazyFrame]) -> pl.LazyFrame:
    """The answers of a family of tests by trial and moment; null instead of an infinite bound."""
    # One after the other: together, each test would keep its own part of the whole Hub in memory.
    found = [answer.collect().lazy() for answer in answers]
    finite = [pl.when(pl.col(c).is_finite()).then(c).alias(c) for c in BOUNDS]
    joined = requests.select(*TRIAL, "request").join(pl.concat(found), on="request")
    return joined.with_columns(finite).drop("request")


def nearest(
    requests: pl.LazyFrame,
    days: pl.LazyFrame,
    by: list[str],
    *,
    in_force: bool = False,
) -> pl.LazyFrame:
    """Adds the `observed_on` of `days` nearest to each request's day; drops requests without one.

    For the stated moment a day within `within_days`, the earlier of two equally near; for the
    newest moment the newest day up to the clock. `in_force` prefers the last day up to the
    request's day to any later one, since that is the board in force. `days` has the columns of
    `by`, `observed_on` and any others to keep.
    """
    off = (pl.col("observed_on") - pl.col("day")).dt.total_days()
    near = (pl.col("moment") == "newest") | (off.abs() <= pl.col("within_days"))
    pairs = requests.join(days.unique(), on=by) if by else requests.join(days.unique(), how="cross")
    return (
        pairs.filter(near & (pl.col("observed_on") <= pl.col("clock")))
        .with_columns(off.abs().alias("off"), (off > 0).alias("is_later"))
        .sort("request", *(["is_later"] if in_force else []), "off", "observed_on")
        .unique("request", keep="first", maintain_order=True)
        .drop("off", "is_later")
    )


def lines(column: str) -> pl.Expr:
    """The entries of a column that holds one entry per line."""
    return pl.col(column).str.split("\n")


def part(count: pl.Expr, of_all: pl.Expr) -> pl.Expr:
    """A part of one; null if the whole is empty."""
    return pl.when(of_all > 0).then((count / of_all).clip(0.0, 1.0))
