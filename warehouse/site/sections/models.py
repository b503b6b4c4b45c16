"""The most downloaded models, for the table of models and the search."""

from __future__ import annotations

from typing import Any

import polars as pl

from warehouse.site.release_tables import Tables

LISTED = 1000
COLUMNS = [
    "model", "model_name", "lab_id", "lab_name", "country_code", "country_name", "family_name",
    "root_model_id_hf", "license", "is_open_weights", "created_on", "hub_as_of_date",
    "downloads_30d", "downloads_all_time", "likes", "n_derivatives", "arena_board", "arena_rank",
]  # fmt: skip


def models(tables: Tables) -> dict[str, Any]:
    """`rows` by 30-day downloads, `day` of their counters, and `n`, all observed models."""
    table = "mart.models"
    order = f"WHERE downloads_30d > 0 ORDER BY downloads_30d DESC, model LIMIT {LISTED}"
    top = tables.select(table, COLUMNS, order)
    days = top["hub_as_of_date"].drop_nulls()
    rows = top.with_row_index("place", 1).with_columns(pl.col("place").cast(pl.Int64))
    return {
        "rows": rows.to_dicts(),
        "day": days.max() if len(days) else None,
        "n": tables.n_rows(table, "counters_missing IS NULL"),
    }
