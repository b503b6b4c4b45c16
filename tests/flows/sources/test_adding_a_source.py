"""A new source needs a card, a module, a contract and a recording, and no other change."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT
from warehouse.code_version import PACKAGES

CARD = """
id: toy
order: 95
module: toy
schedule: {slug: daily, cron: "5 5 * * *"}
title: Toy source
producer: Toys
homepage: https://example.org/toys
citation: "Toys, example.org"
license: {raw: CC0, ours: All tables, redistribution: derived, statement_url: https://example.org}
cadence: daily
stale_after_days: 3
loads: every_snapshot
"""
CONTRACT = """
table: raw.toys
description: Toys by name.
grain: one row per toy and snapshot
key: [snapshot_id, toy]
license_inputs: [toy]
columns:
  snapshot_id: {type: VARCHAR, description: Snapshot.}
  snapshot_date: {type: DATE, description: Day.}
  toy: {type: VARCHAR, description: Name.}
"""
MODULE = """
from flows.sources.quarantine import snapshot_columns

def fetch_toys(settings, archive, draft):
    draft.add_file("toys.txt", b"ball", url="https://example.org/toys.txt", rows_seen=1)

def parse_toys(con, archive, snapshot):
    toy = archive.read(snapshot.files[0]).decode()
    con.execute(f"INSERT INTO raw.toys SELECT {snapshot_columns(snapshot)}, ?", [toy])
"""
SCRIPT = """
import json, pathlib
from datetime import date
from flows.settings import ALL_SOURCES, DEFAULT_SOURCES, Settings
from flows.steps.build import load_raw
from flows.steps.observe import observe
from infra.deployments import deployment_names
from warehouse.archive.archive import Archive
from warehouse.contracts.source import sources_table
from warehouse.database.duckdb_file import open_read_only

folder = pathlib.Path("data")
observe("toy", Settings(archive=folder / "archive", sources="toy"), date(2026, 8, 15))
archive = Archive(folder / "archive")
load_raw(folder / "built.duckdb", archive, archive.snapshots("toy"))
with open_read_only(folder / "built.duckdb") as con:
    toys = con.execute("SELECT toy FROM raw.toys").fetchall()
print(json.dumps({
    "settings": "toy" in DEFAULT_SOURCES, "order": ALL_SOURCES.index("toy"), "toys": toys,
    "deployments": deployment_names(), "docs": "| `toy` |" in sources_table(),
}))
"""


def test_a_source_is_added_by_its_card_module_and_contract_alone(tmp_path: Path) -> None:
    """Settings, help, deployments, parsers and the table for the docs follow from the card."""
    for package in (*PACKAGES, "infra"):
        ignored = shutil.ignore_patterns("__pycache__", "sample", "node_modules")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored, dirs_exist_ok=True)
    (tmp_path / "warehouse/contracts/sources/toy.yml").write_text(CARD)
    (tmp_path / "warehouse/contracts/tables/raw/toys.yml").write_text(CONTRACT)
    (tmp_path / "flows/sources/toy.py").write_text(MODULE)

    found = json.loads(python(tmp_path, "-c", SCRIPT).splitlines()[-1])
    assert found.pop("deployments").count("observe-source/toy") == 1
    assert found == {"settings": True, "order": 9, "toys": [["ball"]], "docs": True}
    assert "toy" in python(tmp_path, "-m", "flows.cli", "run", "--help")


def python(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
