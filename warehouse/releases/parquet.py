"""One table as one Parquet file. The same rows give the same bytes.

DuckDB writes it, not Polars: Power BI cannot read the encodings that Polars uses by default.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from warehouse.contracts.table import Contract, literal, quote
from warehouse.database.read_files import parquet
from warehouse.releases.manifest import ColumnEntry, LicenseEntry, ReleaseError, TableEntry
from warehouse.storage.files import file_sha256

# Every BI tool reads zstd and V1 pages. The row group size is fixed because it changes the bytes.
OPTIONS = "FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION V1, ROW_GROUP_SIZE 122880"


def select_sql(contract: Contract, relation: str, rows: str = "true") -> str:
    """The contract's columns of the rows that meet a condition.

    Sorted by the key, then by every other column, so that the order is unique.
    """
    rest = [c for c in contract.columns if c not in contract.key]
    order = ", ".join(f"{quote(c)} ASC NULLS LAST" for c in (*contract.key, *rest))
    columns = ", ".join(quote(c) for c in contract.columns)
    return f"FROM {relation} SELECT {columns} WHERE {rows} ORDER BY {order}"


def write_table(
    con: duckdb.DuckDBPyConnection, contract: Contract, path: Path, rows: str = "true"
) -> int:
    """Writes the rows of a table that meet a SQL condition, sorted by key. Returns their number.

    Raises ReleaseError if the table does not match its contract.
    """
    query = select_sql(contract, contract.sql_name, rows)
    try:
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
