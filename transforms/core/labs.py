"""core.labs."""

from __future__ import annotations

import polars as pl


def labs(raw_registry_labs: pl.LazyFrame, countries: pl.LazyFrame) -> pl.LazyFrame:
    """One row per lab and period of validity, with the name of its country."""
    return raw_registry_labs.join(
        countries.select("country_code", "country_name"), on="country_code", how="left"
    ).select(
        "lab_id",
        "lab_name",
        "parent_lab_id",
        "country_code",
        "country_name",
        "valid_from",
        "valid_to",
        "basis",
        "note",
    )
