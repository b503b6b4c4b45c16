"""What every parser needs to load raw tables: snapshot columns, casts and the quarantine.

A text cell is read in the format of its column and in no other (`typed`); a value that the file
itself holds as a number is taken if it fits its column (`measured`). What cannot be used costs the
record in an essential column (`refusal`), and the value alone in any other (`quarantine_cells`);
the contract's `on_unusable` says which.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import duckdb

from warehouse.archive.snapshot import Snapshot
from warehouse.contracts.formats import FORMATS
from warehouse.contracts.table import Column, Contract, literal


def snapshot_columns(snapshot: Snapshot) -> str:
    """SQL of the first two columns of every raw table: snapshot_id, snapshot_date."""
    return f"{literal(snapshot.snapshot_id)}, DATE {literal(str(snapshot.snapshot_date))}"


def _misfit(text: str, kind: str) -> str:
    """A cast that fails; a fraction where a whole number belongs, which a cast would round."""
    fails = f"try_cast({text} AS {kind}) IS NULL"
    if kind == "DOUBLE":  # the contracts promise finite numbers: one infinite cell stops no build
        return f"NOT coalesce(isfinite(try_cast({text} AS DOUBLE)), false)"
    if kind not in ("BIGINT", "INTEGER"):
        return fails
    number = f"try_cast({text} AS DOUBLE)"
    broken = " OR ".join(
        f"contains(({text})::VARCHAR, '{sign}')" for sign in ".eE"
    )  # hardly ever: cheap
    return f"({fails} OR (({broken}) AND coalesce({number} <> trunc({number}), false)))"


def typed(text: str, column: Column) -> str:
    """SQL of a text cell's value; null where the text is not in the format of its column."""
    if column.written is None:
        return text
    cast = f"try_cast({text} AS {column.type})"
    if column.type == "DOUBLE":  # 1e999 is written as a number and is none
        cast = f"CASE WHEN isfinite({cast}) THEN {cast} END"
    pattern = literal(FORMATS[column.written].pattern)
    return f"CASE WHEN regexp_full_match({text}, {pattern}) THEN {cast} END"


def measured(value: str, column: Column) -> str:
    """SQL of a typed value; null where it is not of its column's type, infinite or out of range."""
    cast = f"try_cast({value} AS {column.type})"
    bounds = ((column.min, "<"), (column.max, ">"))
    outside = "".join(f" OR {cast} {sign} {bound!r}" for bound, sign in bounds if bound is not None)
    return f"CASE WHEN NOT ({_misfit(value, column.type)}{outside}) THEN {cast} END"


def refusal(
    table: Contract, cells: Mapping[str, str], values: Mapping[str, str] | None = None
) -> str:
    """SQL of the reason for refusing a record, or null. `cells`: our column -> SQL of its text.

    The first essential column with an unusable text is named. `values` is the SQL of what a cell is
    read as where that is not `typed`.
    """
    branches = " ".join(
        f"WHEN {unusable} THEN {literal(reason)}"
        for _, _, unusable, reason in _judged(table, cells, values, essential=True)
    )
    return f"CASE {branches} END" if branches else "NULL::VARCHAR"


def _judged(
    table: Contract,
    cells: Mapping[str, str],
    values: Mapping[str, str] | None,
    *,
    essential: bool,
) -> Iterator[tuple[str, str, str, str]]:
    """Column, SQL of the cell, SQL of whether it cannot be used, and the reason to give."""
    for name, cell in cells.items():
        column = table.columns[name]
        if column.is_essential != essential:
            continue
        if values and name in values:
            yield name, cell, _is_lost(cell, values[name]), f"{name} is no {column.type}"
        elif column.written:
            reason = f"{name} is not written as {column.written}"
            yield name, cell, _is_lost(cell, typed(cell, column)), reason


def _is_lost(cell: str, value: str) -> str:
    return f"({cell} IS NOT NULL AND {value} IS NULL)"


def has_lost_cell(table: Contract, cells: Mapping[str, str], values: Mapping[str, str]) -> str:
    """SQL: whether `quarantine_cells` would note any cell of a record."""
    lost = [unusable for _, _, unusable, _ in _judged(table, cells, values, essential=False)]
    return f"({' OR '.join(lost)})" if lost else "false"


def quarantine_cells(
    con: duckdb.DuckDBPyConnection,
    snapshot: Snapshot,
    table: Contract,
    cells: Mapping[str, str],
    source: str,
    parameters: Sequence[object] = (),
    values: Mapping[str, str] | None = None,
) -> None:
    """Notes every unusable text of a column that is not essential: its value is null.

    `source` is a SQL relation of the records that are kept, with the columns `file` and `line` and
    all that the SQL of the cells names; `values` as for `refusal`.
    """
    notes = ", ".join(
        f"CASE WHEN {unusable} THEN {{'column_name': {literal(name)}, "
        f"'reason': {literal(reason)}, 'cell': ({cell})::VARCHAR}} END"
        for name, cell, unusable, reason in _judged(table, cells, values, essential=False)
    )
    if notes:
        select = f"""SELECT file, line, note.reason, note.cell, note.column_name
            FROM (SELECT file, line, unnest([{notes}]) AS note FROM {source})
            WHERE note IS NOT NULL"""
        note_cells(con, snapshot, table.table, select, parameters)


def note_cells(
    con: duckdb.DuckDBPyConnection,
    snapshot: Snapshot,
    table: str,
    select: str,
    parameters: Sequence[object] = (),
) -> None:
    """Keeps refused cells: `select` gives file, record number, reason, text and our column."""
    con.execute(
        f"""INSERT INTO raw.quarantine
        SELECT {snapshot_columns(snapshot)}, {literal(table)}, * EXCLUDE (column_name), 'cell',
            column_name
        FROM ({select})""",
        list(parameters),
    )


def quarantine(
    con: duckdb.DuckDBPyConnection,
    snapshot: Snapshot,
    table: str,
    select: str,
    parameters: Sequence[object] = (),
) -> None:
    """Keeps refused records: `select` gives file, record number, reason and the record's text."""
    con.execute(
        f"""INSERT INTO raw.quarantine
        SELECT {snapshot_columns(snapshot)}, {literal(table)}, *, 'record', NULL
        FROM ({select})""",
        list(parameters),
    )
    if table.startswith("raw.arena_"):  # boards are ranked without them, under their own licenses
        con.execute(
            f"""INSERT INTO raw.arena_refused_rows
            SELECT {snapshot_columns(snapshot)}, {literal(table)}, * FROM ({select})""",
            list(parameters),
        )
