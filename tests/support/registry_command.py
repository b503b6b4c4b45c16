"""The commands of `observatory registry` in a process of their own, on any registry folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT
from warehouse.registry.load import REGISTRY


def command(*arguments: str, registry: Path | None = None) -> list[str]:
    """The command line; with another registry folder if one is given."""
    code = (
        "import sys; from pathlib import Path; from warehouse.registry import load\n"
        f"load.REGISTRY = Path({str(registry or REGISTRY)!r})\n"
        "from flows.cli.app import app; app(sys.argv[1:])"
    )
    return [sys.executable, "-c", code, *arguments]


def observatory(*arguments: str, registry: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command as a user types it."""
    return subprocess.run(
        command(*arguments, registry=registry),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
