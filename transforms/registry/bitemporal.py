"""The registry's two dates: when a row was known and when it was valid."""

from __future__ import annotations

from datetime import date

import polars as pl


def as_known(rows: pl.LazyFrame, known_at: date) -> pl.LazyFrame:
    """The registry rows known on the day `known_at`.

    Days before the first edition of the registry read the first edition. A later correction of a
    row does not change what was known before.
    """
    day = pl.max_horizontal(pl.lit(known_at), pl.col("known_from").min())
    was_known = pl.col("known_from") <= day
    if "known_to" in rows.collect_schema():  # rows of other tables are never withdrawn
        was_known &= pl.col("known_to").is_null() | (day < pl.col("known_to"))
    return rows.filter(was_known)


def holds_on(day: pl.Expr) -> pl.Expr:
    """Whether a row is valid on the day."""
    return (pl.col("valid_from") <= day) & (
        pl.col("valid_to").is_null() | (day < pl.col("valid_to"))
    )
