"""core.families."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.registry.bitemporal import as_known


def families(raw_registry_families: pl.LazyFrame, known_at: date) -> pl.LazyFrame:
    """One row per family, as known on `known_at`."""
    return as_known(raw_registry_families, known_at).select(
        "family_id", "family_name", "lab_id", "known_from", "note"
    )
