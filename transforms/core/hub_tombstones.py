"""core.hub_tombstones."""

from __future__ import annotations

import polars as pl


def hub_tombstones(raw_hub_absences: pl.LazyFrame) -> pl.LazyFrame:
    """One row per model and time of absence: between whole sweeps alone, and closed by a return."""
    return raw_hub_absences
