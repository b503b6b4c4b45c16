"""SQL of strangers: one SELECT on a release's tables, without other files, within limits."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb

from observatory.release import LAYERS, Release, named_in
from warehouse.contracts.table import literal, quote
from warehouse.database import read_files
from warehouse.database.duckdb_file import connect


class RefusedQueryError(ValueError):
    """The query is not answered; the message says why."""


@dataclass(frozen=True)
class Limits:
    """What one query may use."""

    rows: int = 200
    characters: int = 100_000  # of the answer as JSON
    seconds: float = 20
    memory_mb: int = 1000
    table_mb: int = 500  # of Parquet that the named tables have


@dataclass(frozen=True)
class Answer:
    """Columns and rows. `is_cut`: there are more rows than the limits allow."""

    columns: list[str]
    rows: list[list[Any]]
    is_cut: bool


def ask(release: Release, query: str, limits: Limits | None = None) -> Answer:
    """The rows of a query. Raises RefusedQueryError, PlaceError."""
    limits = limits or Limits()
    try:
        with _opened(release, query, limits) as con:
            statement = _only_select(con, query)
            with _stopped_after(con, limits.seconds):
                found = con.sql(statement).limit(limits.rows + 1)
                columns, rows = found.columns, found.fetchall()
    except duckdb.InterruptException as error:
        said = f"stopped after {limits.seconds:g} seconds; ask for less"
        raise RefusedQueryError(said) from error
    except duckdb.Error as error:
        raise RefusedQueryError(str(error)) from error
    return _cut(columns, rows, limits)


@contextmanager
def _opened(release: Release, query: str, limits: Limits) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection of its own, which sees the named tables' files and nothing else."""
    names = named_in(query)
    sizes = {t.name: t.bytes for t in release.manifest.tables}
    if (total := sum(sizes.get(n, 0) for n in names)) > 1e6 * limits.table_mb:
        raise RefusedQueryError(f"the tables have {total / 1e6:,.0f} MB; use `observatory.open`")
    paths = {name: release.path(name) for name in names}
    with connect() as con:
        for layer in LAYERS:
            con.execute(f"CREATE SCHEMA {layer}")
        for name, path in paths.items():
            view = ".".join(map(quote, name.split(".")))
            con.execute(f"CREATE VIEW {view} AS FROM {read_files.parquet(path)}")
        allowed = ", ".join(literal(str(path.absolute())) for path in paths.values())
        for setting in (
            f"allowed_paths = [{allowed}]",
            "python_enable_replacements = false",  # variables of this program are no tables
            "autoload_known_extensions = false",
            "autoinstall_known_extensions = false",
            "temp_directory = ''",
            f"memory_limit = '{limits.memory_mb}MB'",
            "threads = 2",
            "enable_external_access = false",
            "lock_configuration = true",
        ):
            con.execute(f"SET {setting}")
        yield con


def _only_select(con: duckdb.DuckDBPyConnection, query: str) -> duckdb.Statement:
    """The only statement."""
    statements = con.extract_statements(query)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise RefusedQueryError("only one SELECT statement is answered")
    return statements[0]


@contextmanager
def _stopped_after(con: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    timer = threading.Timer(seconds, con.interrupt)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _cut(columns: list[str], rows: list[tuple[Any, ...]], limits: Limits) -> Answer:
    """As many rows as the limits allow."""
    kept: list[list[Any]] = []
    size = 0
    for row in rows[: limits.rows]:
        size += len(json.dumps(row, default=str, ensure_ascii=False))
        if size > limits.characters:
            break
        kept.append(list(row))
    if rows and not kept:
        raise RefusedQueryError(f"one row has more than {limits.characters:,} characters")
    return Answer(columns, kept, len(kept) < len(rows))
