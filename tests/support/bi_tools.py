"""The page on BI tools and what runs its recipes: other people's drivers and servers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.conftest import ROOT
from tests.support.markdown import blocks
from warehouse.releases.manifest import DATABASE

NAME = "docs/bi-tools.md"
PAGE = (ROOT / NAME).read_text(encoding="utf-8")
ONE_DEFINITION = """FROM mart.country_share_daily SELECT country_code, share
    WHERE population = 'all' AND metric = 'downloads_30d'
    AND attribution = 'publisher' AND credit = 'fractional' ORDER BY ALL"""


def recipe(heading: str, language: str) -> str:
    """The only block of a language below a heading of the page."""
    found = [b for b in blocks(NAME, PAGE) if (b.heading, b.language) == (heading, language)]
    (block,) = found
    return block.code


def installed(variable: str) -> str:
    """A folder of packages that a variable names; the test is skipped without it."""
    folder = os.environ.get(variable)
    if not folder:
        pytest.skip(f"{variable} names no folder (.ci/run installs it)")
    return str(Path(folder).resolve())


def python_packages() -> str:
    """SQLAlchemy 1.4, duckdb-engine, Datasette."""
    return installed("OBSERVATORY_WITH_BI_TOOLS")


def node_packages() -> Path:
    """`node_modules` with Evidence's connector and Observable Framework."""
    folder = Path(python_packages()) / "node_modules"
    if not folder.is_dir() or not shutil.which("node"):
        pytest.skip(f"no node or no {folder} (.ci/run installs it)")
    return folder


def output(command: list[str], folder: Path, **environment: str) -> str:
    """What a command prints in a folder; it must succeed."""
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **environment},
        capture_output=True, encoding="utf-8", timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def local(release: Path, query: str) -> list[list[Any]]:
    """A query's rows from the DuckDB file itself, as JSON has them. Never empty."""
    with duckdb.connect(str(release / DATABASE), read_only=True) as con:
        rows: list[list[Any]] = json.loads(json.dumps(con.execute(query).fetchall(), default=str))
    assert rows
    return rows
