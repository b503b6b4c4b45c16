"""Columns of a leaderboard file: which kind of board it is, and SQL to read it."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from flows.sources.quarantine import checked, typed
from warehouse.contracts.table import Contract, contract, quote

# A board's columns decide its kind: arena ratings, or the scores of the agent boards.
KINDS = ("raw.arena_leaderboards", "raw.arena_agent_leaderboards")


class UnknownKindError(ValueError):
    """A board whose columns match no known kind."""


def kind_of(columns: list[str]) -> Contract:
    """The contract whose source columns a board has. Raises UnknownKindError naming the nearest."""
    missing = {
        kind: [c for c in source_columns(contract(kind)) if c not in columns] for kind in KINDS
    }
    best = min(KINDS, key=lambda kind: len(missing[kind]))
    if missing[best]:
        known = source_columns(contract(best))
        unknown = [c for c in columns if c not in known]
        raise UnknownKindError(
            f"lacks the columns {missing[best]} of {best}; columns not in that contract: {unknown}"
        )
    return contract(best)


def source_columns(kind: Contract) -> dict[str, str]:
    """Source column -> our column."""
    return {name: ours for ours, c in kind.columns.items() for name in c.source_names}


def cells_and_values(kind: Contract, path: str) -> tuple[dict[str, str], dict[str, str]]:
    """SQL of a board's cells by our column, and SQL of the values of those that are not text."""
    schema = pq.read_schema(path)
    types = {ours: schema.field(source).type for source, ours in source_columns(kind).items()}
    cells = {ours: _cell(source, types[ours]) for source, ours in source_columns(kind).items()}
    typed_columns = [ours for ours, arrow_type in types.items() if not _is_text(arrow_type)]
    return cells, {ours: checked(cells[ours], kind.columns[ours]) for ours in typed_columns}


def select_list(kind: Contract, path: str) -> str:
    """SQL of our columns from a board's own."""
    cells, values = cells_and_values(kind, path)
    read = {ours: typed(cell, kind.columns[ours]) for ours, cell in cells.items()} | values
    return ", ".join(f"{value} AS {quote(ours)}" for ours, value in read.items())


def _value_type(arrow_type: pa.DataType) -> pa.DataType:
    return arrow_type.value_type if pa.types.is_dictionary(arrow_type) else arrow_type


def _is_text(arrow_type: pa.DataType) -> bool:
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(is_kind(_value_type(arrow_type)) for is_kind in tests)


def _cell(source: str, arrow_type: pa.DataType) -> str:
    """SQL of one source column; the files use '' and NaN for null."""
    column, kind = quote(source), _value_type(arrow_type)
    if pa.types.is_floating(kind):
        return f"CASE WHEN isnan({column}) THEN NULL ELSE {column} END"
    if _is_text(arrow_type):
        return f"nullif({column}, '')"
    if pa.types.is_timestamp(kind) and kind.tz:
        return f"make_timestamp(epoch_us({column}))"  # UTC, whatever the session's time zone is
    return column
