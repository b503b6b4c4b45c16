"""Use through OpenRouter: shares of tokens by country."""

from __future__ import annotations

from typing import Any

import polars as pl

from warehouse.site.numbers import thinned, thousandths
from warehouse.site.release_tables import Tables

DAYS, DRAWN = 60, 5
TABLE = "mart.token_share_daily"
VALUES = ("share", "share_lower", "share_upper")
DOUBT = ("cloaked", "unexamined", "other")  # the order of the table


def tokens(tables: Tables) -> dict[str, Any]:
    """`days`, and holder -> `[share, lower, upper]` by day, countries first; empty without data.

    Shares are in thousandths; null = the holder has no model in the day's list. What is in doubt
    has no bounds. `doubt` is the part of the newest day's tokens whose country is not known.
    """
    frame = tables.read(TABLE, "level = 'country'")
    if frame.is_empty():
        return {}
    days = thinned(frame["day"].unique(), DAYS)
    newest = frame.filter(day=days[-1]).sort("tokens", "holder", descending=[True, False])
    known = newest.filter(~pl.col("is_doubt") & (pl.col("holder") != "ZZ"))["holder"].head(DRAWN)
    present = [part for part in DOUBT if part in newest["holder"]]
    kept = frame.filter(pl.col("day").is_in(days)).with_columns(*map(thousandths, VALUES))
    at = {(who, day): values for who, day, *values in
          kept.select("holder", "day", *VALUES).iter_rows()}  # fmt: skip
    doubt = newest.select((pl.col("tokens_in_doubt") / pl.col("tokens_total")).alias("share"))
    return {
        "days": days,
        "shares": {
            who: [[at.get((who, day), [None] * 3)[i] for day in days] for i in range(3)]
            for who in [*known, *present]
        },
        "doubt": doubt.select(thousandths("share"))["share"].first(),
        "has_other": bool(newest["has_other"].first()),
    }
