"""The DuckDB warehouse: built in a private file from the contracts, then swapped in.

Tables that are not published are in a second file beside it, `<warehouse>.unpublished`, which
`connect` attaches as the database `unpublished`.

DuckDB locks the whole file for its one writer, so the file that readers open is never written: a
build writes a private file, and `warehouse.database.build_files.swap_in` replaces the old one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import duckdb

from warehouse.contracts.table import LAYERS, UNPUBLISHED, Contract, contracts, literal, quote
from warehouse.database import read_files
from warehouse.database.latest import create_views

if TYPE_CHECKING:  # whoever only opens the file does not wait for Polars
    import polars as pl

BATCH_ROWS = 122_880  # one row group of DuckDB, so a table is never in memory twice
MACROS = Path(__file__).with_name("macros.sql")
STORAGE_VERSION = "v1.4.0"  # readable by DuckDB 1.4 and newer
BUILD_ID = "main.build_id"  # a view with one random id, the same in both files of a build
# Environment variables: memory limit of builds, and number of threads of DuckDB.
MEMORY_LIMIT = "OBSERVATORY_DUCKDB_MEMORY"
MEMORY_DEFAULT = "1500MB"
THREADS = "OBSERVATORY_DUCKDB_THREADS"


class WarehouseError(RuntimeError):
    """The warehouse file cannot be opened, or a setting for it is invalid."""


def connect(
    path: Path | None = None, *, read_only: bool = False, **config: str
) -> duckdb.DuckDBPyConnection:
    """A connection to a file or to memory, with the time zone UTC.

    With the machine's zone, casts from a time with a zone to one without would differ. Raises
    duckdb.Error, and WarehouseError for an invalid number of threads.
    """
    con = duckdb.connect(
        str(path.absolute()) if path else ":memory:", read_only=read_only, config=dict(config)
    )
    con.execute("SET GLOBAL TimeZone = 'UTC'")  # GLOBAL: also for its cursors
    if threads := os.environ.get(THREADS):
        _set(con, "threads", THREADS, threads, "number of threads", "4")
    if path and unpublished_path(path).exists():
        con.execute(attach_unpublished(path, read_only=read_only))
        if _of_one_build(con):
            _find_by_table_name(con)
        else:
            con.execute(f"DETACH {UNPUBLISHED}")
    return con


def _find_by_table_name(con: duckdb.DuckDBPyConnection) -> None:
    """From now on `raw.hub_absences` finds an unpublished table too, without its database."""
    own = quote(con.execute("SELECT current_catalog()").fetchall()[0][0])
    path = [f"{name}.{schema}" for name in (own, UNPUBLISHED) for schema in ("main", *LAYERS)]
    con.execute(f"SET search_path = {literal(','.join(path))}")


def _of_one_build(con: duckdb.DuckDBPyConnection) -> bool:
    """False if a run was killed between the renames of the two files, or one was copied alone."""
    query = f"SELECT count(*) FROM {BUILD_ID} JOIN {UNPUBLISHED}.{BUILD_ID} USING (id)"
    try:
        return con.execute(query).fetchall() == [(1,)]
    except duckdb.CatalogException:  # an older warehouse, which has all tables in one file
        return False


def unpublished_path(path: Path) -> Path:
    """The file with the unpublished tables of a warehouse file, which may be a link."""
    real = real_path(path)
    return real.with_name(f"{real.name}.{UNPUBLISHED}")


def attach_unpublished(path: Path, *, read_only: bool) -> str:
    """SQL that attaches the unpublished tables of a warehouse file."""
    options = "READ_ONLY" if read_only else f"STORAGE_VERSION {literal(STORAGE_VERSION)}"
    file = read_files.database(unpublished_path(path))
    return f"ATTACH IF NOT EXISTS {file} AS {UNPUBLISHED} ({options})"


def _set(
    con: duckdb.DuckDBPyConnection, name: str, variable: str, value: str, what: str, example: str
) -> None:
    try:
        con.execute(f"SET {name} = {literal(value)}")
    except duckdb.Error as error:
        con.close()
        raise WarehouseError(
            f"invalid {what} {value!r} in {variable}; use a value such as {example} ({error})"
        ) from error


def bounded(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Limits the connection's memory, beyond which it spills to disk. Raises WarehouseError.

    By default DuckDB takes 80 % of the machine's memory, but Polars needs some too.
    """
    limit = os.environ.get(MEMORY_LIMIT) or MEMORY_DEFAULT
    _set(con, "memory_limit", MEMORY_LIMIT, limit, "memory limit", "1500MB or 8GB")
    return con


def create(path: Path, tables: Mapping[str, Contract] | None = None) -> duckdb.DuckDBPyConnection:
    """A new warehouse file with an empty table for every contract, or only for those given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    remove(path)
    con = bounded(connect(path, storage_compatibility_version=STORAGE_VERSION))
    con.execute(f"SET temp_directory = {literal(str(path.absolute()) + '.tmp')}")
    con.execute(attach_unpublished(path, read_only=False))
    create_tables(con, tables)
    build_id = uuid4().hex
    for database in ("", f"{UNPUBLISHED}."):
        con.execute(f"CREATE VIEW {database}{BUILD_ID} AS SELECT {literal(build_id)} AS id")
    return con


def create_tables(
    con: duckdb.DuckDBPyConnection, tables: Mapping[str, Contract] | None = None
) -> None:
    """Creates schemas, tables, comments, views and macros, in few transactions for speed."""
    create_schemas(con)
    for published in (False, True):  # a transaction writes to one database
        statements = ["BEGIN"]
        for table in (contracts() if tables is None else tables).values():
            if table.published == published:
                statements += [table.create_sql(), *table.comment_sql()]
        con.execute(";\n".join([*statements, "COMMIT"]))
    create_views(con, (contracts() if tables is None else tables).values())
    if tables is None:
        create_macros(con)


def create_schemas(con: duckdb.DuckDBPyConnection) -> None:
    """Creates the schemas of all tables. Without a file, unpublished tables are in memory."""
    con.execute(f"ATTACH IF NOT EXISTS ':memory:' AS {UNPUBLISHED}")
    for database in (f"{UNPUBLISHED}.", ""):
        con.execute(";".join(f"CREATE SCHEMA {database}{layer}" for layer in LAYERS))
    _find_by_table_name(con)


def create_macros(con: duckdb.DuckDBPyConnection) -> None:
    """Creates the table macros for analysts (macros.sql)."""
    con.execute(MACROS.read_text(encoding="utf-8"))


def checkpoint(con: duckdb.DuckDBPyConnection) -> None:
    """Writes everything to the files, so that no write-ahead log remains."""
    con.execute("CHECKPOINT")
    con.execute(f"CHECKPOINT {UNPUBLISHED}")


def files_of(path: Path) -> list[Path]:
    """The warehouse file and the files beside it, also those of an interrupted build."""
    both = [path, unpublished_path(path)]
    return [*both, *(file.with_name(file.name + ".wal") for file in both)]


def remove(path: Path) -> None:
    """Removes a warehouse file and the files beside it."""
    for file in files_of(path):
        file.unlink(missing_ok=True)
    shutil.rmtree(path.with_name(path.name + ".tmp"), ignore_errors=True)


def insert_frame(con: duckdb.DuckDBPyConnection, table: Contract, frame: pl.DataFrame) -> int:
    """Inserts a frame that matches the contract, sorted by the key. Returns its number of rows."""
    table.check_frame(frame)
    ordered = ", ".join(quote(c) for c in table.key)
    con.register("incoming_frame", frame)
    con.execute(f"INSERT INTO {table.sql_name} SELECT * FROM incoming_frame ORDER BY {ordered}")
    con.unregister("incoming_frame")
    return frame.height


def scan(con: duckdb.DuckDBPyConnection, table: Contract, where: str = "true") -> pl.LazyFrame:
    """A table as a lazy frame. A query reads only the columns that it needs, and each once.

    DuckDB's own lazy scan fails if two branches of one query share its connection. The cache
    prevents that each branch reads the table.

    Conditions are not pushed below the cache: Polars 2.1 pushes the common part of the conditions
    of several branches and drops the rest. `map_batches` lets only the choice of columns through.
    """

    import polars as pl  # noqa: PLC0415
    from polars.io.plugins import register_io_source  # noqa: PLC0415

    def read(
        columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, _size: int | None
    ) -> Iterator[pl.DataFrame]:
        assert predicate is None and n_rows is None, "Polars pushed a condition below the cache"
        names = ", ".join(quote(c) for c in columns or table.columns)
        with con.cursor() as own:
            query = f"SELECT {names} FROM {table.sql_name} WHERE {where}"
            for batch in own.execute(query).to_arrow_reader(BATCH_ROWS):
                yield pl.DataFrame(batch)

    cached = register_io_source(read, schema=table.polars_schema).cache()
    return cached.map_batches(
        _unchanged, projection_pushdown=True, predicate_pushdown=False, slice_pushdown=False
    )


def _unchanged(frame: pl.DataFrame) -> pl.DataFrame:
    return frame


@contextmanager
def open_read_only(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse for reading. Raises WarehouseError if it is missing or invalid.

    Also if an unpublished table is read, and the file with those tables is missing.
    """
    if not path.exists():
        raise WarehouseError(
            f"no warehouse at {path}; `observatory run` or `observatory replay` builds one"
        )
    try:
        con = connect(path, read_only=True)
    except duckdb.Error as error:
        raise WarehouseError(
            f"{path} cannot be opened: {error}\n  close the program that has it open for writing, "
            "or build it again"
        ) from error
    try:
        try:
            con.execute("SELECT as_of FROM meta.build")
        except duckdb.Error as error:
            raise WarehouseError(
                f"{path} is not an Origin Observatory warehouse: {error}\n  check --warehouse"
            ) from error
        yield con
    except Exception as error:  # of DuckDB, or of Polars around it
        if f'"{UNPUBLISHED}" does not exist' not in str(error):
            raise
        raise WarehouseError(
            f"{path} has no unpublished tables: {unpublished_path(path).name} is missing or of "
            "another build\n  copy both files together, or build the warehouse again"
        ) from error
    finally:
        con.close()


@contextmanager
def open_built(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A finished build file for reading, by any number of processes."""
    con = connect(path, read_only=True)
    try:
        yield con
    finally:
        con.close()


def real_path(warehouse: Path) -> Path:
    """The file itself: a link to it stays a link, also if it points to another disk."""
    return Path(os.path.realpath(warehouse))
