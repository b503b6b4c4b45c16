"""Shared by tests of the sources: small recordings, raw tables, and logged requests."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import orjson
import zstandard

from flows.settings import Settings
from flows.sources import SOURCES
from tests.standin import StandIn
from warehouse.archive.archive import Archive
from warehouse.database.duckdb_file import create_tables

NEXT_DAY = date(2026, 8, 16)
BOARDS = "lmarena/leaderboard-dataset"
FULL = "full-00000-of-00001.parquet"


def loaded(settings: Settings, *sources: str) -> duckdb.DuckDBPyConnection:
    """Raw tables in memory, with every snapshot of the archive parsed."""
    con = duckdb.connect()
    create_tables(con)
    archive = Archive(settings.archive)
    for source in sources:
        for snapshot in archive.snapshots(source):
            SOURCES[source].parse(con, archive, snapshot)
    return con


def counts(con: duckdb.DuckDBPyConnection, table: str, *by: str) -> dict[Any, int]:
    columns = ", ".join(by)
    rows = con.execute(f"SELECT {columns}, count(*) FROM {table} GROUP BY ALL").fetchall()
    return {row[:-1] if len(by) > 1 else row[0]: row[-1] for row in rows}


def refused(con: duckdb.DuckDBPyConnection) -> list[tuple[str, int, str]]:
    """Table, line and reason of every quarantined record or cell."""
    query = "SELECT table_name, line, reason FROM raw.quarantine ORDER BY ALL"
    return con.execute(query).fetchall()


def write_models(folder: Path, models: list[dict[str, Any]], day: str = "2026-08-15") -> Path:
    """Recordings of a small Hub."""
    path = folder / "hub" / day / "models.ndjson.zst"
    path.parent.mkdir(parents=True)
    path.write_bytes(zstandard.compress(b"\n".join(map(orjson.dumps, models)) + b"\n"))
    return folder


def some_models(number: int) -> list[dict[str, Any]]:
    """Models of which the oldest has the oldest createdAt of the Hub."""
    made = [
        {"id": f"lab{n % 7}/m{n}", "createdAt": f"2026-01-01T00:00:{n:02}.000Z", "downloads": n}
        for n in range(number)
    ]
    return [made[0] | {"createdAt": "2022-03-02T23:29:04.000Z"}, *made[1:]]


def listings(server: StandIn, status: int = 200) -> list[str]:
    """Cursor of every listing page requested with this status; '' is the first page."""
    return [
        r.query.get("cursor", [""])[0]
        for r in server.requests
        if r.path == "/api/models" and r.status == status
    ]


def copy_boards(recordings: Path, folder: Path, *subsets: str) -> Path:
    for subset in subsets:
        target = folder / BOARDS / subset / FULL
        target.parent.mkdir(parents=True)
        shutil.copyfile(recordings / BOARDS / subset / FULL, target)
    return folder


def downloads(server: StandIn) -> list[str]:
    """Files of the dataset that were downloaded."""
    return [
        r.path.split("/resolve/")[1].split("/", 1)[1]
        for r in server.requests
        if "/resolve/" in r.path and r.method == "GET" and r.status == 200
    ]
