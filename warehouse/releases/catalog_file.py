"""`catalog.duckdb`: views of a release's Parquet files, some 100 kB, to attach from anywhere.

Every view reads `<place>/<table>.parquet`. The place is the variable `observatory` of the reader's
session; without it, the release's own address if it is known, else the current folder. So one file
works over HTTPS, from S3 and from a disk, and DuckDB fetches only the columns and row groups that a
query needs. The address names the release, not `latest`: its files never change.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import duckdb

from warehouse.contracts.table import LAYERS, Contract, contracts, literal, quote
from warehouse.database import latest, read_files
from warehouse.database.duckdb_file import STORAGE_VERSION, connect, create_macros
from warehouse.releases.database_file import MACRO_TABLES, RELEASE
from warehouse.releases.manifest import CATALOG, DATABASE, Manifest, ReleaseError

PLACE = "observatory"  # the session variable
SMALL = (RELEASE, "meta.lineage", "meta.snapshots", "meta.table_sources")  # without a Parquet file


def write_catalog(folder: Path, manifest: Manifest, public_url: str | None = None) -> None:
    """Writes the catalog of the release staged in `folder`. Raises ReleaseError."""
    path, known = folder / CATALOG, contracts()
    tables = [known[entry.name] for entry in manifest.tables]
    address = f"{public_url}/releases/{manifest.release_id}" if public_url else "."
    try:
        with connect() as con:
            options = f"STORAGE_VERSION {literal(STORAGE_VERSION)}, BLOCK_SIZE 16384"
            con.execute(f"ATTACH {read_files.database(folder / DATABASE)} AS released (READ_ONLY)")
            con.execute(f"ATTACH {read_files.database(path)} AS catalog ({options})")
            con.execute("USE catalog")
            con.execute(f"SET VARIABLE {PLACE} = {literal(str(folder.absolute()))}")
            con.execute("BEGIN")  # one write of the file instead of one per comment
            _create(con, tables, address)
            con.execute("COMMIT; CHECKPOINT; USE memory; DETACH catalog")
    except duckdb.Error as error:
        raise ReleaseError(
            f"{path} cannot be written: {error}\n  check the free disk space"
        ) from error


def _create(con: duckdb.DuckDBPyConnection, tables: list[Contract], address: str) -> None:
    for layer in (*LAYERS, "meta"):
        con.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(layer)}")
    place = f"coalesce(getvariable({literal(PLACE)}), {literal(address)})"
    for table in tables:
        rows = read_files.parquet_of(place, f"{table.table}.parquet")
        con.execute(f"CREATE VIEW {table.sql_name} AS FROM {rows}")
        con.execute(";\n".join(_comments(table)))
    for name in _held(con):
        con.execute(f"CREATE TABLE {name} AS FROM released.{name}")
    latest.create_views(con, tables)
    if {table.table for table in tables} >= MACRO_TABLES:
        create_macros(con)


def _comments(table: Contract) -> Iterable[str]:
    """What the view and its columns hold, as in the full file."""
    for column, text in table.comments().items():
        of = f"COLUMN {table.sql_name}.{quote(column)}" if column else f"VIEW {table.sql_name}"
        yield f"COMMENT ON {of} IS {literal(text)}"


def _held(con: duckdb.DuckDBPyConnection) -> list[str]:
    """The small tables that the release has."""
    small = ", ".join(map(literal, SMALL))  # `?` imports pandas
    query = f"""FROM duckdb_tables() SELECT schema_name || '.' || table_name AS name
        WHERE database_name = 'released' AND name IN ({small}) ORDER BY name"""
    return [name for (name,) in con.execute(query).fetchall()]


def is_catalog(path: Path, manifest: Manifest) -> bool:
    """Whether a file has a view for every table of a release."""
    query = "FROM duckdb_views() SELECT schema_name || '.' || view_name WHERE NOT internal"
    try:
        with connect(path, read_only=True) as con:
            found = {name for (name,) in con.execute(query).fetchall()}
    except duckdb.Error:
        return False
    return found >= {table.name for table in manifest.tables}
