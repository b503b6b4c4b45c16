"""Fixtures of the tests of the sources."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def listed(recordings: Path) -> dict[str, int]:
    """Rows of every recorded file, as MANIFEST.csv says."""
    with (recordings / "MANIFEST.csv").open(encoding="utf-8", newline="") as lines:
        return {r["path"]: int(r["rows"]) for r in csv.DictReader(lines) if r["rows"]}
