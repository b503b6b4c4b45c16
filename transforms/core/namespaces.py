"""core.namespaces."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.registry.bitemporal import as_known
from transforms.registry.names import folded
from warehouse.contracts.evidence import evidence_kind
from warehouse.contracts.table import contract


def namespaces(raw_registry_namespaces: pl.LazyFrame, known_at: date) -> pl.LazyFrame:
    """One row per system, name as the system writes it and period of validity."""
    known = as_known(raw_registry_namespaces, known_at)
    return known.with_columns(evidence_kind(), namespace_key=folded("namespace")).select(
        *contract("core.namespaces").columns
    )
