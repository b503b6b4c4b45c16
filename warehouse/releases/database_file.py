"""The DuckDB file of a release."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb

from warehouse.contracts.table import LAYERS, Contract, literal, quote
from warehouse.database import read_files
from warehouse.database.duckdb_file import BUILD_ID, STORAGE_VERSION, create_macros
from warehouse.database.latest import SCHEMA as LATEST
from warehouse.database.latest import create_views
from warehouse.releases.licensing import ReleasePlan
from warehouse.releases.manifest import DATABASE, ReleaseError
from warehouse.releases.parquet import select_sql

RELEASE = "meta.release"  # written here, since a build does not know the id of its release
# The tables that the macros read: a release without one of them has no macros.
MACRO_TABLES = {
    "mart.country_share_daily",
    "mart.model_rankings",
    "mart.models",
    "core.arena_ratings",
    "core.hub_base_models",
    "core.hub_model_roots",
    "raw.registry_namespaces",
}


def write_database(
    con: duckdb.DuckDBPyConnection, plan: ReleasePlan, folder: Path, release: tuple[object, ...]
) -> None:
    """Writes the DuckDB file of a release from the warehouse attached as `built`.

    It is a copy of the warehouse file if the release includes all of it. Otherwise a new file is
    filled from the Parquet files: a copy could still have bytes of dropped tables and rows.
    `release` is the row of meta.release. Raises ReleaseError.
    """
    path = folder / DATABASE
    is_whole = _includes_all(con, plan)
    try:
        if is_whole:
            shutil.copyfile(_file_of(con), path)
        options = f"STORAGE_VERSION {literal(STORAGE_VERSION)}"
        con.execute(f"ATTACH {read_files.database(path)} AS observatory ({options})")
        con.execute("USE observatory")
        if is_whole:
            _drop_other_than_tables(con)
        else:
            _fill(con, plan, folder)
        create_views(con, (one.contract for one in plan.included))
        if {one.contract.table for one in plan.included} >= MACRO_TABLES:
            create_macros(con)
        if RELEASE in plan.meta:
            values = ", ".join(literal(str(value)) for value in release)  # `?` imports pandas
            con.execute(f"INSERT INTO meta.release VALUES ({values})")
    except duckdb.Error as error:
        raise ReleaseError(
            f"{path} cannot be written: {error}\n  check the free disk space"
        ) from error
    con.execute("USE built")
    con.execute("CHECKPOINT observatory")
    con.execute("DETACH observatory")


def _includes_all(con: duckdb.DuckDBPyConnection, plan: ReleasePlan) -> bool:
    """Whether the warehouse file has the tables of the release, with all their rows, and no other.

    False for one that was built from other contracts, and for an older one, which also has the
    tables that are not published.
    """
    if plan.withheld or any(one.withheld for one in plan.shares.values()):
        return False
    columns = con.execute(
        """FROM duckdb_columns() SELECT schema_name || '.' || table_name, column_index, column_name,
        data_type, is_nullable, comment
        WHERE database_name = 'built' AND schema_name <> 'latest'"""
    ).fetchall()
    tables = con.execute(
        """FROM duckdb_tables() SELECT schema_name || '.' || table_name, comment
        WHERE database_name = 'built'"""
    ).fetchall()
    comments = {c.table: c.comments() for c in plan.contracts}
    wanted = {
        (c.table, at, name, column.type, column.nullable, comments[c.table][name])
        for c in plan.contracts
        for at, (name, column) in enumerate(c.columns.items(), 1)
    }
    return set(columns) == {*wanted, (BUILD_ID, 1, "id", "VARCHAR", True, None)} and set(
        tables
    ) == {(table, of[None]) for table, of in comments.items()}


def _file_of(con: duckdb.DuckDBPyConnection) -> Path:
    query = "FROM duckdb_databases() SELECT path WHERE database_name = 'built'"
    return Path(con.execute(query).fetchall()[0][0])


def _drop_other_than_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Drops the id of the build, and views and macros, which are created again from this code."""
    con.execute(f"DROP VIEW {BUILD_ID}; DROP SCHEMA IF EXISTS {LATEST} CASCADE")
    macros = con.execute(
        """FROM duckdb_functions() SELECT DISTINCT schema_name, function_name,
            CASE function_type WHEN 'table_macro' THEN 'MACRO TABLE' ELSE 'MACRO' END
        WHERE database_name = current_database() AND NOT internal"""
    ).fetchall()
    for schema, name, kind in macros:
        con.execute(f"DROP {kind} {quote(schema)}.{quote(name)}")


def _fill(con: duckdb.DuckDBPyConnection, plan: ReleasePlan, folder: Path) -> None:
    for layer in LAYERS:
        con.execute(f"CREATE SCHEMA {quote(layer)}")
    for one in plan.included:
        file = folder / f"{one.contract.table}.parquet"
        _create(con, one.contract, f"FROM {read_files.parquet(file)}")
    for name, contract in plan.meta.items():
        built = plan.meta_relation(contract, f"built.{contract.sql_name}")
        rows = select_sql(contract, built, plan.meta_rows(contract))
        _create(con, contract, None if name == RELEASE else rows)


def _create(con: duckdb.DuckDBPyConnection, contract: Contract, rows: str | None) -> None:
    con.execute(contract.create_sql())
    for comment in contract.comment_sql():
        con.execute(comment)
    if rows:
        con.execute(f"INSERT INTO {contract.sql_name} {rows}")
