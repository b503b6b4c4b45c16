"""Which code made a release."""

from __future__ import annotations

import hashlib
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("flows", "transforms", "expectations", "warehouse")
KINDS = {".py", ".yml", ".csv", ".sql", ".html", ".css", ".js", ".svg"}


@cache
def code_version() -> dict[str, str]:
    """`version` of the package, `digest` of every file that can change a number, git `commit`.

    The digest leaves out the bundled sample, which is input, and the record of backfills.
    """
    whole = hashlib.sha256()
    for path in _files():
        whole.update(path.relative_to(ROOT).as_posix().encode() + b"\0")
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return {"version": _version(), "digest": whole.hexdigest(), "commit": _commit()}


def _files() -> list[Path]:
    found = (p for package in PACKAGES for p in (ROOT / package).rglob("*"))
    sample, record = ROOT / "warehouse" / "sample", ROOT / "warehouse" / "backfills.yml"
    code = (p for p in found if p.suffix in KINDS and p != record)
    return sorted(p for p in code if not p.is_relative_to(sample))


def _version() -> str:
    try:
        return version("origin-observatory")
    except PackageNotFoundError:
        return "not installed"


def _commit() -> str:
    """The git commit of the checkout; `unknown` where there is none."""
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip()
