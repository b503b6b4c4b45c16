"""core.labs."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.registry.bitemporal import as_known
from warehouse.contracts.evidence import evidence_kind
from warehouse.contracts.table import contract


def labs(raw_registry_labs: pl.LazyFrame, countries: pl.LazyFrame, known_at: date) -> pl.LazyFrame:
    """One row per lab and period of validity, as known on `known_at`, with its country's name."""
    return (
        as_known(raw_registry_labs, known_at)
        .join(countries.select("country_code", "country_name"), on="country_code", how="left")
        .with_columns(evidence_kind())
        .select(*contract("core.labs").columns)
    )
