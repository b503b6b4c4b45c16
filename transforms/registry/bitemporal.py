"""Known when and true when: the registry keeps both, and a reading picks one day of each."""

from __future__ import annotations

from datetime import date

import polars as pl


def as_known(rows: pl.LazyFrame, known_at: date) -> pl.LazyFrame:
    """The registry rows that stood on the day `known_at`.

    Before the registry began nothing could be known; such a day is answered with its first
    edition. A reading of the past does not change when a row is corrected later.
    """
    day = pl.max_horizontal(pl.lit(known_at), pl.col("known_from").min())
    stood = pl.col("known_from") <= day
    if "known_to" in rows.collect_schema():  # a table without it never takes a row back
        stood &= pl.col("known_to").is_null() | (day < pl.col("known_to"))
    return rows.filter(stood)


def holds_on(day: pl.Expr) -> pl.Expr:
    """Whether a row's period of validity holds the day."""
    return (pl.col("valid_from") <= day) & (
        pl.col("valid_to").is_null() | (day < pl.col("valid_to"))
    )
