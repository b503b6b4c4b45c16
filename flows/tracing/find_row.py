"""Find the table and the row to trace; if several rows match, list the values to choose from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from flows.reports.tables import SHOWN, contract_named, listed
from warehouse.contracts.table import Contract, quote


class TraceError(ValueError):
    """The arguments match no row, or more than one; the message lists the possible values."""


@dataclass(frozen=True)
class TracedRow:
    """One row of one table of an open warehouse or release file."""

    contract: Contract
    rowid: int
    row: Mapping[str, Any]


def find_row(con: duckdb.DuckDBPyConnection, table: str, key: Sequence[str]) -> TracedRow:
    """The row that `column=value` pairs select. Raises UnknownTableError, TraceError."""
    contract = _table(con, table)
    wanted = _pairs(contract, key)
    where = " AND ".join(f"{quote(c)}::VARCHAR = ?" for c in wanted) or "true"
    query = f"FROM {contract.sql_name} SELECT rowid, * WHERE {where} LIMIT 2"
    cursor = con.execute(query, list(wanted.values()))
    names = [d[0] for d in cursor.description or ()]
    rows = cursor.fetchall()
    if len(rows) != 1:
        raise TraceError(_choices(con, contract, wanted, several=bool(rows)))
    rowid, *values = rows[0]
    return TracedRow(contract, rowid, dict(zip(names[1:], values, strict=True)))


def tables_in(con: duckdb.DuckDBPyConnection) -> set[str]:
    """The tables of the file, as layer.name."""
    rows = con.execute(
        "FROM duckdb_tables() SELECT schema_name || '.' || table_name WHERE NOT temporary"
    )
    return {name for (name,) in rows.fetchall()}


def _table(con: duckdb.DuckDBPyConnection, name: str) -> Contract:
    present = tables_in(con)
    contract = contract_named(name, sorted(present))
    if contract.table not in present:
        raise TraceError(
            f"{contract.table} is not in this file; a public release omits tables whose license "
            "forbids sharing (listed under left_out in its manifest)"
        )
    return contract


def _pairs(contract: Contract, key: Sequence[str]) -> dict[str, str]:
    """Column -> value as text. Raises TraceError for anything else."""
    if malformed := [k for k in key if "=" not in k]:
        raise TraceError(
            f"{malformed[0]!r} is not a COLUMN=VALUE pair; "
            f"the key of {contract.table} is {', '.join(contract.key)}"
        )
    pairs = dict(k.partition("=")[::2] for k in key)
    if unknown := [c for c in pairs if c not in contract.columns]:
        raise TraceError(
            f"{contract.table} has no column {unknown[0]!r}; its key is {', '.join(contract.key)}. "
            f"`observatory tables {contract.table}` lists all columns"
        )
    return pairs


def _choices(
    con: duckdb.DuckDBPyConnection, contract: Contract, wanted: Mapping[str, str], *, several: bool
) -> str:
    """The values to add if several rows match; the values that do match if none does."""
    given = ", ".join(f"{c}={v}" for c, v in wanted.items())
    lines = [f"{contract.table}: {_problem(given, several=several)}"]
    columns = [c for c in contract.key if c not in wanted] if several else list(wanted)
    for column in columns:
        others = {c: v for c, v in wanted.items() if c != column}
        where = " AND ".join(f"{quote(c)}::VARCHAR = ?" for c in others) or "true"
        query = (
            f"FROM {contract.sql_name} SELECT DISTINCT {quote(column)}::VARCHAR AS v "
            f"WHERE {where} ORDER BY v DESC LIMIT {SHOWN + 1}"
        )
        values = [str(v) for (v,) in con.execute(query, list(others.values())).fetchall()]
        if values:
            lines.append(f"  {column}: {listed(values)}" + ("" if several else " (other values)"))
    if several:
        lines.append("  add COLUMN=VALUE pairs until one row is left")
    return "\n".join(lines)


def _problem(given: str, *, several: bool) -> str:
    if not given:
        return "choose one row; these columns and values exist" if several else "the table is empty"
    return f"several rows match {given}" if several else f"no row matches {given}"
