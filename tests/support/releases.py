"""A small warehouse with a source under strict terms, for tests of releases."""

from __future__ import annotations

import shutil
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import yaml

from warehouse.contracts.source import Card
from warehouse.contracts.table import Contract, contracts
from warehouse.database.duckdb_file import create, unpublished_path

AS_OF = date(2026, 8, 15)
CODE = {"version": "0.1.0", "digest": "c0de" * 16}
META = ("meta.snapshots", "meta.lineage", "meta.release", "meta.validation_results")

TABLES = """
- table: raw.figures
  description: Figures of an index, as received.
  grain: one row per figure and country
  key: [figure, country]
  columns:
    figure: {type: VARCHAR, description: Figure id.}
    country: {type: VARCHAR, description: Country.}
    value: {type: DOUBLE, nullable: true, unit: models, description: Value.}
  license_inputs: [strict]
- table: core.counts
  description: Daily counters.
  grain: one row per model and day
  key: [day, model]
  columns:
    day: {type: DATE, description: Day.}
    model: {type: VARCHAR, description: Model.}
    seen_at: {type: TIMESTAMP, unit: UTC, description: When it was seen.}
    downloads: {type: BIGINT, nullable: true, unit: downloads, description: Downloads.}
    is_open: {type: BOOLEAN, nullable: true, description: Open weights.}
  warnings: [ci_suspect]
  thresholds: {rows_fall_pct: 10}
  license_inputs: [open]
- table: mart.by_country
  description: Models by country, from two sources.
  grain: one row per source and country
  key: [source, country]
  columns:
    source: {type: VARCHAR, nullable: true, description: Source of the row.}
    country: {type: VARCHAR, description: Country.}
    n_models: {type: INTEGER, nullable: true, unit: models, description: Number.}
  license_inputs: [open, strict]
  license_rows: {strict: "source LIKE 'strict%'"}
- table: raw.refused
  description: Refused records.
  grain: one row per record
  key: [record]
  columns:
    record: {type: VARCHAR, description: Its text.}
  published: false
"""


def small_tables() -> dict[str, Contract]:
    """Three published tables, one that is not, and the project's own meta tables."""
    own = [Contract.model_validate(t) for t in yaml.safe_load(TABLES)]
    return {c.table: c for c in own} | {name: contracts()[name] for name in META}


def small_cards() -> dict[str, Card]:
    """`open` may be shared in adapted form, `strict` only as it is."""
    return {"open": _card("open", "derived"), "strict": _card("strict", "raw")}


def _card(name: str, redistribution: str) -> Card:
    license = {
        "raw": f"license of {name}",
        "ours": f"terms of {name}",
        "redistribution": redistribution,
        "statement_url": "https://example.org/terms",
    }
    return Card.model_validate(
        {
            "id": name,
            "title": f"Source {name}",
            "producer": name.upper(),
            "homepage": "https://example.org",
            "citation": f"{name}, example.org",
            "license": license,
            "cadence": "daily",
            "loads": "every_snapshot",
        }
    )


def build_warehouse(
    path: Path,
    *,
    tables: dict[str, Contract] | None = None,
    models: int = 50,
    backwards: bool = False,
) -> Path:
    """A warehouse file with the small tables filled; `backwards` only changes the order of rows."""
    order = "DESC" if backwards else "ASC"
    with create(path, tables or small_tables()) as con:
        con.execute(
            "INSERT INTO raw.figures FROM (VALUES ('1.1', 'US', 59.5), ('1.1', 'CN', 35.25)) v"
            f" ORDER BY 2 {order}"
        )
        con.execute(
            "INSERT INTO core.counts SELECT DATE '2026-08-01' + (i % 9)::INT, 'lab/m' || i // 9,"
            " TIMESTAMP '2026-08-15 12:34:56.123456', CASE WHEN i % 7 > 0 THEN hash(i) % 99999 END,"
            f" i % 2 = 0 FROM range({models}) r(i) ORDER BY i {order}"
        )
        con.execute(
            "INSERT INTO mart.by_country FROM (VALUES ('open', 'US', 3), ('strict_2025', 'US', 40),"
            f" ('strict_2026', 'CN', 1729), (NULL, 'FR', 1)) v ORDER BY 2 {order}"
        )
        _fill_meta(con)
    return path


def _fill_meta(con: duckdb.DuckDBPyConnection) -> None:
    results = [
        ("core", "core.counts", "rule", None, "warning", "failed", 50, 1, '{"seen": "40 US"}', "?"),
        ("core", "core.counts", "not_null", "day", "critical", "passed", 50, 0, None, "?"),
        ("mart", "mart.by_country", "rule", None, "warning", "failed", 4, 1, '{"n": 1729}', "?"),
        ("raw", "raw.figures", "rule", None, "warning", "not_run", 2, None, '{"n": 1}', "?"),
    ]
    con.executemany(
        "INSERT INTO meta.validation_results VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", results
    )
    con.execute(
        "INSERT INTO meta.lineage VALUES ('mart.by_country', 'raw.figures'),"
        " ('mart.by_country', 'core.counts')"
    )
    for source in ("open", "strict"):
        con.execute("INSERT INTO meta.snapshots VALUES (" + ", ".join("?" * 18) + ")", _row(source))


def copied_warehouse(warehouse: Path, copy: Path) -> Path:
    """A copy of a warehouse with both of its files."""
    shutil.copyfile(unpublished_path(warehouse), unpublished_path(copy))
    return Path(shutil.copyfile(warehouse, copy))


def _row(source: str) -> list[Any]:
    received = datetime(2026, 8, 15, 1, 2, 3)
    about = ["producer", "https://example.org/data", "license", "derived", f"{source}, example.org"]
    counts = [2, 1000, 50]
    return [
        f"{source}/{AS_OF}",
        source,
        AS_OF,
        *about,
        received,
        *counts,
        True,
        False,
        None,
        None,
        "5" * 64,
        True,
    ]
