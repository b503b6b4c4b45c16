"""The panel of models in a day's listing. Shares of two panels are not comparable."""

from __future__ import annotations

import polars as pl

PANEL = (
    *("panel_id", "panel_models", "hub_models_total"),
    *("panel_share_of_models", "panel_share_of_downloads"),
)


def with_panel(frame: pl.LazyFrame, hub_panels: pl.LazyFrame) -> pl.LazyFrame:
    """Adds the columns PANEL of each row's `as_of_date`; the number of rows does not change."""
    return frame.join(hub_panels.select("as_of_date", *PANEL), on="as_of_date", how="left")


def with_nearest_count(days: pl.LazyFrame, sizes: pl.LazyFrame) -> pl.LazyFrame:
    """Adds `n_models`, `basis` and `counted_on` of the Hub's count nearest to `as_of_date`.

    The earlier of two equally near; null if there is no count.
    """
    off = (pl.col("as_of_date") - pl.col("counted_on")).dt.total_days().abs()
    nearest = (
        days.select("as_of_date")
        .join(sizes.select("n_models", "basis", counted_on="as_of_date"), how="cross")
        .with_columns(off.alias("off"))
        .sort("as_of_date", "off", "counted_on")
        .unique("as_of_date", keep="first", maintain_order=True)
        .drop("off")
    )
    return days.join(nearest, on="as_of_date", how="left")
