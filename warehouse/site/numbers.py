"""Numbers of the page, rounded only here, so that charts and tables show the same values."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import polars as pl

# Shares are in thousandths, as shown. Values that would round to 0 or 1 without being 0 or 1 get
# special values, shown as "<0.1%" and ">99.9%".
NEARLY_NOTHING, NEARLY_ALL = 0.4, 999.6


def thousandths(column: str) -> pl.Expr:
    """A share or probability in thousandths, rounded half up; null stays null."""
    share = pl.col(column)
    rounded = (share * 1000 + 0.5).floor()
    return (
        pl.when(share.is_null() | (share == 0))
        .then(share)
        .when(rounded == 0)
        .then(NEARLY_NOTHING)
        .when((rounded == 1000) & (share < 1))
        .then(NEARLY_ALL)
        .otherwise(rounded)
        .alias(column)
    )


def probability(column: str) -> pl.Expr:
    """A probability in thousandths. Exact 0 and 1 come from underflow and become nearly 0 and 1."""
    exact = thousandths(column)
    return (
        pl.when(exact == 0)
        .then(NEARLY_NOTHING)
        .when(exact == 1000)
        .then(NEARLY_ALL)
        .otherwise(exact)
        .alias(column)
    )


def plain(value: object) -> object:
    """A value for JSON: whole floats as integers, dates as text, tuples as lists.

    Null fields are dropped from records; nulls in lists stay.
    """
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items() if one is not None}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value


def thinned(days: Iterable[date], limit: int) -> list[date]:
    """At most `limit` days in order, evenly spaced, including the first and the last."""
    found = sorted(set(days))
    if len(found) <= limit:
        return found
    return [found[i * (len(found) - 1) // (limit - 1)] for i in range(limit)]
