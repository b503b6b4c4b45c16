"""The DuckDB warehouse: built from the contracts in a private file, then swapped in whole.

DuckDB has one writer and locks the whole file, so nobody ever writes the file that readers open:
a build writes `<warehouse>.<pid>.build` beside it and `swap_in` replaces the old file. Readers
that have the old one open keep it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import duckdb
import polars as pl
from polars.io.plugins import register_io_source

from warehouse.contracts.table import LAYERS, Contract, contracts, literal, quote

BATCH_ROWS = 122_880  # one row group of DuckDB's: a table is never held in two forms at once
MACROS = Path(__file__).with_name("macros.sql")
STORAGE_VERSION = "v1.4.0"  # readable by DuckDB 1.4 and newer
# In the environment: what a build's DuckDB may take, and on how many threads DuckDB works.
MEMORY_LIMIT = "OBSERVATORY_DUCKDB_MEMORY"
THREADS = "OBSERVATORY_DUCKDB_THREADS"


class WarehouseError(RuntimeError):
    """The warehouse file cannot be opened or is not one of ours."""


def connect(
    path: Path | None = None, *, read_only: bool = False, **config: str
) -> duckdb.DuckDBPyConnection:
    """A connection to a file, or to memory: every one of the project's is opened here.

    A cast from a time with a zone to one without would else take the machine's zone. Raises
    duckdb.Error, and WarehouseError for a number of threads that is none.
    """
    con = duckdb.connect(str(path or ":memory:"), read_only=read_only, config=dict(config))
    con.execute("SET GLOBAL TimeZone = 'UTC'")  # GLOBAL: for its cursors too
    if threads := os.environ.get(THREADS):
        _set(con, "threads", THREADS, threads, "no number of threads: give one as 4")
    return con


def _set(con: duckdb.DuckDBPyConnection, name: str, variable: str, value: str, why: str) -> None:
    try:
        con.execute(f"SET {name} = {literal(value)}")
    except duckdb.Error as error:
        con.close()
        raise WarehouseError(f"{variable}={value!r} is {why} ({error})") from error


def bounded(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """The connection, spilling to disk beyond a part of 4 GB: Polars and its frames take the rest.

    DuckDB would take four fifths of the machine. Raises WarehouseError.
    """
    limit = os.environ.get(MEMORY_LIMIT, "1500MB")
    why = "no amount of memory: give one as 1500MB or 8GB"
    _set(con, "memory_limit", MEMORY_LIMIT, limit, why)
    return con


def create(path: Path) -> duckdb.DuckDBPyConnection:
    """A fresh warehouse file with every contract's table, empty, with comments."""
    for old in (path, path.with_name(path.name + ".wal")):
        old.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    con = bounded(connect(path, storage_compatibility_version=STORAGE_VERSION))
    con.execute(f"SET temp_directory = {literal(str(path) + '.tmp')}")
    create_tables(con)
    return con


def create_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Schemas, tables, comments and macros, in one transaction: a thousand would be slow."""
    statements = [f"CREATE SCHEMA {quote(layer)}" for layer in LAYERS]
    for table in contracts().values():
        statements += [table.create_sql(), *table.comment_sql()]
    con.execute(";\n".join(["BEGIN", *statements]))
    create_macros(con)
    con.execute("COMMIT")


def create_macros(con: duckdb.DuckDBPyConnection) -> None:
    """The table macros for analysts (macros.sql)."""
    con.execute(MACROS.read_text(encoding="utf-8"))


def insert_frame(con: duckdb.DuckDBPyConnection, table: Contract, frame: pl.DataFrame) -> int:
    """Writes a frame that equals the contract, in the order of the key. Returns its rows."""
    table.check_frame(frame)
    ordered = ", ".join(quote(c) for c in table.key)
    con.register("incoming_frame", frame)
    con.execute(f"INSERT INTO {table.sql_name} SELECT * FROM incoming_frame ORDER BY {ordered}")
    con.unregister("incoming_frame")
    return frame.height


def scan(con: duckdb.DuckDBPyConnection, table: Contract, where: str = "true") -> pl.LazyFrame:
    """A table as a lazy frame that reads the columns a query needs, when it needs them, once.

    Not DuckDB's own lazy scan: two branches of one query would share its connection and fail. And
    each would read the table for itself if it were not kept for the length of the query.

    No condition reaches what is kept: Polars 2.1 pushes the part that the conditions of several
    branches have in common below a cache, and drops the rest. So every branch filters for itself,
    above a step that only lets the choice of columns through.
    """

    def read(
        columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, _size: int | None
    ) -> Iterator[pl.DataFrame]:
        assert predicate is None and n_rows is None, "a condition went below what is kept"
        names = ", ".join(quote(c) for c in columns or table.columns)
        with con.cursor() as own:
            query = f"SELECT {names} FROM {table.sql_name} WHERE {where}"
            for batch in own.execute(query).to_arrow_reader(BATCH_ROWS):
                yield pl.DataFrame(batch)

    kept = register_io_source(read, schema=table.polars_schema).cache()
    return kept.map_batches(
        _unchanged, projection_pushdown=True, predicate_pushdown=False, slice_pushdown=False
    )


def _unchanged(frame: pl.DataFrame) -> pl.DataFrame:
    return frame


@contextmanager
def open_read_only(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published warehouse for reading. Raises WarehouseError if there is none."""
    if not path.exists():
        raise WarehouseError(f"no warehouse at {path}; `observatory run` or `replay` builds one")
    try:
        con = connect(path, read_only=True)
    except duckdb.Error as error:
        raise WarehouseError(f"{path} cannot be opened: {error}") from error
    try:
        _check_ours(con, path)
        yield con
    finally:
        con.close()


@contextmanager
def open_built(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A build file that nobody writes any more, for reading; several processes may."""
    con = connect(path, read_only=True)
    try:
        yield con
    finally:
        con.close()


def _check_ours(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    try:
        con.execute("SELECT as_of FROM meta.build")
    except duckdb.Error as error:
        raise WarehouseError(f"{path} is no warehouse of ours: {error}") from error


def build_path(warehouse: Path) -> Path:
    """The private file of this process, in the same folder so that the swap is a rename."""
    return warehouse.with_name(f".{warehouse.name}.{os.getpid()}.build")


def remove_dead_builds(warehouse: Path, older_than: timedelta = timedelta(days=1)) -> list[Path]:
    """Removes private files of builds that were killed; returns them.

    A day of silence is asked for besides: a living build may be of another container, where its
    process has a number that means nothing here.
    """
    oldest = time.time() - older_than.total_seconds()
    found = warehouse.parent.glob(f".{warehouse.name}.*.build*")
    dead = [p for p in found if p.stat().st_mtime < oldest and not _is_alive(p.name)]
    for path in dead:
        path.unlink(missing_ok=True)
    return dead


def _is_alive(name: str) -> bool:
    pid = name.rpartition(".build")[0].rpartition(".")[2]
    if not pid.isdigit():
        return True  # not a name of ours
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def swap_in(built: Path, warehouse: Path) -> None:
    """Puts a closed, checkpointed build in the place of the published file, atomically."""
    wal = built.with_name(built.name + ".wal")
    if wal.exists():
        raise WarehouseError(f"{built} was not checkpointed ({wal.name} is still there)")
    with built.open("rb") as stream:
        os.fsync(stream.fileno())
    built.replace(warehouse)
