"""mart.arena_lab_leaders."""

from __future__ import annotations

import polars as pl

from transforms.arena.leaders import leaders_by
from transforms.arena.scale import BOARD
from transforms.numeric.exact_sums import how_many
from warehouse.contracts.table import contract


def arena_lab_leaders(arena_ratings: pl.LazyFrame, labs: pl.LazyFrame) -> pl.LazyFrame:
    """One row per board, category, publish date and lab: its best model by ordinal rank.

    Models whose lab nobody has examined are counted and stand in no row: two of them need not be
    of one lab.
    """
    names = labs.sort("valid_from").group_by("lab_id").agg(pl.col("lab_name").last())
    without_lab = how_many(pl.col("lab_id").is_null() & pl.col("rating").is_not_null())
    unexamined = arena_ratings.group_by(BOARD).agg(
        without_lab.cast(pl.Int32).alias("n_models_without_lab")
    )
    return (
        leaders_by(arena_ratings, "lab_id")
        .rename({"best_country_code": "country_code"})
        .join(names, on="lab_id", how="left")
        .join(unexamined, on=BOARD)
        .select(*contract("mart.arena_lab_leaders").columns)
    )
