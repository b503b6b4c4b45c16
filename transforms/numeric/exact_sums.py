"""Sums that are the same bits whatever the threads, the order of the rows and their batches.

A plain sum of floats adds up what each thread found, in the order in which the threads end, and
every addition rounds: its last bits change from run to run. So no other module of `transforms`
adds up rows by itself (`tests/transforms/numeric/test_exact_sums.py` looks): floats go through
`exactly` or `mean`, integers through `total`, conditions through `how_many` or `rate`. Nulls are
left out of each.
"""

from __future__ import annotations

import polars as pl

_BITS = 60  # behind the binary point; 67 are left before it


def exactly(values: pl.Expr) -> pl.Expr:
    """The sum of floats within a group; 0.0 where there is none.

    Each value is rounded to a multiple of 2**-60 (9e-19), those are added up as integers, and the
    sum is rounded once. Raises a Polars error at NaN, at infinity and from 2**67 (1.5e20) on.
    """
    steps = (values.cast(pl.Float64) * 2.0**_BITS).round().cast(pl.Int128)
    return steps.sum().cast(pl.Float64) / 2.0**_BITS


def mean(values: pl.Expr) -> pl.Expr:
    """The mean of floats within a group, from their exact sum; null where there is none."""
    return pl.when(values.count() > 0).then(exactly(values) / values.count())


def total(values: pl.Expr) -> pl.Expr:
    """The sum of integers within a group, 0 where there is none; Polars refuses floats here."""
    return _integers(values).sum()


def running(values: pl.Expr) -> pl.Expr:
    """The sum of integers up to each row, in the order of the rows; Polars refuses floats here."""
    return _integers(values).cum_sum()


def how_many(condition: pl.Expr) -> pl.Expr:
    """On how many rows of a group the condition holds; Polars refuses floats here."""
    return (condition & pl.lit(True)).cast(pl.Int64).sum()


def rate(condition: pl.Expr) -> pl.Expr:
    """On what part of a group's rows the condition holds; null where it is known of none."""
    known = condition.count()
    return pl.when(known > 0).then(how_many(condition) / known)


def _integers(values: pl.Expr) -> pl.Expr:
    """The same values; a mask of ones does nothing to an integer, and floats have no such mask."""
    return values & pl.lit(-1, pl.Int64)
