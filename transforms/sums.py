"""Sums that come out the same, bit by bit, on every run."""

from __future__ import annotations

import polars as pl


def in_order(values: pl.Expr) -> pl.Expr:
    """The sum within a group, smallest first; the values must not be null.

    A plain sum adds up what each thread found, in the order in which the threads end, so that its
    last bits change from run to run. Sorting before does not help: Polars drops a sort before a
    sum. A running sum it must do in order.
    """
    return values.sort().cum_sum().last()


def exactly(values: pl.Expr, bits: int) -> pl.Expr:
    """The sum within a group, each value first rounded to a multiple of 2**-bits.

    Integers add up exactly in any order, so that no sort is needed: for sums over millions of
    groups. The values must not be null, and the sum stays below 2**(63 - bits).
    """
    return (values * 2.0**bits).round().cast(pl.Int64).sum() / 2.0**bits
