"""What every parser needs to load raw tables: snapshot columns, casts and the quarantine.

A text cell is read in the format of its column and in no other (`typed`). What is written
otherwise costs the record in an essential column (`refusal`), and the value alone in any other
(`quarantine_cells`); the contract's `on_unusable` says which.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import duckdb

from warehouse.contract import Column, Contract, literal
from warehouse.formats import FORMATS
from warehouse.snapshot import Snapshot


def snapshot_columns(snapshot: Snapshot) -> str:
    """SQL of the first two columns of every raw table: snapshot_id, snapshot_date."""
    return f"{literal(snapshot.snapshot_id)}, DATE {literal(str(snapshot.snapshot_date))}"


def not_of_type(values: Iterable[tuple[str, str, str]]) -> str:
    """SQL WHEN branches that name the first value not of its type; each is (name, SQL, type)."""
    return " ".join(
        f"WHEN {text} IS NOT NULL AND {_misfit(text, kind)} THEN {literal(f'{name} is no {kind}')}"
        for name, text, kind in values
    )


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


def unusable(text: str, column: Column) -> str:
    """SQL: whether a cell holds a text that `typed` cannot read."""
    return f"({text} IS NOT NULL AND {typed(text, column)} IS NULL)"


def refusal(table: Contract, cells: Mapping[str, str]) -> str:
    """SQL of the reason for refusing a record, or null. `cells`: our column -> SQL of its text.

    The first essential column with an unusable text is named.
    """
    branches = " ".join(
        f"WHEN {unusable(text, table.columns[name])} THEN {literal(_reason(name, table))}"
        for name, text in _judged(table, cells, essential=True)
    )
    return f"CASE {branches} END" if branches else "NULL::VARCHAR"


def _judged(table: Contract, cells: Mapping[str, str], *, essential: bool) -> list[tuple[str, str]]:
    """The cells whose text may be unusable, in columns that are essential or that are not."""
    return [
        (name, text)
        for name, text in cells.items()
        if table.columns[name].written and table.columns[name].is_essential == essential
    ]


def _reason(name: str, table: Contract) -> str:
    return f"{name} is not written as {table.columns[name].written}"


def quarantine_cells(
    con: duckdb.DuckDBPyConnection,
    snapshot: Snapshot,
    table: Contract,
    cells: Mapping[str, str],
    source: str,
    parameters: Sequence[object] = (),
) -> None:
    """Notes every unusable text of a column that is not essential: its value is null.

    `source` is a SQL relation of the records that are kept, with the columns `file` and `line` and
    all that the SQL of the cells names.
    """
    judged = _judged(table, cells, essential=False)
    if not judged:
        return
    notes = ", ".join(
        f"CASE WHEN {unusable(text, table.columns[name])} THEN {{'column_name': {literal(name)}, "
        f"'reason': {literal(_reason(name, table))}, 'cell': ({text})::VARCHAR}} END"
        for name, text in judged
    )
    con.execute(
        f"""INSERT INTO raw.quarantine
        SELECT {snapshot_columns(snapshot)}, {literal(table.table)}, file, line, note.reason,
            note.cell, 'cell', note.column_name
        FROM (SELECT file, line, unnest([{notes}]) AS note FROM {source})
        WHERE note IS NOT NULL""",
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
