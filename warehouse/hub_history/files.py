"""The history's Parquet files: their columns, and how they are written and read."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import duckdb

from warehouse.contracts.table import literal
from warehouse.database.read_files import parquet
from warehouse.storage.files import sync_file

# Bits of `status`: which values the snapshot has of a model. In the state, a value without its bit
# is the last known one.
LISTED, HAS_30D, HAS_ALL_TIME, HAS_LIKES, HAS_TRENDING = 1, 2, 4, 8, 16
STATUS = 31
NEW_TRENDING = 32  # in a change row: the trending score is the new one

MODELS = {  # one row per model and id that it was ever listed under
    "model_key": "INTEGER",
    "model_id_hf": "VARCHAR",
    "is_current": "BOOLEAN",  # the newest id of the model
    "object_id_hf": "VARCHAR",
    "author": "VARCHAR",
    "created_at": "TIMESTAMP",
    "first_seen_date": "DATE",
    "last_seen_date": "DATE",  # null while it is listed
    "pipeline_tag": "VARCHAR",
    "library_name": "VARCHAR",
    "license": "VARCHAR",
    "gated": "VARCHAR",
    "parameters_total": "BIGINT",
    "lineage_recorded": "BOOLEAN",  # true once a snapshot stated its parents; else null
    "lineage_date": "DATE",  # first snapshot with the lineage declared last
    "base_models_json": "VARCHAR",
    "base_model_tags_json": "VARCHAR",
}
COUNTERS = {  # one row per model ever listed: its last known counters
    "model_key": "INTEGER",
    "status": "UTINYINT",
    "downloads_30d": "BIGINT",
    "downloads_all_time": "BIGINT",
    "likes": "BIGINT",
    "trending_score": "DOUBLE",
}
CHANGES = {  # one row per model whose counters differ from the previous snapshot
    "snapshot_date": "DATE",
    "model_key": "INTEGER",
    "downloads_30d_change": "BIGINT",
    "downloads_all_time_change": "BIGINT",
    "likes_change": "BIGINT",
    "status_flips": "UTINYINT",  # xor of status before and after, and NEW_TRENDING
    "trending_score": "DOUBLE",
}
ABSENCES = {  # one row per model and period of absence from the Hub
    "model_key": "INTEGER",
    "model_id_hf": "VARCHAR",
    "last_seen_date": "DATE",
    "absent_since_date": "DATE",  # first complete sweep without it
    "returned_date": "DATE",  # null while it is absent
    "downloads_30d": "BIGINT",
    "downloads_all_time": "BIGINT",
    "likes": "BIGINT",
}
# V2 packs sorted keys and small differences into bits: half the size of V1 pages with zstd.
OPTIONS = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL {level}, PARQUET_VERSION V2"


def columns(table: dict[str, str]) -> str:
    """The columns of a file as a SQL list."""
    return ", ".join(table)


def write(con: duckdb.DuckDBPyConnection, query: str, path: Path, level: int = 3) -> None:
    """Write the rows of a query as one Parquet file, which gets its name once it is durable."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    con.execute(f"COPY ({query}) TO {literal(str(part))} ({OPTIONS.format(level=level)})")
    sync_file(part)
    part.replace(path)


def scan(table: dict[str, str], paths: Iterable[Path]) -> str:
    """SQL that reads files of one kind; it gives no rows if there are none."""
    if files := list(paths):
        return f"SELECT {columns(table)} FROM {parquet(files)}"
    nothing = ", ".join(f"NULL::{kind} AS {name}" for name, kind in table.items())
    return f"SELECT {nothing} WHERE false"
