"""Rows of LMArena's sources by hand, and the tables computed from them."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any

import polars as pl

from tests.support.frames import DAY, Row, everything, registry, rows
from warehouse.registry.load import read_registry

OLD, LATE = date(2025, 5, 13), date(2025, 11, 6)  # before and after the data set shows retired ones
TARGETS = {"core.arena_ratings", "core.arena_scale_segments", "meta.arena_boards"}
Tables = dict[str, pl.DataFrame]
REFERENCE = {
    f"raw_registry_{name}": read_registry(name).lazy()
    for name in ("arena_categories", "arena_exclusions", "arena_licenses", "model_aliases")
}


def numbered(given_rows: list[Row]) -> list[Row]:
    return [{"line": i, **row} for i, row in enumerate(given_rows, 1)]


def dataset(*lines: Row) -> pl.LazyFrame:
    about = {"snapshot_id": f"lmarena/{DAY}", "snapshot_date": DAY, "category": "overall"}
    return rows("raw.arena_leaderboards", *numbered(list(lines)), **{"subset": "text", **about})


def catalog(*lines: Row) -> pl.LazyFrame:
    about = {"snapshot_id": f"arena_catalog/{DAY}", "snapshot_date": DAY, "commit_id": "abc"}
    files = {"file_name": "leaderboard-text.json", "subset": "text", "source_category": "full"}
    return rows("raw.arena_catalog_ratings", *numbered(list(lines)), **{**about, **files})


def tables(*lines: Row) -> pl.LazyFrame:
    about = {"snapshot_id": f"lmarena_space/{DAY}", "snapshot_date": DAY, "file_name": "t.csv"}
    return rows("raw.arena_space_tables", *numbered(list(lines)), **{"table_date": OLD, **about})


def pickles(*lines: Row) -> pl.LazyFrame:
    about = {"snapshot_id": f"lmarena_space/{DAY}", "snapshot_date": DAY, "file_name": "e.pkl"}
    kind = {"subset": "text", "source_category": "full", "rating_kind": "bradley_terry"}
    return rows("raw.arena_space_ratings", *numbered(list(lines)), **{**about, **kind})


def line(name: str, rating: float | None, day: date = OLD, **more: Any) -> Row:
    return {"model_name": name, "rating": rating, "leaderboard_publish_date": day, **more}


def entry(name: str, rating: float, day: date = OLD, **more: Any) -> Row:
    at = datetime.combine(day, time())
    return {
        "model_name": name,
        "rating": rating,
        "committed_at": at,
        "commit_date": day,
        **more,
    }


def vote(name: str, rating: float, day: date = OLD, **more: Any) -> Row:
    return {"model_name": name, "rating": rating, "table_date": day, **more}


def made(**raw: pl.LazyFrame) -> Tables:
    """The healed tables of some raw frames, with the project's own names of categories."""
    labs = registry({"OpenAI": "US", "DeepSeek": "CN"}, system="lmarena")
    return everything(DAY, TARGETS, date.max, **{**labs, **REFERENCE, **raw})


def ratings(**raw: pl.LazyFrame) -> dict[str, dict[str, Any]]:
    """core.arena_ratings of one board, by name."""
    held = made(**raw)["core.arena_ratings"].iter_rows(named=True)
    return {row["model_name_arena"]: row for row in held}


def board(**raw: pl.LazyFrame) -> dict[str, Any]:
    """The one row of meta.arena_boards."""
    (row,) = made(**raw)["meta.arena_boards"].iter_rows(named=True)
    return row
