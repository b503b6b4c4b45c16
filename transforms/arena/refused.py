"""Rejected rated rows of the Arena's boards: such a board gets no ranking."""

from __future__ import annotations

import polars as pl

from transforms.arena.scale import BOARD
from transforms.registry.names import folded

_TABLES = [
    f"raw.arena_{name}"
    for name in ("leaderboards", "space_ratings", "space_tables", "catalog_ratings")
]
# Boards of arena-catalog whose files have other names (flows/sources/lmarena/catalog.py).
_CATALOG = {"data": "text", "data_style_control": "text_style_control", "image": "text_to_image"}
_TEXT = r'"((?:[^"\\]|\\.)*)"'


def refused_rows(raw_arena_refused_rows: pl.LazyFrame, categories: pl.LazyFrame) -> pl.LazyFrame:
    """One row per rejected row that has or may have a rating: its board and its name.

    The newest snapshot of each source and file counts. A row whose board cannot be read is left out
    here; gaps in the published ranks and the expectations on raw.quarantine report it.
    """
    newest = pl.col("snapshot_date") == pl.col("snapshot_date").max().over(
        "table_name", "file_name"
    )
    ranked = pl.col("table_name").is_in(_TABLES)
    lines = raw_arena_refused_rows.filter(ranked).filter(newest)
    read = lines.with_columns(_board(), _category(), _day(), _name(), _has_rating())
    return (
        read.filter("has_rating")
        .join(categories, on="source_category", how="left")
        .with_columns(pl.coalesce("category", "source_category").alias("category"))
        .drop_nulls(BOARD)
        .select(*BOARD, folded("name").alias("name"))
    )


def _of(table: str) -> pl.Expr:
    return pl.col("table_name") == f"raw.arena_{table}"


def _cell(name: str) -> pl.Expr:
    """A cell of a record that is a flat JSON object."""
    return pl.col("record").str.extract(rf'"{name}": ?{_TEXT}')


def _board() -> pl.Expr:
    file = pl.col("file_name")
    in_catalog = file.str.extract(r"leaderboard-(.+)\.json$").str.replace_all("-", "_")
    return (
        pl.when(_of("leaderboards"))
        .then(file.str.extract(r"^([^/]+)/"))
        .when(_of("space_ratings"))
        .then(_cell("subset"))
        .when(_of("space_tables"))
        .then(pl.lit("text"))
        .otherwise(in_catalog.replace(_CATALOG))
        .alias("board")
    )


def _category() -> pl.Expr:
    return (
        pl.when(_of("leaderboards"))
        .then(_cell("category"))
        .when(_of("space_ratings"))
        .then(_cell("source_category"))
        .when(_of("space_tables"))
        .then(pl.lit("overall"))
        .otherwise(pl.col("record").str.extract(rf"^\{{{_TEXT}:"))
        .alias("source_category")
    )


def _day() -> pl.Expr:
    digits = pl.col("file_name").str.extract(r"(\d{8})")
    text = pl.when(_of("leaderboards")).then(
        _cell("leaderboard_publish_date").str.slice(0, 10).str.replace_all("-", "")
    )
    return text.otherwise(digits).str.to_date("%Y%m%d", strict=False).alias("publish_date")


def _name() -> pl.Expr:
    in_catalog = pl.col("record").str.extract(rf"^\{{{_TEXT}: \{{{_TEXT}", 2)
    named = pl.coalesce(_cell("key"), _cell("Model"), _cell("model_name"))
    return pl.when(_of("catalog_ratings")).then(in_catalog).otherwise(named).alias("name")


def _has_rating() -> pl.Expr:
    """Whether the field of the rating has a value; only tables of 2023 have that field."""
    given = pl.col("record").str.extract(r'"(?:rating|Arena Elo rating)": ?("[^"]*"|[^,}]*)')
    is_blank = given.str.strip_chars('" ').is_in(["", "-", "null", "NaN"])
    # As flows.sources.quarantine words the reason: `<column>: expected <format>`.
    unusable = pl.col("reason").str.starts_with("rating:")
    return (unusable | (given.is_not_null() & ~is_blank)).fill_null(value=False).alias("has_rating")


def with_missing(lines: pl.LazyFrame, refused: pl.LazyFrame) -> pl.LazyFrame:
    """Adds `n_missing` of each board: rejected rows whose model no source rates there."""
    rated = lines.filter(pl.col("rating").is_not_null())
    held = rated.select(*BOARD, folded("model_name_arena").alias("name")).unique()
    missing = refused.join(held, on=[*BOARD, "name"], how="anti").group_by(BOARD)
    counts = missing.agg(pl.len().cast(pl.Int32).alias("n_missing"))
    return lines.join(counts, on=BOARD, how="left").with_columns(pl.col("n_missing").fill_null(0))


def ranked_boards(arena_ratings: pl.LazyFrame) -> pl.LazyFrame:
    """The rated rows of complete boards; the others have neither ranks nor a leader."""
    return arena_ratings.filter((pl.col("n_missing") == 0) & pl.col("rating").is_not_null())
