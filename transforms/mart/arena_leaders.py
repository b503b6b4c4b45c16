"""mart.arena_leaders."""

from __future__ import annotations

import polars as pl

from transforms.arena.lags import lags
from transforms.arena.leaders import leaders_by
from transforms.arena.scale import BOARD
from transforms.registry.display_names import country_names, lab_names, with_names
from warehouse.contracts.table import contract


def arena_leaders(
    arena_ratings: pl.LazyFrame, countries: pl.LazyFrame, labs: pl.LazyFrame
) -> pl.LazyFrame:
    """One row per board, category, publish date and country: its best model by ordinal rank."""
    leaders = leaders_by(arena_ratings, "country_code").drop("has_catalog_rows")
    lagged = leaders.join(lags(arena_ratings), on=[*BOARD, "country_code"])
    named = with_names(lagged, lab_names(labs), best_lab_name="best_lab_id")
    ids = {"country_name": "country_code", "first_reached_by_name": "first_reached_by"}
    return with_names(named, country_names(countries), **ids).select(
        *contract("mart.arena_leaders").columns
    )
