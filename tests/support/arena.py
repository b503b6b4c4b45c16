"""Shared by tests of LMArena's sources: boards, raw tables, and downloaded files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from flows.settings import Settings
from flows.sources import SOURCES
from tests.standin import StandIn
from tests.support.sources import FULL
from warehouse.archive.archive import Archive
from warehouse.database.duckdb_file import create_tables

SPACE, CATALOG, DATASET = "lmarena/space", "lmarena/arena-catalog", "lmarena/leaderboard-dataset"


def loaded_newest(settings: Settings, *sources: str) -> duckdb.DuckDBPyConnection:
    """Raw tables in memory, from the newest snapshot of each source."""
    con = duckdb.connect()
    create_tables(con)
    archive = Archive(settings.archive)
    for source in sources:
        SOURCES[source].parse(con, archive, archive.snapshots(source)[-1])
    return con


def refused_lines(con: duckdb.DuckDBPyConnection) -> list[tuple[str, int, str]]:
    """File, line and reason of every quarantined record or cell."""
    return con.execute("SELECT file_name, line, reason FROM raw.quarantine ORDER BY ALL").fetchall()


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def sent(server: StandIn) -> list[str]:
    """Names of the downloaded files."""
    return [
        r.path.rsplit("/", 1)[1]
        for r in server.requests
        if r.method == "GET" and r.status == 200 and ("/resolve/" in r.path or "/raw/" in r.path)
    ]


AGENT = {
    "score": [61.5, 60.25],
    "score_ci_lower": [60.0, 59.0],
    "score_ci_upper": [63.0, 62.0],
    "observation_count": [1000.0, 900.0],
    "session_count": [100.0, 90.0],
}


ARENA = {
    "rating": [1400.5, 1300.25],
    "rating_lower": [1390.0, 1290.0],
    "rating_upper": [1410.0, 1310.0],
    "variance": [26.0, math.nan],
    "vote_count": [100.0, math.nan],
}


def board(figures: dict[str, list[Any]], **types: pa.DataType) -> pa.Table:
    """Two lines of a board; `types` casts columns, as a producer might."""
    columns = {
        "model_name": ["model-a", "model-b"],
        "organization": ["Lab", ""],
        "license": ["MIT", ""],
        **figures,
        "rank": [1, 2],
        "category": ["overall", "overall"],
        "leaderboard_publish_date": ["2026-08-01", "2026-08-01"],
    }
    table = pa.table(columns)
    for name, kind in types.items():
        place = table.column_names.index(name)
        naive = pa.timestamp("us") if pa.types.is_timestamp(kind) else kind
        table = table.set_column(place, name, table[name].cast(naive).cast(kind))
    return table


def write_board(folder: Path, subset: str, table: pa.Table) -> Path:
    path = folder / DATASET / subset / FULL
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)
    return path
