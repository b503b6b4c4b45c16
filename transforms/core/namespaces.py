"""core.namespaces."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.registry.bitemporal import as_known
from transforms.registry.names import folded


def namespaces(raw_registry_namespaces: pl.LazyFrame, known_at: date) -> pl.LazyFrame:
    """One row per system, name as the system writes it and period of validity."""
    return as_known(raw_registry_namespaces, known_at).select(
        "system",
        "namespace",
        folded("namespace").alias("namespace_key"),
        "lab_id",
        "kind",
        "valid_from",
        "valid_to",
        "known_from",
        "basis",
        "evidence_url",
        "reviewer",
        "confidence",
        "note",
    )
