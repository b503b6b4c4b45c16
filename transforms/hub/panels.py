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
