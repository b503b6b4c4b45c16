"""The DuckDB warehouse: built in a private file from the contracts, then swapped in.

DuckDB locks the whole file for its one writer, so the file that readers open is never written: a
build writes `.<warehouse>.<pid>.build` in the same folder, and `swap_in` replaces the old file.
Readers that have the old file open keep it.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from warehouse.contracts.table import LAYERS, Contract, contracts, literal, quote
from warehouse.storage.files import sync_file

if TYPE_CHECKING:  # whoever only opens the file does not wait for Polars
    import polars as pl

BATCH_ROWS = 122_880  # one row group of DuckDB, so a table is never in memory twice
MACROS = Path(__file__).with_name("macros.sql")
STORAGE_VERSION = "v1.4.0"  # readable by DuckDB 1.4 and newer
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
    return con


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
    limit = os.environ.get(MEMORY_LIMIT, MEMORY_DEFAULT)
    _set(con, "memory_limit", MEMORY_LIMIT, limit, "memory limit", "1500MB or 8GB")
    return con


def create(path: Path) -> duckdb.DuckDBPyConnection:
    """A new warehouse file with an empty table for every contract."""
    for old in (path, path.with_name(path.name + ".wal")):
        old.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    con = bounded(connect(path, storage_compatibility_version=STORAGE_VERSION))
    con.execute(f"SET temp_directory = {literal(str(path.absolute()) + '.tmp')}")
    create_tables(con)
    return con


def create_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Creates schemas, tables, comments and macros, in one transaction for speed."""
    statements = [f"CREATE SCHEMA {quote(layer)}" for layer in LAYERS]
    for table in contracts().values():
        statements += [table.create_sql(), *table.comment_sql()]
    con.execute(";\n".join(["BEGIN", *statements]))
    create_macros(con)
    con.execute("COMMIT")


def create_macros(con: duckdb.DuckDBPyConnection) -> None:
    """Creates the table macros for analysts (macros.sql)."""
    con.execute(MACROS.read_text(encoding="utf-8"))


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
    """The warehouse for reading. Raises WarehouseError if it is missing or invalid."""
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


def build_path(warehouse: Path) -> Path:
    """The private file of this process, in the same folder so that swapping is a rename."""
    real = real_path(warehouse)
    return real.with_name(f".{real.name}.{os.getpid()}.build")


def require_own(warehouse: Path) -> None:
    """Raises WarehouseError if a file is there that no build wrote: it would be replaced."""
    if not warehouse.exists():
        return
    try:
        with open_read_only(warehouse):
            return
    except WarehouseError as error:
        raise WarehouseError(
            f"{error}\n  nothing was built, since a build replaces this file: move it elsewhere, "
            "or use another --warehouse"
        ) from error


def remove_dead_builds(warehouse: Path) -> list[Path]:
    """Removes what killed builds of this warehouse left. Returns it.

    The caller holds the warehouse's lock (`warehouse.database.lock`), so no other build is alive,
    whatever the process ids in the names mean: they may be those of another container.
    """
    real, own = real_path(warehouse), build_path(warehouse).name
    name = re.compile(rf"\.{re.escape(real.name)}\.\d+\.build(\.wal|\.tmp)?")
    dead = [p for p in real.parent.iterdir() if name.fullmatch(p.name) and p.name != own]
    for path in dead:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return dead


def swap_in(built: Path, warehouse: Path) -> None:
    """Replaces the warehouse by a closed, checkpointed build, atomically."""
    wal = built.with_name(built.name + ".wal")
    if wal.exists():
        raise WarehouseError(f"{built} was not checkpointed ({wal.name} exists); build it again")
    sync_file(built)
    try:
        built.replace(real_path(warehouse))
    except OSError as error:
        raise WarehouseError(
            f"{warehouse} cannot be replaced ({error.strerror}); if the file itself is a mount "
            "point, mount its folder instead"
        ) from error
