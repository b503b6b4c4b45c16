"""One table as one Parquet file, byte for byte the same for the same rows.

DuckDB writes it, not Polars: Power BI refuses the encodings that Polars chooses by default.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from warehouse.contracts.table import Contract, literal, quote
from warehouse.releases.manifest import ColumnEntry, LicenseEntry, ReleaseError, TableEntry
from warehouse.storage.files import file_sha256

# zstd and V1 pages are what every BI tool reads; the row group is fixed because it is in the bytes.
OPTIONS = "FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION V1, ROW_GROUP_SIZE 122880"


def select_sql(contract: Contract, relation: str, rows: str = "true") -> str:
    """The contract's columns of the rows that satisfy a condition, sorted.

    Key first, then every other column: rows with one key still have one order.
    """
    rest = [c for c in contract.columns if c not in contract.key]
    order = ", ".join(f"{quote(c)} ASC NULLS LAST" for c in (*contract.key, *rest))
    columns = ", ".join(quote(c) for c in contract.columns)
    return f"FROM {relation} SELECT {columns} WHERE {rows} ORDER BY {order}"


def write_table(
    con: duckdb.DuckDBPyConnection, contract: Contract, path: Path, rows: str = "true"
) -> int:
    """Writes the rows of a table that satisfy a SQL condition, sorted by key. Returns how many.

    Raises ReleaseError if the table is not as its contract says.
    """
    query = select_sql(contract, contract.sql_name, rows)
    try:
        written = con.execute(f"COPY ({query}) TO {literal(str(path))} ({OPTIONS})").fetchone()
        found = con.execute(f"DESCRIBE FROM read_parquet({literal(str(path))})").fetchall()
    except duckdb.Error as error:
        raise ReleaseError(f"{contract.table} cannot be written as Parquet: {error}") from error
    types = {name: kind for name, kind, *_ in found}
    if wrong := [c for c, column in contract.columns.items() if types.get(c) != column.type]:
        got = ", ".join(f"{c} is {types.get(c)}" for c in wrong)
        raise ReleaseError(f"{contract.table} is not as its contract says: {got}; build it again")
    return int(written[0]) if written else 0


def table_entry(
    contract: Contract, path: Path, rows: int, licenses: tuple[LicenseEntry, ...]
) -> TableEntry:
    """What the manifest says of a written table."""
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
