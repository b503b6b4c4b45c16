"""The source that docs/adding-a-source.md adds needs no other change."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT
from tests.support.markdown import blocks, pages
from warehouse.code_version import PACKAGES

PAGE = "docs/adding-a-source.md"
BLOCKS = {
    language: [b.code for b in blocks(PAGE, pages()[PAGE]) if b.language == language]
    for language in ("yaml", "python")
}
(CARD, CONTRACT), (MODULE,) = BLOCKS["yaml"], BLOCKS["python"]
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
    assert found == {"settings": True, "order": 11, "toys": [["ball"]], "docs": True}
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
