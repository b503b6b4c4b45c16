"""meta.arena_boards."""

from __future__ import annotations

from hashlib import sha256

import polars as pl

from transforms.arena.scale import BOARD, SERIES, consecutive_boards
from transforms.numeric.exact_sums import how_many
from warehouse.contracts.table import contract

MODEL = [*BOARD, "model_id"]
DISAGREES = 1.0  # arena points


def arena_boards(
    arena_ratings: pl.LazyFrame,
    arena_observations: pl.LazyFrame,
    arena_agent_scores: pl.LazyFrame,
    raw_arena_agent_leaderboards: pl.LazyFrame,
) -> pl.LazyFrame:
    """One row per board, category and publish date: its origin, repairs and digest.

    `content_hash` is the SHA-256 of the repaired board: one line `name <tab> value` per model,
    sorted by name, with the rating (or the score of agent boards) as the shortest decimal of that
    double.
    """
    agents = _agents(arena_agent_scores, raw_arena_agent_leaderboards)
    rated = (
        _models(arena_ratings)
        .join(_rows(arena_observations), on=BOARD, how="left")
        .join(_renamed(arena_ratings), on=BOARD, how="left")
    )
    table = contract("meta.arena_boards")
    filled = pl.col("^n_.*$").fill_null(0)
    return _with_republished(
        pl.concat([rated, agents], how="diagonal_relaxed").with_columns(filled)
    ).select(pl.col(c).cast(kind) for c, kind in table.polars_schema.items())


def _models(ratings: pl.LazyFrame) -> pl.LazyFrame:
    """Counts of the repaired board."""
    source, value = pl.col("board_source"), pl.col("rating")
    return ratings.group_by(BOARD).agg(
        pl.col("segment_id").first(),
        pl.len().alias("n_models"),
        how_many(source == "lmarena").alias("n_from_dataset"),
        how_many(source == "lmarena_space").alias("n_from_space"),
        how_many(source == "arena_catalog").alias("n_from_catalog"),
        how_many(pl.col("is_org_carried")).alias("n_org_carried"),
        how_many(pl.col("rating_upper").is_null()).alias("n_without_bounds"),
        pl.col("n_missing").first(),
        how_many(pl.col("n_tied") > 1).alias("n_tied"),
        _content(value).alias("content_hash"),
    )


def _rows(observations: pl.LazyFrame) -> pl.LazyFrame:
    """Counts of the received rows: duplicates, blanks, and differences between sources."""
    chosen, why = pl.col("is_chosen"), pl.col("not_chosen_reason")
    also = why == "better_source"
    differs = also & (pl.col("difference_to_chosen").abs() > DISAGREES)
    model = pl.col("model_id")
    return observations.group_by(BOARD).agg(
        how_many(why == "duplicate").alias("n_duplicates"),
        how_many(why == "other_scale").alias("n_other_scale"),
        how_many(chosen & pl.col("organization").is_null()).alias("n_org_blank"),
        how_many(chosen & pl.col("license").is_null()).alias("n_license_blank"),
        model.filter(also).n_unique().alias("n_compared"),
        model.filter(differs).n_unique().alias("n_disagreeing"),
    )


def _renamed(ratings: pl.LazyFrame) -> pl.LazyFrame:
    """Models whose name differs from that on the board before."""
    named = ratings.select(*MODEL, "model_name_arena")
    before = named.rename({"publish_date": "previous_publish_date", "model_name_arena": "before"})
    return (
        # left: Polars reorders inner joins, here into every pair of dates of a model
        named.join(consecutive_boards(ratings), on=BOARD, how="left")
        .join(before, on=[*SERIES, "previous_publish_date", "model_id"])
        .group_by(BOARD)
        .agg(how_many(pl.col("model_name_arena") != pl.col("before")).alias("n_renamed"))
    )


def _agents(scores: pl.LazyFrame, raw: pl.LazyFrame) -> pl.LazyFrame:
    """Agent boards, which have one source and scores instead of ratings."""
    received = raw.group_by(
        board="subset", category="category", publish_date="leaderboard_publish_date"
    ).agg(pl.len().alias("n_rows"))
    boards = scores.group_by(BOARD).agg(
        pl.len().alias("n_models"),
        pl.len().alias("n_from_dataset"),
        how_many(pl.col("organization").is_null()).alias("n_org_blank"),
        how_many(pl.col("license").is_null()).alias("n_license_blank"),
        how_many(pl.col("score_upper").is_null()).alias("n_without_bounds"),
        how_many(pl.col("score").is_not_null() & pl.col("score").is_duplicated()).alias("n_tied"),
        _content(pl.col("score")).alias("content_hash"),
    )
    return boards.join(received, on=BOARD, how="left").with_columns(
        (pl.col("n_rows") - pl.col("n_models")).alias("n_duplicates")
    )


def _content(value: pl.Expr) -> pl.Expr:
    """SHA-256 of a group's names and values."""
    name = pl.col("model_name_arena")
    line = pl.concat_str(name, value.cast(pl.String).fill_null(""), separator="\t")
    return line.sort_by(name).str.join("\n")


def _with_republished(boards: pl.LazyFrame) -> pl.LazyFrame:
    """Turns the content into its digest, and adds the first earlier day with the same content."""
    digest = pl.col("content_hash").map_elements(_sha256, return_dtype=pl.String)
    first = pl.col("publish_date").min().over(*SERIES, "content_hash")
    return boards.with_columns(digest).with_columns(
        pl.when(first < pl.col("publish_date")).then(first).alias("republishes_date")
    )


def _sha256(content: str) -> str:
    return sha256(content.encode()).hexdigest()
