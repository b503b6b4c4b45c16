"""The boards in a pickle of the frozen Space, of any year, as one table.

| era | shape |
|---|---|
| 2023 | one result: elo_rating_online, elo_rating_median, later elo_rating_final and its system |
| from 2024-01 | + leaderboard_table_df: rating, variance, bounds, battles, ranking by model |
| from 2024-03-27 | category -> result, all of the text board |
| from 2024-06-29 | board -> category -> result; from 2024-08 also `<category>_style_control` |
| from 2025-06 | the bounds are named rating_upper and rating_lower |

A result without a category is stored as `full`, as the Space itself called it later.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterator
from typing import Any

import polars as pl

from flows.sources.lmarena.pickle_reader import PickleError, Value, describe, read
from flows.sources.lmarena.pickled_frames import Table, frame, is_frame, mapping, plain

SCHEMA = pl.Schema(
    {
        "subset": pl.String(),
        "source_category": pl.String(),
        "model_name": pl.String(),
        "rating_kind": pl.String(),
        "rating": pl.Float64(),
        "rating_lower": pl.Float64(),
        "rating_upper": pl.Float64(),
        "variance": pl.Float64(),
        "vote_count": pl.Float64(),
        "rank": pl.Float64(),
    }
)
log = logging.getLogger("observatory.lmarena_space")

_COLUMNS = {
    "rating": ("rating",),
    "rating_lower": ("rating_lower", "rating_q025"),
    "rating_upper": ("rating_upper", "rating_q975"),
    "variance": ("variance",),
    "vote_count": ("num_battles",),
    "rank": ("final_ranking",),
}
_TABLE, _FINAL = "leaderboard_table_df", "elo_rating_final"
_SIMPLE = {"elo_rating_online": "elo_online", "elo_rating_median": "elo_median"}
_RESULT = {_TABLE, _FINAL, *_SIMPLE}
_KINDS = {"bt": "bradley_terry", "elo": "elo_median"}
# Top-level names that are boards; all others are categories of the text board.
_BOARDS = {"text", "vision", "image", "image-edit", "webdev", "search"}
_SUBSETS = {"image": "text_to_image"}
_STYLE = "_style_control"
MAX_ROWS = 2_000_000
MAX_NUMBER = 1e12  # far above any rating or number of battles

Row = tuple[str | float | None, ...]


def boards(data: bytes) -> pl.DataFrame:
    """One row per rating that the pickle gives: board, category, model and method (SCHEMA).

    Only ratings from tables have bounds, variance, battles and rank. Raises PickleError for a
    pickle that is damaged or has no known ratings.
    """
    rows: list[Row] = []
    for path, result in _results(read(data), ()):
        subset, category = _subset_and_category(path)
        rows += [(subset, category, *line) for line in _lines(result)]
        if len(rows) > MAX_ROWS:
            raise PickleError(f"has more than {MAX_ROWS:,} ratings")
    if not rows:
        raise PickleError("has no table of ratings in a known shape")
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _results(
    node: Value, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], dict[Any, Any]]]:
    """The results with their path: none, the category, or board and category."""
    content = mapping(node)
    if content is None:
        return
    if _RESULT & set(content):
        yield path, content
    elif len(path) < 2:
        for name, child in content.items():
            if isinstance(name, str):
                yield from _results(child, (*path, name))


def _subset_and_category(path: tuple[str, ...]) -> tuple[str, str]:
    """Subset as the dataset names it, and category as the pickle names it."""
    if len(path) < 2:
        path = (*path, "full") if path and path[0] in _BOARDS else ("text", *(path or ("full",)))
    board, category = path
    subset = _SUBSETS.get(board, re.sub(r"[^a-z0-9]+", "_", board.lower()))
    if category.endswith(_STYLE):
        return subset + _STYLE, category.removesuffix(_STYLE)
    return subset, category


def _lines(result: dict[Any, Any]) -> Iterator[tuple[Any, ...]]:
    """Model, method and figures of one result."""
    table = result.get(_TABLE)
    if is_frame(table):
        yield from _table_lines(frame(table), _method(result, default="bt"))
    elif ratings := mapping(result.get(_FINAL)):
        yield from _plain_lines(ratings, _method(result, default=None))
    for name, kind in _SIMPLE.items():
        yield from _plain_lines(mapping(result.get(name)) or {}, kind)


def _method(result: dict[Any, Any], default: str | None) -> str:
    """The method of a result. Tables use Bradley-Terry if they name none."""
    system = plain(result.get("rating_system", default))
    if not isinstance(system, str) or system not in _KINDS:
        raise PickleError(f"has the unknown rating system {describe(system)}")
    return _KINDS[system]


def _table_lines(table: Table, kind: str) -> Iterator[tuple[Any, ...]]:
    if "rating" not in table.columns:
        raise PickleError(
            f"has a table without ratings; its columns: {[describe(c) for c in table.columns][:20]}"
        )
    empty: list[Any] = [None] * len(table.index)
    columns = [
        next((table.columns[name] for name in names if name in table.columns), empty)
        for names in _COLUMNS.values()
    ]
    for model, *cells in zip(table.index, *columns, strict=True):
        yield _model(model), kind, *(_number(model, cell) for cell in cells)


def _plain_lines(ratings: dict[Any, Any], kind: str) -> Iterator[tuple[Any, ...]]:
    alone = [None] * (len(_COLUMNS) - 1)
    for model, rating in ratings.items():
        yield _model(model), kind, _number(model, rating), *alone


def _model(label: object) -> str:
    if not isinstance(label, str) or not label:
        raise PickleError(f"has a model name that is not text: {describe(label)}")
    return label


def _number(model: object, cell: object) -> float | None:
    """A number, or None for NaN.

    Anything else becomes infinite, so that the loader quarantines that cell or rating instead of
    the whole file.
    """
    value = plain(cell)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not abs(value) < MAX_NUMBER:
        log.warning("%s: expected a number, found %s", describe(model), describe(value))
        return math.inf
    return float(value)
