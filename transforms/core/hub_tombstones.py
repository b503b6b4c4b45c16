"""core.hub_tombstones."""

from __future__ import annotations

import polars as pl


def hub_tombstones(raw_hub_absences: pl.LazyFrame) -> pl.LazyFrame:
    """One row per model and absence between complete sweeps, with the return if there was one."""
    return raw_hub_absences
