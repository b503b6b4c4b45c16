"""mart.arena_lab_leaders."""

from __future__ import annotations

import polars as pl

from transforms.arena.leaders import leaders_by
from transforms.arena.scale import BOARD
from transforms.numeric.exact_sums import how_many
from transforms.registry.display_names import country_names, lab_names, with_names
from warehouse.contracts.table import contract


def arena_lab_leaders(
    arena_ratings: pl.LazyFrame, labs: pl.LazyFrame, countries: pl.LazyFrame
) -> pl.LazyFrame:
    """One row per board, category, publish date and lab: its best model by ordinal rank.

    Models whose lab has not been examined are counted in `n_models_without_lab` and have no row,
    since two of them need not be of one lab.
    """
    without_lab = how_many(pl.col("lab_id").is_null() & pl.col("rating").is_not_null())
    unexamined = arena_ratings.group_by(BOARD).agg(
        without_lab.cast(pl.Int32).alias("n_models_without_lab")
    )
    leaders = leaders_by(arena_ratings, "lab_id").rename({"best_country_code": "country_code"})
    named = with_names(leaders, lab_names(labs), lab_name="lab_id")
    return (
        with_names(named, country_names(countries), country_name="country_code")
        .join(unexamined, on=BOARD)
        .select(*contract("mart.arena_lab_leaders").columns)
    )
