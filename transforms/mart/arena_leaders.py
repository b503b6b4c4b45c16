"""mart.arena_leaders."""

from __future__ import annotations

import polars as pl

from transforms.arena.lags import lags
from transforms.arena.leaders import leaders_by
from transforms.arena.scale import BOARD
from warehouse.contracts.table import contract


def arena_leaders(arena_ratings: pl.LazyFrame, countries: pl.LazyFrame) -> pl.LazyFrame:
    """One row per board, category, publish date and country: its best model by ordinal rank."""
    leaders = leaders_by(arena_ratings, "country_code").drop("has_catalog_rows")
    return (
        leaders.join(lags(arena_ratings), on=[*BOARD, "country_code"])
        .join(countries.select("country_code", "country_name"), on="country_code", how="left")
        .select(*contract("mart.arena_leaders").columns)
    )
