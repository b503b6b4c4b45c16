"""One table as one Parquet file. The same rows give the same bytes.

DuckDB writes it, not Polars: Power BI cannot read the encodings that Polars uses by default.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from warehouse.contracts.table import Contract, literal, quote
from warehouse.database.read_files import parquet
from warehouse.releases.manifest import ColumnEntry, LicenseEntry, ReleaseError, TableEntry
from warehouse.storage.files import file_sha256

ROW_GROUP = 122_880  # rows; fixed because it changes the bytes
# Every BI tool reads zstd and V1 pages.
OPTIONS = f"FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION V1, ROW_GROUP_SIZE {ROW_GROUP}"


def select_sql(contract: Contract, relation: str, rows: str = "true") -> str:
    """The contract's columns of the rows that meet a condition.

    Sorted by the key, then by every other column, so that the order is unique.
    """
    rest = [c for c in contract.columns if c not in contract.key]
    order = ", ".join(f"{quote(c)} ASC NULLS LAST" for c in (*contract.key, *rest))
    return f"{_unsorted_sql(contract, relation, rows)} ORDER BY {order}"


def _unsorted_sql(contract: Contract, relation: str, rows: str) -> str:
    columns = ", ".join(quote(c) for c in contract.columns)
    return f"FROM {relation} SELECT {columns} WHERE {rows}"


def is_in_order(con: duckdb.DuckDBPyConnection, contract: Contract) -> bool:
    """Whether the key of every row is greater than that of the row stored before it.

    The stored order is then the one that `select_sql` sorts by: no key is null and none occurs
    twice. False also for a table so small that it is sorted faster than checked.
    """
    table, key = contract.sql_name, [quote(c) for c in contract.key]
    n_rows = con.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
    if n_rows <= ROW_GROUP:
        return False
    before = ", ".join(f"lag({c}) OVER () AS b{n}" for n, c in enumerate(key))
    falls = f"""SELECT 1 FROM (
        SELECT {", ".join(key)}, {before}, rowid AS r, lag(rowid) OVER () AS rb FROM {table})
        WHERE rb IS NOT NULL AND NOT coalesce(r > rb AND {_follows(key)}, false) LIMIT 1"""
    return not con.execute(falls).fetchall()


def _follows(key: Sequence[str], at: int = 0) -> str:
    """SQL: whether a row's key is greater than the previous one; null if a column is null."""
    greater = f"{key[at]} > b{at}"
    if at == len(key) - 1:
        return greater
    return f"({greater} OR ({key[at]} = b{at} AND {_follows(key, at + 1)}))"


def write_table(
    con: duckdb.DuckDBPyConnection, contract: Contract, path: Path, rows: str = "true"
) -> int:
    """Writes the rows of a table that meet a SQL condition, sorted by key. Returns their number.

    A table that is stored in that order is not sorted again: COPY keeps the stored order (DuckDB's
    `preserve_insertion_order`). Raises ReleaseError if the table does not match its contract.
    """
    try:
        select = _unsorted_sql if is_in_order(con, contract) else select_sql
        query = select(contract, contract.sql_name, rows)
        written = con.execute(f"COPY ({query}) TO {literal(str(path))} ({OPTIONS})").fetchone()
        found = con.execute(f"DESCRIBE FROM {parquet(path)}").fetchall()
    except duckdb.Error as error:
        raise ReleaseError(
            f"{contract.table} cannot be written to {path}: {error}\n  check the free disk "
            "space, or build the warehouse again"
        ) from error
    types = {name: kind for name, kind, *_ in found}
    if wrong := [c for c, column in contract.columns.items() if types.get(c) != column.type]:
        got = ", ".join(f"{c} is {types.get(c)}" for c in wrong)
        raise ReleaseError(
            f"{contract.table} does not match its contract: {got}; build the warehouse again"
        )
    return int(written[0]) if written else 0


def table_entry(
    contract: Contract, path: Path, rows: int, licenses: tuple[LicenseEntry, ...]
) -> TableEntry:
    """The manifest's entry of a written table."""
    columns = tuple(
        ColumnEntry(
            name=name, type=c.type, unit=c.unit, nullable=c.nullable, description=c.description
        )
        for name, c in contract.columns.items()
    )
    return TableEntry(
        name=contract.table,
        path=path.name,
        bytes=path.stat().st_size,
        sha256=file_sha256(path),
        description=contract.description,
        rows=rows,
        columns=columns,
        grain=contract.grain,
        key=contract.key,
        warnings=contract.warnings,
        licenses=licenses,
    )
