"""Of which counters a recorded or selected listing holds the first N models of the Hub."""

from __future__ import annotations

import polars as pl

TOP_LIKES = 300  # first rows of a recording: the first models of the Hub by likes
COUNTERS = {"likes": "likes", "downloads_30d": "downloads"}  # column of ours -> the API's


def recorded_tops(listing: pl.DataFrame) -> dict[str, int]:
    """Depths of a recording of the first 300 models by likes, followed by those by downloads.

    The rows after the likes are of the second list. Models with at least the downloads of its last
    one are all listed.
    """
    last = listing[TOP_LIKES:]["downloads"].min()
    return {"likes": TOP_LIKES, "downloads_30d": listing.filter(pl.col("downloads") >= last).height}


def held_tops(listing: pl.DataFrame, chosen: pl.Series) -> dict[str, int]:
    """Depths up to which a selection from the recording lacks no model, without those of 0."""
    is_held = pl.col("id").is_in(chosen.implode())
    depths: dict[str, int] = {}
    for name, key in COUNTERS.items():
        ranked = listing.with_columns(is_held.alias("is_held")).sort(
            [key, "is_held"], descending=[True, False]
        )
        held = ranked.head(recorded_tops(listing)[name])["is_held"].cum_min().sum()
        depths |= {name: int(held)} if held else {}
    return depths
