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
