"""Temporary folders: what a killed process leaves goes, what a live one uses stays."""

from __future__ import annotations

import ast
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.support.imports import ROOT
from warehouse.storage import scratch
from warehouse.storage.scratch import scratch_folder

HOLD = """
import sys, time
from pathlib import Path
from warehouse.storage.scratch import scratch_folder
with scratch_folder("test", Path(sys.argv[1])) as folder:
    (folder / "large").write_bytes(b"x")
    print(folder, flush=True)
    time.sleep(600)
"""


def holder(parent: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process that uses a scratch folder, which looks old."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(parent)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout
    folder = Path(process.stdout.readline().strip())
    past = time.time() - 2 * scratch.NEW_SECONDS
    os.utime(folder.parent, (past, past))
    return process, folder


def test_the_folder_of_a_killed_process_is_removed_and_a_live_one_stays(tmp_path: Path) -> None:
    process, folder = holder(tmp_path)
    try:
        with scratch_folder("other", tmp_path) as own:
            assert list(own.iterdir()) == []
        assert not own.parent.exists()
        assert (folder / "large").exists(), "in use"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert (folder / "large").exists(), "a killed process removes nothing"
    with scratch_folder("other", tmp_path):
        assert not folder.parent.exists()


def test_other_folders_and_links_stay(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / scratch.LOCK).touch()
    root = tmp_path / "tmp"
    (root / f"{scratch.PREFIX}notes").mkdir(parents=True)  # no lock: not ours
    (root / f"{scratch.PREFIX}link").symlink_to(elsewhere)
    for path in root.iterdir():
        os.utime(path, (0, 0), follow_symlinks=False)
    with scratch_folder("other", root):
        assert {p.name for p in root.iterdir()} > {"observatory-notes", "observatory-link"}
        assert (elsewhere / scratch.LOCK).exists()


def test_what_a_process_leaves_that_was_killed_before_it_had_the_lock_is_removed(
    tmp_path: Path,
) -> None:
    empty, full = (tmp_path / f"{scratch.PREFIX}docs-{name}" for name in ("a1b2c3d_", "abcdefgh"))
    empty.mkdir()
    (full / "theirs").mkdir(parents=True)
    for path in tmp_path.iterdir():
        os.utime(path, (0, 0))
    with scratch_folder("other", tmp_path):
        assert not empty.exists()
        assert full.exists()


def test_tmpdir_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with scratch_folder("other") as folder:
        assert folder.is_relative_to(tmp_path)


@pytest.mark.parametrize("package", ["flows", "expectations", "transforms", "warehouse"])
def test_no_other_temporary_folders_are_made(package: str) -> None:
    found = [
        f"{path}:{node.lineno}"
        for path in sorted((ROOT / package).rglob("*.py"))
        if path.name != "scratch.py"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and re.search("TemporaryDirectory|mkdtemp", ast.dump(node.func))
    ]
    assert not found, "use scratch_folder"
