"""Where a run's files are unless a setting says otherwise: the help shows it without settings."""

from __future__ import annotations

from pathlib import Path

ARCHIVE = Path("data/archive")
WAREHOUSE = Path("data/observatory.duckdb")
HISTORY = Path("data/history")
PUBLISH_TO = ("data/published",)
