"""core.namespaces."""

from __future__ import annotations

import polars as pl


def namespaces(raw_registry_namespaces: pl.LazyFrame) -> pl.LazyFrame:
    """One row per system and name as the system writes it."""
    return raw_registry_namespaces.select(
        "system",
        "namespace",
        pl.col("namespace").str.to_lowercase().alias("namespace_key"),
        "lab_id",
        "kind",
        "basis",
        "note",
    )
