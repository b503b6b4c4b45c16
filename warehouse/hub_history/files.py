"""The history's Parquet files: their columns, and how they are written and read.

A file of a day has the rows that changed since the previous snapshot, with absolute values. A
checkpoint has the row of every model. So the rows of a day are, by key, the newest ones from the
last checkpoint on.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import duckdb

from warehouse.contracts.table import literal
from warehouse.database.read_files import parquet
from warehouse.storage.files import sync_file

Columns = dict[str, str]

VALUES: Columns = {
    "downloads_30d": "BIGINT",
    "downloads_all_time": "BIGINT",
    "likes": "BIGINT",
    "trending_score": "DOUBLE",
}
COUNTERS: Columns = {  # key: model_key
    "snapshot_date": "DATE",
    "model_key": "INTEGER",
    "is_listed": "BOOLEAN",
    **VALUES,  # of an unlisted model: those of the last snapshot that listed it
    "was_listed": "BOOLEAN",
    "downloads_30d_before": "BIGINT",
    "downloads_all_time_before": "BIGINT",
}
MODELS: Columns = {  # key: model_key, model_id_hf; one row for every id the model ever had
    "snapshot_date": "DATE",
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
ABSENCES: Columns = {  # one row per model and period of absence from the Hub
    "model_key": "INTEGER",
    "model_id_hf": "VARCHAR",
    "last_seen_date": "DATE",
    "absent_since_date": "DATE",  # first complete sweep without it
    "returned_date": "DATE",  # null while it is absent
    "downloads_30d": "BIGINT",
    "downloads_all_time": "BIGINT",
    "likes": "BIGINT",
}
STATE: Columns = {  # what the next update compares with, one row per model
    "model_key": "INTEGER",
    "identity": "UBIGINT",  # hash of its ids; null unless it is listed with an object id
    "content": "UBIGINT",  # hash of everything else in its record that is no counter
    "is_listed": "BOOLEAN",
    **VALUES,
}
KEYS = {"counters": ("model_key",), "models": ("model_key", "model_id_hf")}
# V2 pages pack sorted keys into bits: 8 bytes per change, with V1 pages 10.
OPTIONS = "FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION V2"


def columns(table: Columns) -> str:
    """The columns of a file as a SQL list."""
    return ", ".join(table)


def write(con: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    """Write the rows of a query as one Parquet file, which gets its name once it is durable."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    con.execute(f"COPY ({query}) TO {literal(str(part))} ({OPTIONS})")
    sync_file(part)
    part.replace(path)


def scan(table: Columns, paths: Iterable[Path]) -> str:
    """SQL that reads files of one kind; it gives no rows if there are none."""
    if files := list(paths):
        return f"SELECT {columns(table)} FROM {parquet(files)}"
    nothing = ", ".join(f"NULL::{kind} AS {name}" for name, kind in table.items())
    return f"SELECT {nothing} WHERE false"


def newest_rows(
    table: Columns, key: Sequence[str], paths: Sequence[Path], among: str | None = None
) -> str:
    """SQL of the newest row of each key, of files in order; the first file has each key once.

    Without rows in later files, those of the first are only passed on. `among`: a relation with
    the column model_key, for the rows of its models alone.
    """
    only = f"SEMI JOIN {among} USING (model_key)" if among else ""
    return f"""WITH newest AS (FROM ({scan(table, paths[1:])}) {only} QUALIFY row_number() OVER (
            PARTITION BY {", ".join(key)} ORDER BY snapshot_date DESC) = 1)
        FROM ({scan(table, paths[:1])}) {only} ANTI JOIN newest USING ({", ".join(key)})
        UNION ALL FROM newest"""
