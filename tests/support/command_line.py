"""Calls of `observatory` within the test process, and what they leave on disk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from unicodedata import category

from click.testing import Result
from typer.testing import CliRunner

from flows.cli.app import app
from tests.conftest import ROOT

HOSTILE = "[bold]x[/red] \x1b[2J\x1b]0;owned\x07\u202eevil\u202c |cell|`code`<script>[a](b)\r\nnext"


def call(*arguments: object, columns: int = 200, **env: str) -> Result:
    """`observatory ARGUMENTS` in this process."""
    return CliRunner().invoke(
        app, [str(a) for a in arguments], env={"COLUMNS": str(columns), **env}
    )


def flat(text: str) -> str:
    """The text on one line, without the frames of the help."""
    return " ".join(text.replace("│", " ").split())


def files_in(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by relative path."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def places(folder: Path) -> list[str]:
    """Options for the warehouse and the published place of a folder."""
    return [f"--warehouse={folder / 'observatory.duckdb'}", f"--publish-to={folder / 'published'}"]


def run_module(folder: Path, *arguments: str, **env: str) -> Any:
    """`observatory` in a process of its own, without a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
        capture_output=True,
        text=True,
        check=False,
    )


def assert_harmless(text: str) -> None:
    """No character that moves the cursor, sets a title, changes the direction or is invisible."""
    assert {c for c in text if category(c) in ("Cc", "Cf", "Cs") and c != "\n"} == set()
