"""Sums that do not depend on the number of threads, the order of rows or their batches.

A plain sum of floats adds the results of threads in the order in which they finish, and every
addition rounds, so its last bits change from run to run. Therefore no other module of `transforms`
sums rows itself (`tests/transforms/numeric/test_exact_sums.py` checks it): floats use `exactly` or
`mean`, integers `total`, conditions `how_many` or `rate`. All of them ignore nulls.
"""

from __future__ import annotations

import polars as pl

_BITS = 60  # behind the binary point; 67 are left before it


def exactly(values: pl.Expr) -> pl.Expr:
    """The sum of floats within a group; 0.0 if there are none.

    Values are rounded to multiples of 2**-60 (9e-19) and summed as integers; the sum is rounded
    once. Polars raises an error for NaN, infinity and values from 2**67 (1.5e20) on.
    """
    steps = (values.cast(pl.Float64) * 2.0**_BITS).round().cast(pl.Int128)
    return steps.sum().cast(pl.Float64) / 2.0**_BITS


def mean(values: pl.Expr) -> pl.Expr:
    """The mean of floats within a group, from their exact sum; null if there are none."""
    return pl.when(values.count() > 0).then(exactly(values) / values.count())


def total(values: pl.Expr) -> pl.Expr:
    """The sum of integers within a group, 0 if there are none; Polars rejects floats here."""
    return _integers(values).sum()


def running(values: pl.Expr) -> pl.Expr:
    """The running sum of integers, in the order of the rows; Polars rejects floats here."""
    return _integers(values).cum_sum()


def how_many(condition: pl.Expr) -> pl.Expr:
    """The number of rows of a group for which a condition holds; Polars rejects floats here."""
    return (condition & pl.lit(True)).cast(pl.Int64).sum()


def rate(condition: pl.Expr) -> pl.Expr:
    """The part of a group's rows for which a condition holds; null if it is known for none."""
    known = condition.count()
    return pl.when(known > 0).then(how_many(condition) / known)


def _integers(values: pl.Expr) -> pl.Expr:
    """The same values. A mask of ones leaves integers unchanged and is an error for floats."""
    return values & pl.lit(-1, pl.Int64)
