"""Which table and which row is meant; where that is not clear, what there is to choose from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import duckdb

from warehouse.contracts.table import Contract, contracts, quote

SHOWN = 12


class WhyError(ValueError):
    """A question that names no row, or more than one: what there is instead."""


@dataclass(frozen=True)
class Question:
    """One row of one table of an open warehouse or release file."""

    contract: Contract
    rowid: int
    row: Mapping[str, Any]


def ask(con: duckdb.DuckDBPyConnection, table: str, key: Sequence[str]) -> Question:
    """The one row that `column=value` pairs name. Raises WhyError with candidates."""
    contract = _table(con, table)
    wanted = _pairs(contract, key)
    where = " AND ".join(f"{quote(c)}::VARCHAR = ?" for c in wanted) or "true"
    query = f"FROM {contract.sql_name} SELECT rowid, * WHERE {where} LIMIT 2"
    cursor = con.execute(query, list(wanted.values()))
    names = [d[0] for d in cursor.description or ()]
    rows = cursor.fetchall()
    if len(rows) != 1:
        raise WhyError(_choices(con, contract, wanted, found=bool(rows)))
    rowid, *values = rows[0]
    return Question(contract, rowid, dict(zip(names[1:], values, strict=True)))


def held(con: duckdb.DuckDBPyConnection) -> set[str]:
    """The tables of the file, as layer.name."""
    rows = con.execute(
        "FROM duckdb_tables() SELECT schema_name || '.' || table_name WHERE NOT temporary"
    )
    return {name for (name,) in rows.fetchall()}


def _table(con: duckdb.DuckDBPyConnection, name: str) -> Contract:
    there = held(con)
    found = [t for t in contracts() if name in (t, t.split(".")[1])]
    if len(found) == 1 and found[0] in there:
        return contracts()[found[0]]
    if len(found) == 1:
        raise WhyError(
            f"{found[0]} is not in this file; a public release leaves out what a license forbids "
            "(see left_out in its manifest)"
        )
    near = get_close_matches(name, [*there, *(t.split(".")[1] for t in there)], SHOWN)
    raise WhyError(
        f"{len(found)} tables are called {name!r}; {_list(found or near or sorted(there))}"
    )


def _pairs(contract: Contract, key: Sequence[str]) -> dict[str, str]:
    """Column -> value as text. Raises WhyError for anything else."""
    pairs = dict(k.partition("=")[::2] for k in key)
    if bad := [c for c in pairs if c not in contract.columns]:
        hint = "; write COLUMN=VALUE" if any("=" not in k for k in key) else ""
        raise WhyError(
            f"{contract.table} has no column {bad[0]!r}{hint}; its key is {', '.join(contract.key)}"
        )
    return pairs


def _choices(
    con: duckdb.DuckDBPyConnection, contract: Contract, wanted: Mapping[str, str], *, found: bool
) -> str:
    """What to add where several rows fit; which pair fits nothing where none does."""
    lines = [f"{contract.table}: {'several rows have' if found else 'no row has'} "
             + (", ".join(f"{c}={v}" for c, v in wanted.items()) or "no condition")]  # fmt: skip
    open_columns = [c for c in contract.key if c not in wanted] if found else list(wanted)
    for column in open_columns:
        others = {c: v for c, v in wanted.items() if c != column}
        where = " AND ".join(f"{quote(c)}::VARCHAR = ?" for c in others) or "true"
        query = (
            f"FROM {contract.sql_name} SELECT DISTINCT {quote(column)}::VARCHAR AS v "
            f"WHERE {where} ORDER BY v DESC LIMIT {SHOWN + 1}"
        )
        values = [str(v) for (v,) in con.execute(query, list(others.values())).fetchall()]
        if values:
            lines.append(
                f"  {column}: {_list(values)}" + ("" if found else " with the other pairs")
            )
    return "\n".join(
        lines + (["  add COLUMN=VALUE for each until one row is left"] if found else [])
    )


def _list(values: Sequence[str]) -> str:
    return ", ".join(values[:SHOWN]) + (", …" if len(values) > SHOWN else "")
