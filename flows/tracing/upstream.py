"""Walk up the lineage: for every table that a row was computed from, the rows that it used.

The contracts say which rows those are: by `traces`, otherwise by equal values in the key columns
that both tables have. If nothing narrows it down, the table is reported as read as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import Any

import duckdb
import polars as pl

from flows.tracing.find_row import TracedRow, tables_in
from warehouse.contracts.table import Contract, contracts, quote

NO_TRACE = {"snapshot_id", "snapshot_date"}  # alone they identify a snapshot, not a record


@dataclass
class UpstreamTable:
    """One table behind the row: the number of rows used, how they were found, the first few."""

    table: str
    read_by: tuple[str, ...]
    rows: int | None  # null = read as a whole
    found_by: tuple[str, ...]
    first: list[dict[str, Any]] = field(default_factory=list)


def upstream_tables(
    con: duckdb.DuckDBPyConnection,
    target: TracedRow,
    seeds: Mapping[str, pl.DataFrame],
    limit: int,
) -> list[UpstreamTable]:
    """Every table behind the row, nearest first. `seeds` give the rows of a table by columns."""
    reads = _subgraph(con, target.contract.table)
    order = list(TopologicalSorter(reads).static_order())[::-1]  # a table before its inputs
    readers = {t: tuple(sorted(r for r in reads if t in reads[r])) for t in order}
    con.execute("CREATE TEMP TABLE traced (table_name VARCHAR, r BIGINT, place BIGINT)")
    con.execute("INSERT INTO traced VALUES (?, ?, 0)", [target.contract.table, target.rowid])
    found: list[UpstreamTable] = []
    for table in order[1:]:
        found_by = _mark(con, table, readers[table], seeds.get(table))
        found.append(_upstream_table(con, table, readers[table], found_by, limit))
    return found


def _subgraph(con: duckdb.DuckDBPyConnection, table: str) -> dict[str, set[str]]:
    """Table -> its inputs, for one table and everything upstream, as far as this file has it."""
    edges = con.execute("FROM meta.lineage SELECT table_name, input_table").fetchall()
    present, reads, left = tables_in(con) & set(contracts()), {table: set[str]()}, [table]
    while left:
        one = left.pop()
        reads[one] = _inputs(one, edges, present)
        left += [i for i in reads[one] if i not in reads]
        reads |= {i: set() for i in reads[one] if i not in reads}
    return reads


def _inputs(table: str, edges: list[tuple[str, str]], present: set[str]) -> set[str]:
    """The inputs of a table; an input that this file lacks is replaced by its own inputs."""
    found, seen, left = set[str](), {table}, [table]
    while left:
        one = left.pop()
        for name in {i for t, i in edges if t == one} - seen:
            seen.add(name)
            (found.add if name in present else left.append)(name)
    return found


def _mark(
    con: duckdb.DuckDBPyConnection,
    table: str,
    readers: tuple[str, ...],
    seed: pl.DataFrame | None,
) -> tuple[str, ...]:
    """Marks the rows of a table behind the rows marked before; returns how they were found."""
    it = contracts()[table]
    if seed is not None:
        con.register("seed", seed.with_row_index("place"))
        same = " AND ".join(f"it.{quote(c)} = this.{quote(c)}" for c in seed.columns)
        _insert_marks(con, it, f"seed AS this ON {same}", "min(this.place)")
        con.unregister("seed")
        return ("its contribution to the number",)
    found_by = []
    for reader in readers:
        this = contracts()[reader]
        if (condition := _condition(this, it)) and _is_narrowed(con, reader):
            _insert_marks(
                con, it,
                f"(SELECT t.*, n.place FROM {this.sql_name} AS t JOIN traced AS n "
                f"ON n.table_name = '{reader}' AND n.r = t.rowid) AS this ON {condition}",
                "min(this.place)",
            )  # fmt: skip
            found_by.append(f"{reader}: {condition}")
    return tuple(found_by)


def _insert_marks(con: duckdb.DuckDBPyConnection, it: Contract, joined: str, place: str) -> None:
    con.execute(
        f"""INSERT INTO traced SELECT '{it.table}', it.rowid, {place}
        FROM {it.sql_name} AS it JOIN {joined}
        WHERE it.rowid NOT IN (SELECT r FROM traced WHERE table_name = '{it.table}')
        GROUP BY it.rowid"""
    )


def _is_narrowed(con: duckdb.DuckDBPyConnection, table: str) -> bool:
    query = "SELECT count(*) > 0 FROM traced WHERE table_name = ?"
    return bool(con.execute(query, [table]).fetchall()[0][0])


def _condition(this: Contract, it: Contract) -> str | None:
    """SQL that joins an input row to a row of `this`; None if nothing narrows it down."""
    if it.table in this.traces:
        return this.traces[it.table]
    shared = [
        c for c in dict.fromkeys((*it.key, *this.key)) if c in it.columns and c in this.columns
    ]
    if not set(shared) - NO_TRACE:
        return None
    return " AND ".join(f"it.{quote(c)} = this.{quote(c)}" for c in shared)


def _upstream_table(
    con: duckdb.DuckDBPyConnection,
    table: str,
    readers: tuple[str, ...],
    found_by: tuple[str, ...],
    limit: int,
) -> UpstreamTable:
    if not found_by:
        return UpstreamTable(table, readers, None, ())
    count = "SELECT count(*) FROM traced WHERE table_name = ?"
    rows = con.execute(count, [table]).fetchall()[0][0]
    it = contracts()[table]
    order = ", ".join(f"it.{quote(c)} DESC" for c in it.key)
    cursor = con.execute(
        f"""SELECT it.* FROM {it.sql_name} AS it JOIN traced AS n
        ON n.table_name = ? AND n.r = it.rowid ORDER BY n.place, {order} LIMIT ?""",
        [table, limit],
    )
    names = [d[0] for d in cursor.description or ()]
    first = [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]
    return UpstreamTable(table, readers, rows, found_by, first)
