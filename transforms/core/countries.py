"""core.countries."""

from __future__ import annotations

import polars as pl


def countries(raw_registry_countries: pl.LazyFrame) -> pl.LazyFrame:
    """One row per country code, with the two codes for not having a country (ZZ, XX)."""
    return (
        raw_registry_countries.sort("country_code", "basis", "spelling")
        .group_by("country_code", maintain_order=True)
        .agg(
            pl.col("country_code_alpha3").drop_nulls().first(),
            pl.col("country_name").first(),
        )
        .select("country_code", "country_code_alpha3", "country_name")
    )
