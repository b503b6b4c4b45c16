"""One run at a time on a warehouse, with real processes; links to a warehouse."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from tests.conftest import ROOT
from warehouse.database import lock
from warehouse.database.build_files import build_path, require_own, swap_in
from warehouse.database.duckdb_file import WarehouseError, create

HOLD = """
import sys, time; from pathlib import Path; from warehouse.database.lock import alone
with alone(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def held_elsewhere(warehouse: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process holds the warehouse."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(warehouse)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_second_run_waits_says_so_and_goes_on_when_the_first_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    warehouse = tmp_path / "observatory.duckdb"
    (tmp_path / "link.duckdb").symlink_to(warehouse)  # the same warehouse
    with held_elsewhere(warehouse) as process:
        monkeypatch.setattr(lock, "WAIT", 0.3)
        with (
            pytest.raises(WarehouseError, match="has been used by another run"),
            lock.alone(tmp_path / "link.duckdb"),
        ):
            pass
        monkeypatch.setattr(lock, "WAIT", 30)
        os.kill(process.pid, signal.SIGKILL)
        with lock.alone(warehouse), lock.alone(warehouse):  # publishing within a run
            pass
    assert "is used by another run; waiting" in caplog.text


def test_a_folder_without_write_permission_is_read_without_a_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with lock.unchanged(tmp_path / "observatory.duckdb"):
        assert list(tmp_path.iterdir()) == []


def built(path: Path) -> Path:
    con = create(path)
    con.execute("INSERT INTO meta.build VALUES ('2026-08-15', '2026-08-15', '0', '0', false)")
    con.close()
    return path


def test_a_link_to_a_warehouse_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    link = tmp_path / "observatory.duckdb"
    link.symlink_to(disk / "real.duckdb")  # does not exist yet
    for _ in range(2):
        new = built(build_path(link))
        assert new.parent == disk
        swap_in(new, link)
        assert link.is_symlink()
        require_own(link)
    assert {p.name for p in disk.iterdir()} == {"real.duckdb", "real.duckdb.unpublished"}


@pytest.mark.parametrize("content", ["text", "database"])
def test_a_file_that_no_build_wrote_is_not_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "theirs.duckdb"
    if content == "text":
        path.write_text("mine")
    else:
        with duckdb.connect(str(path)) as con:
            con.execute("CREATE TABLE theirs AS SELECT 1 AS a")
    with pytest.raises(WarehouseError, match="nothing was built"):
        require_own(path)
