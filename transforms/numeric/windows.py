"""Windows of days. A window of n days is the day itself and the n - 1 days before it."""

from __future__ import annotations

import polars as pl


def age_in_days(day: pl.Expr, created_at: pl.Expr) -> pl.Expr:
    """Days from the UTC date of creation to `day`: 0 on that date, negative before it."""
    return (day - created_at.dt.date()).dt.total_days()


def created_within(day: pl.Expr, created_at: pl.Expr, days: int) -> pl.Expr:
    """Whether it was created on `day` or in the `days - 1` days before; false if unknown."""
    return age_in_days(day, created_at).is_between(0, days - 1).fill_null(False)
