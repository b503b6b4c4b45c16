"""Which of a day's trending strips its figures are about."""

from __future__ import annotations

import polars as pl


def last_strips(hub_trending: pl.LazyFrame) -> pl.LazyFrame:
    """The rows of each day's last strip, as in the published figures.

    Everything that counts places uses this one strip, so that a day gives the same figures however
    often it was observed.
    """
    return hub_trending.filter(pl.col("strip") == pl.col("strip").max().over("as_of_date"))
