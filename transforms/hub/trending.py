"""The trending list of a day that its figures are computed from."""

from __future__ import annotations

import polars as pl

TOPS = (5, 10)  # first places that are counted


def last_strips(hub_trending: pl.LazyFrame) -> pl.LazyFrame:
    """The rows of each day's last list.

    All counts of places use this one list, so a day's figures do not depend on how often it was
    observed.
    """
    return hub_trending.filter(pl.col("strip") == pl.col("strip").max().over("as_of_date"))
