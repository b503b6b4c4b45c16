"""mart.model_rankings."""

from __future__ import annotations

import polars as pl

from transforms.arena.scale import BOARD
from transforms.registry.display_names import country_names, lab_names, with_names
from warehouse.contracts.table import contract


def model_rankings(
    arena_ratings: pl.LazyFrame, labs: pl.LazyFrame, countries: pl.LazyFrame
) -> pl.LazyFrame:
    """One row per board, publish date and rated model of the category overall.

    A board with a rejected rated row has ratings but no ranks, and so no gap to a leader.
    """
    rated = arena_ratings.filter(
        (pl.col("category") == "overall") & pl.col("rating").is_not_null()
    ).with_columns(
        pl.len().over(BOARD).cast(pl.Int32).alias("n_models_board"),
        pl.when(pl.col("n_missing") == 0)
        .then(pl.col("rating").max().over(BOARD) - pl.col("rating"))
        .alias("gap_to_leader"),
    )
    named = with_names(rated, lab_names(labs), lab_name="lab_id")
    return (
        with_names(named, country_names(countries), country_name="country_code")
        .rename({"model_name_arena": "model_name"})
        .select(*contract("mart.model_rankings").columns)
    )
