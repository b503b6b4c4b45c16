"""Shares of past days: computed once and stored next to the history.

A past day is one whose snapshot is no longer loaded into the raw tables. Its shares are those of
the last build that loaded it: with the attributes and the lineage known then, and the registry of
this build. They follow from archive, clocks and code; the stored files are only a cache.
"""

from __future__ import annotations

import hashlib
import io
import logging
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

import duckdb
import polars as pl

from transforms.plan import Step, plan
from warehouse.code_version import digest_of
from warehouse.contracts.table import contract, literal
from warehouse.database import duckdb_file
from warehouse.database.read_files import parquet
from warehouse.hub_history.earlier import earlier_counters
from warehouse.hub_history.ledger import CARRIERS
from warehouse.hub_history.load import history_days, known_models
from warehouse.hub_history.past import counters_on
from warehouse.hub_history.store import History
from warehouse.storage.files import write_atomically

log = logging.getLogger("observatory.past_shares")

TABLES = ("mart.lab_share_daily", "mart.country_share_daily", "mart.family_share_daily")
# The tables of a past day that come from the history.
PAST = (
    *("raw.hub_models", "raw.hub_known_models", "raw.hub_earlier_counters"),
    "raw.hub_history_days",  # the panel of a day depends on earlier days
)
COUNTERS = ("downloads_30d", "downloads_all_time", "likes", "trending_score")
# Their rows are of other systems and in no share of the Hub.
UNUSED = ("core.arena_ratings", "core.notable_models")


@dataclass(frozen=True)
class PastDay:
    """A day that is no longer loaded, and the last day on which it was loaded."""

    day: date
    last_loaded: date


@cache
def steps() -> tuple[Step, ...]:
    """The transforms from the tables of the history to the shares, in order."""
    wanted = set(TABLES)
    for step in reversed(plan()):
        if step.table in wanted and step.table not in PAST:
            wanted |= set(step.inputs.values())
    moved = set(PAST)
    for step in plan():
        if step.table in wanted and moved & set(step.inputs.values()):
            moved.add(step.table)
    return tuple(s for s in plan() if s.table in moved and s.table not in PAST)


def given_tables() -> tuple[str, ...]:
    """The tables that these transforms read from this build: registry and spellings."""
    made = {*PAST, *UNUSED, *(s.table for s in steps())}
    return tuple(sorted({i for s in steps() for i in s.inputs.values()} - made))


@dataclass(frozen=True)
class ShareInputs:
    """The inputs that the shares of all past days have in common, read once."""

    con: duckdb.DuckDBPyConnection
    history: History
    clocks: dict[str, date]
    given: dict[str, pl.DataFrame]
    digest: str  # of `given`, clocks and code

    def paths(self, one: PastDay) -> dict[str, Path]:
        """The files with the shares of a day, by table; their names have a digest of all inputs."""
        known_at = self.clocks["known_at"]
        folder = self.history.folder / "shares" / ("all" if known_at == date.max else str(known_at))
        name = f"{one.day}.{_digest(self.history, one, self.digest)}.parquet"
        return {table: folder / table / name for table in TABLES}


def read_inputs(
    con: duckdb.DuckDBPyConnection, history: History, clocks: dict[str, date]
) -> ShareInputs:
    """Reads registry and spellings from a build that has its core tables."""
    given = {table: duckdb_file.scan(con, contract(table)).collect() for table in given_tables()}
    return ShareInputs(con, history, clocks, given, _digest_of(given, clocks))


def compute_day(shared: ShareInputs, one: PastDay) -> bool:
    """Computes and stores the shares of a day. False if they were stored already."""
    paths = shared.paths(one)
    if all(path.exists() for path in paths.values()):
        return False
    log.info("computing the shares of %s, as of %s", one.day, one.last_loaded)
    _store(_shares(shared, one), paths)
    return True


def load_past_shares(
    con: duckdb.DuckDBPyConnection, history: History, days: list[PastDay], clocks: dict[str, date]
) -> int:
    """Inserts the shares of these days. Returns the number of days that were computed."""
    shared = read_inputs(con, history, clocks)
    computed = sum(compute_day(shared, one) for one in days)
    for table in TABLES:
        files = parquet(shared.paths(one)[table] for one in days)
        con.execute(f"INSERT INTO {contract(table).sql_name} FROM {files}")
    return computed


def _shares(shared: ShareInputs, one: PastDay) -> dict[str, pl.DataFrame]:
    """The shares of one day, by the transforms that every build uses."""
    con, history, clocks = shared.con, shared.history, shared.clocks
    entry = history.entry(one.day)
    assert entry is not None  # there is a snapshot of the day
    day = f"DATE {literal(str(one.day))}"
    past = (
        _listing(counters_on(history, one.day), day),
        known_models(history, one.last_loaded),
        earlier_counters(con, history, entry),
    )
    tables = {
        **shared.given,
        **{table: contract(table).polars_schema.to_frame() for table in UNUSED},
        **{table: _frame(con, table, sql) for table, sql in zip(PAST[:3], past, strict=True)},
        PAST[3]: history_days(history.ledger.until(one.day)),
    }
    for step in steps():
        arguments: dict[str, object] = {p: tables[t].lazy() for p, t in step.inputs.items()}
        arguments |= {clock: clocks[clock] for clock in step.clocks}
        tables[step.table] = step.function(**arguments).collect()
    return {table: tables[table] for table in TABLES}


def _listing(counters: str, day: str) -> str:
    """SQL of raw.hub_models of a past day; columns that the history lacks are null."""
    kept = {"snapshot_date": day, "snapshot_id": "''", "file_name": "''"}
    kept |= {c: c for c in ("model_id_hf", *COUNTERS) if c not in kept}
    columns = contract("raw.hub_models").columns
    listed = ", ".join(f"{kept.get(n, 'NULL')}::{c.type} AS {n}" for n, c in columns.items())
    return f"SELECT {listed} FROM ({counters})"


def _frame(con: duckdb.DuckDBPyConnection, table: str, sql: str) -> pl.DataFrame:
    """The rows of a query with the columns of a contract."""
    columns = ", ".join(contract(table).columns)
    return con.sql(f"SELECT {columns} FROM ({sql})").pl().cast(contract(table).polars_schema)


def _store(tables: dict[str, pl.DataFrame], paths: dict[str, Path]) -> None:
    """Writes the files of a day and removes those from other inputs."""
    for name, path in paths.items():
        table = contract(name)
        table.check_frame(tables[name])
        path.parent.mkdir(parents=True, exist_ok=True)
        for old in path.parent.glob(f"{path.name.partition('.')[0]}.*"):
            old.unlink(missing_ok=True)
        part = io.BytesIO()
        tables[name].sort(table.key).write_parquet(part, compression="zstd")
        write_atomically(path, part.getvalue())


def _digest(history: History, one: PastDay, about: str) -> str:
    """Digest of all inputs of a day's shares, with the snapshots until it was last loaded."""
    sweeps = [entry.sweep.model_dump_json() for entry in history.ledger.until(one.last_loaded)]
    text = "\n".join([about, history.ledger.code, str(one.day), str(one.last_loaded), *sweeps])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _digest_of(given: dict[str, pl.DataFrame], clocks: dict[str, date]) -> str:
    """Digest of the other tables' rows, the clocks that a step takes, the code and its engines."""
    whole = hashlib.sha256(f"{duckdb.__version__} {pl.__version__}".encode())
    for clock in sorted({c for s in steps() for c in s.clocks}):
        whole.update(f"{clock} {clocks[clock]}\n".encode())
    for table, frame in sorted(given.items()):
        whole.update(f"{table}\n{frame.sort(pl.all()).write_csv()}".encode())
    for table in (*PAST, *UNUSED, *TABLES):
        whole.update(f"{table} {contract(table).polars_schema}\n".encode())
    modules = (__name__, *(f"transforms.{step.table}" for step in steps()))
    whole.update(digest_of(*modules, without=CARRIERS).encode())
    return whole.hexdigest()
