"""Builds the tables of the AI Index from what was observed."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from expectations.report import Report
from expectations.validate import validate_database
from flows.settings import Settings
from flows.sources import SOURCES
from tests.support.frames import everything
from warehouse.archive.archive import Archive
from warehouse.contracts.table import contract
from warehouse.database import duckdb_file
from warehouse.registry.load import load_reference

MARTS = {"mart.ai_index_restated", "mart.ai_index_arena_gap", "mart.notable_models_by_country"}


def build(settings: Settings, path: Path) -> dict[str, pl.DataFrame]:
    """The AI Index's tables of what was observed, kept at `path` too."""
    con = duckdb_file.create(path)
    load_reference(con)
    archive = Archive(settings.archive)
    (snapshot,) = [s for s in archive.snapshots() if s.source == "ai_index"]
    SOURCES["ai_index"].parse(con, archive, snapshot)
    names = [r[0] for r in con.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = "
                                       "'raw' AND estimated_size > 0").fetchall()]  # fmt: skip
    raw = {f"raw_{name}": con.sql(f"FROM raw.{name}").pl().lazy() for name in names}
    made = everything(targets=MARTS, **raw)
    for table, frame in made.items():
        con.execute(f"INSERT INTO {contract(table).sql_name} SELECT * FROM frame")
        assert frame.height >= 0
    con.close()
    return made | {f"raw.{name.removeprefix('raw_')}": f.collect() for name, f in raw.items()}


def checked(path: Path) -> Report:
    tables = ["raw.ai_index_corrections", "raw.ai_index_files", "core.ai_index_series"]
    return validate_database(path, [*tables, "mart.ai_index_arena_gap"], "core")
