"""mart.arena_leader_changes."""

from __future__ import annotations

import polars as pl

from transforms.arena.leaders import expected_win_rate
from transforms.arena.refused import ranked_boards
from transforms.arena.scale import BOARD, PLACED
from transforms.numeric.confirmed_changes import changes, confirmed
from transforms.registry.attribution import UNKNOWN
from transforms.registry.display_names import country_names, lab_names, with_names
from warehouse.contracts.table import contract

SERIES = ["board", "category", "level"]
HOLDERS = {"country": "country_code", "lab": "lab_id"}

# A lead is confirmed when it exceeds the doubt on this many new boards in a row. The doubt is half
# the 95 % interval of a difference of two independent ratings.
N_BOARDS = 3
DOUBT_DEVIATIONS = 1.96


def arena_leader_changes(
    arena_ratings: pl.LazyFrame,
    arena_leaders: pl.LazyFrame,
    arena_lab_leaders: pl.LazyFrame,
    countries: pl.LazyFrame,
    labs: pl.LazyFrame,
) -> pl.LazyFrame:
    """One row per board, category, level (country or lab) and confirmed change of the leader.

    A holder leads a board if its model is first and more than `DOUBT_DEVIATIONS` standard
    deviations of the difference ahead of the best model of any other holder. It becomes the leader
    when it leads `N_BOARDS` new boards in a row, and remains it until another holder does the same,
    even if its lead becomes uncertain. A board with the models and ratings of the one before is not
    new. A board without intervals confirms no lead; it interrupts a row only if another holder is
    first. Margins are within one board, so breaks of the scale do not matter. ZZ, XX and models
    without a lab can prevent a lead but never have one.
    """
    boards = _new_boards(ranked_boards(arena_ratings))
    led = pl.concat([_led(boards, level) for level in HOLDERS])
    leads = confirmed(
        _informative(led), SERIES, "publish_date", N_BOARDS, flags=["has_catalog_rows"]
    )
    chances = pl.concat(
        frame.select(
            *BOARD,
            pl.lit(level).alias("level"),
            pl.col(HOLDERS[level]).alias("holder"),
            "probability_first",
        )
        for level, frame in (("country", arena_leaders), ("lab", arena_lab_leaders))
    )
    found = changes(leads, SERIES, "publish_date", flags=["has_catalog_rows"])
    names = pl.concat([country_names(countries), lab_names(labs)])
    holders = ("holder", "previous_holder", "rival_holder")
    return (
        with_names(found, names, **{f"{holder}_name": holder for holder in holders})
        .join(chances, on=[*BOARD, "level", "holder"], how="left")
        .rename({"publish_date": "confirmed_date"})
        .select(*contract("mart.arena_leader_changes").columns)
    )


def _new_boards(rated: pl.LazyFrame) -> pl.LazyFrame:
    """Drops boards with the models and ratings of the board before in their category."""
    line = pl.struct("model_id", "rating").hash(seed=0)
    boards = (
        rated.group_by(BOARD)
        .agg(line.bitwise_xor().alias("_print"), pl.len().alias("_n"))
        .sort(BOARD)
        .with_columns(pl.struct("_print", "_n").rle_id().over("board", "category").alias("_run"))
    )
    fresh = boards.filter(pl.struct("board", "category", "_run").is_first_distinct())
    return rated.join(fresh.select(BOARD), on=BOARD, how="semi")


def _led(boards: pl.LazyFrame, level: str) -> pl.LazyFrame:
    """One row per board: its first model, the best of any other holder, and the sure leader."""
    column = pl.col(HOLDERS[level])
    holder = pl.when(~column.is_in(UNKNOWN)).then(column)  # no lab has such an id
    is_other = (pl.col("_holder") != pl.col("_holder").first()).fill_null(True)
    rival = {
        name: pl.col(name).filter(is_other).first()
        for name in ("model_name_arena", "_holder", "rating", "variance")
    }
    margin = pl.col("rating").first() - rival["rating"]
    doubt = DOUBT_DEVIATIONS * (pl.col("variance").first() + rival["variance"]).sqrt()
    return (
        boards.with_columns(holder.alias("_holder"))
        .sort(*BOARD, *PLACED, nulls_last=True)
        .group_by(BOARD, maintain_order=True)
        .agg(
            pl.lit(level).alias("level"),
            pl.col("_holder").first().alias("_first"),
            pl.col("is_style_controlled", "has_catalog_rows").first(),
            pl.col("model_name_arena").first().alias("best_model"),
            pl.col("model_id").first().alias("best_model_id"),
            rival["model_name_arena"].alias("rival_model"),
            rival["_holder"].alias("rival_holder"),
            margin.alias("margin"),
            doubt.alias("doubt"),
            expected_win_rate(margin).alias("expected_win_rate"),
        )
        .with_columns(pl.when(pl.col("margin") > pl.col("doubt")).then("_first").alias("holder"))
    )


def _informative(led: pl.LazyFrame) -> pl.LazyFrame:
    """Drops boards of unknown doubt on which the last sure leader is first again.

    Sources with and without intervals alternated in 2024. If an unknown doubt interrupted a row, no
    lead of that year would last three boards.
    """
    is_known = pl.col("doubt").is_not_null()
    state = pl.when(is_known).then(pl.col("holder").fill_null(""))
    last = state.forward_fill().over(SERIES, order_by="publish_date")
    return led.filter(is_known | pl.col("_first").ne_missing(last))
