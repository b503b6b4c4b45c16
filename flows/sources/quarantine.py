"""What every parser needs to load raw tables: snapshot columns, casts and the quarantine.

A text cell must have the format of its column (`typed`); a value that is a number in the file must
fit its column (`checked`). An unusable value in an essential column rejects the record (`refusal`);
in any other column the value becomes null (`quarantine_cells`). The contract's `on_unusable` says
which columns are essential.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import duckdb

from warehouse.archive.snapshot import Snapshot
from warehouse.contracts.formats import FORMATS
from warehouse.contracts.table import Column, Contract, literal, quote


def snapshot_columns(snapshot: Snapshot) -> str:
    """SQL of the first two columns of every raw table: snapshot_id, snapshot_date."""
    return f"{literal(snapshot.snapshot_id)}, DATE {literal(str(snapshot.snapshot_date))}"


def typed(text: str, column: Column) -> str:
    """SQL of a text cell's value; null where the text does not have the format of its column."""
    if column.written is None:
        return text
    cast = f"try_cast({text} AS {column.type})"
    if column.type == "DOUBLE":  # 1e999 has the format of a number but is infinite
        cast = f"CASE WHEN isfinite({cast}) THEN {cast} END"
    pattern = literal(FORMATS[column.written].pattern)
    if outside := _outside(cast, column):
        cast = f"CASE WHEN NOT ({outside}) THEN {cast} END"
    return f"CASE WHEN regexp_full_match({text}, {pattern}) THEN {cast} END"


def _outside(value: str, column: Column) -> str:
    """SQL: whether a value is out of its column's range; empty for a column without one."""
    bounds = ((column.min, "<"), (column.max, ">"))
    return " OR ".join(f"{value} {sign} {bound!r}" for bound, sign in bounds if bound is not None)


def checked(value: str, column: Column) -> str:
    """SQL of a typed value; null where it is infinite, out of range or of another type."""
    cast = f"try_cast({value} AS {column.type})"
    unfit = " OR ".join(filter(None, (_misfit(value, column.type), _outside(cast, column))))
    return f"CASE WHEN NOT ({unfit}) THEN {cast} END"


def _misfit(value: str, kind: str) -> str:
    """SQL: whether a cast fails, or would round a fraction where an integer belongs."""
    if (
        kind == "DOUBLE"
    ):  # contracts promise finite numbers: one infinite cell must not stop a build
        return f"NOT coalesce(isfinite(try_cast({value} AS DOUBLE)), false)"
    fails = f"try_cast({value} AS {kind}) IS NULL"
    if kind in ("DATE", "TIMESTAMP"):  # `infinity` and years that Python and Polars cannot hold
        cast = f"try_cast({value} AS {kind})"
        return f"NOT coalesce(isfinite({cast}) AND year({cast}) BETWEEN 1800 AND 2199, false)"
    if kind not in ("BIGINT", "INTEGER"):
        return fails
    number = f"try_cast({value} AS DOUBLE)"
    # Fractions are rare; looking for their characters first is cheap.
    signs = " OR ".join(f"contains(({value})::VARCHAR, '{sign}')" for sign in ".eE")
    return f"({fails} OR (({signs}) AND coalesce({number} <> trunc({number}), false)))"


def refusal(
    table: Contract, cells: Mapping[str, str], values: Mapping[str, str] | None = None
) -> str:
    """SQL of the reason for rejecting a record, or null. `cells`: column -> SQL of its source text.

    The reason names the first essential column with an unusable cell. `values` is the SQL of a
    cell's value where that is not `typed`.
    """
    branches = " ".join(
        f"WHEN {unusable} THEN {literal(reason)}"
        for _, _, unusable, reason in _cell_checks(table, cells, values, essential=True)
    )
    return f"CASE {branches} END" if branches else "NULL::VARCHAR"


def _cell_checks(
    table: Contract,
    cells: Mapping[str, str],
    values: Mapping[str, str] | None,
    *,
    essential: bool,
) -> Iterator[tuple[str, str, str, str]]:
    """Column, SQL of the cell, SQL of whether it is unusable, and the reason to give."""
    for name, cell in cells.items():
        column = table.columns[name]
        if column.is_essential != essential:
            continue
        given = (values or {}).get(name)
        if given is None and not column.written:
            continue
        bounds = "" if column.min is None else f", {column.min:g} or more"
        bounds += "" if column.max is None else f", at most {column.max:g}"
        value, expected = given or typed(cell, column), f"{column.written or column.type}{bounds}"
        unusable = f"({cell} IS NOT NULL AND {value} IS NULL)"
        yield name, cell, unusable, f"{name}: expected {expected}"


def has_unusable_cell(table: Contract, cells: Mapping[str, str], values: Mapping[str, str]) -> str:
    """SQL: whether `quarantine_cells` would store any cell of a record."""
    checks = [check for _, _, check, _ in _cell_checks(table, cells, values, essential=False)]
    return f"({' OR '.join(checks)})" if checks else "false"


def load_records(
    con: duckdb.DuckDBPyConnection,
    snapshot: Snapshot,
    table: Contract,
    records: str,
    columns: Mapping[str, str],
    cells: Mapping[str, str],
    values: Mapping[str, str] | None = None,
) -> None:
    """Inserts the accepted records of a SQL relation and quarantines the others.

    `records` has the columns `file`, `line`, `record` (its text) and `refusal` (the reason, or
    null). `columns`: column -> SQL of its value; `cells` and `values` as for `refusal`.
    """
    names = ", ".join(map(quote, ("snapshot_id", "snapshot_date", *columns)))
    con.execute(
        f"""INSERT INTO {table.sql_name} ({names})
        SELECT {snapshot_columns(snapshot)}, {", ".join(columns.values())}
        FROM {records} WHERE refusal IS NULL ORDER BY file, line"""
    )
    rejected = f"SELECT file, line, refusal, record FROM {records} WHERE refusal IS NOT NULL"
    quarantine(con, snapshot, table.table, rejected)
    accepted = f"(FROM {records} WHERE refusal IS NULL)"
    quarantine_cells(con, snapshot, table, cells, accepted, values=values)


def quarantine_cells(
    con: duckdb.DuckDBPyConnection,
    snapshot: Snapshot,
    table: Contract,
    cells: Mapping[str, str],
    source: str,
    parameters: Sequence[object] = (),
    values: Mapping[str, str] | None = None,
) -> None:
    """Stores every unusable cell of a column that is not essential; its value is null.

    `source` is a SQL relation of the accepted records, with the columns `file` and `line` and all
    columns that the SQL of the cells uses; `values` as for `refusal`.
    """
    notes = ", ".join(
        f"CASE WHEN {unusable} THEN {{'column_name': {literal(name)}, "
        f"'reason': {literal(reason)}, 'cell': ({cell})::VARCHAR}} END"
        for name, cell, unusable, reason in _cell_checks(table, cells, values, essential=False)
    )
    if notes:
        select = f"""SELECT file, line, note.reason, note.cell, 'cell', note.column_name
            FROM (SELECT file, line, unnest([{notes}]) AS note FROM {source})
            WHERE note IS NOT NULL"""
        _insert(con, "raw.quarantine", snapshot, table.table, select, parameters)


def quarantine(
    con: duckdb.DuckDBPyConnection,
    snapshot: Snapshot,
    table: str,
    select: str,
    parameters: Sequence[object] = (),
) -> None:
    """Stores rejected records: `select` gives file, record number, reason and the record's text."""
    records = f"SELECT *, 'record', NULL FROM ({select})"
    _insert(con, "raw.quarantine", snapshot, table, records, parameters)
    if table.startswith("raw.arena_"):  # boards are ranked without them, under their own licenses
        _insert(con, "raw.arena_refused_rows", snapshot, table, select, parameters)


def _insert(
    con: duckdb.DuckDBPyConnection,
    target: str,
    snapshot: Snapshot,
    table: str,
    select: str,
    parameters: Sequence[object],
) -> None:
    con.execute(
        f"""INSERT INTO {target}
        SELECT {snapshot_columns(snapshot)}, {literal(table)}, * FROM ({select})""",
        list(parameters),
    )
