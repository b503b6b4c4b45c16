"""Faults of our own disks: real ones, each told in one line that names the folder."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import date
from pathlib import Path

import duckdb
import polars as pl
import pytest

from expectations.docs import build_docs
from flows.cli.exit_codes import exit_code, own_disk_fault
from flows.cli.options import SAMPLE
from flows.sources import SOURCES
from flows.sources.http import SourceError
from tests.support.command_line import call
from warehouse.archive.archive import Archive
from warehouse.archive.draft import open_draft
from warehouse.database.duckdb_file import connect
from warehouse.database.own_disk import DiskError, disk_errors, own_fault
from warehouse.releases.manifest import ReleaseError
from warehouse.storage.files import write_atomically
from warehouse.storage.protocol import StorageError


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fault_of(work: object, *folders: Path) -> str:
    """How the fault that the work meets is told."""
    try:
        work()  # type: ignore[operator]
    except Exception as error:
        return own_fault(error, *folders) or f"not told: {error!r}"
    return "no fault"


def fill(folder: Path) -> dict[str, object]:
    """Ways in which this program writes more than the disk has."""
    frame = pl.DataFrame({"a": range(500_000)}).with_columns(pl.col("a").hash())

    def database() -> None:
        with closing(connect(folder / "o.duckdb")) as con:
            con.execute("CREATE TABLE t AS SELECT hash(i) AS a FROM range(2000000) r(i)")
            con.execute("CHECKPOINT")

    def spill() -> None:
        with closing(connect(None)) as con:
            con.execute(f"SET temp_directory = '{folder / 'spill'}'")
            con.execute("SET memory_limit = '30MB'")
            con.execute("CREATE TABLE t AS SELECT hash(i) AS a FROM range(9000000) r(i)")

    def export() -> None:
        with closing(connect(None)) as con:
            con.register("frame", frame)
            con.execute(f"COPY frame TO '{folder / 't.parquet'}' (FORMAT parquet)")

    return {
        "atomically": lambda: write_atomically(folder / "a" / "file", bytes(2_000_000)),
        "text": lambda: (folder / "page.html").write_text("x" * 2_000_000),
        "parquet": lambda: frame.write_parquet(folder / "p.parquet"),
        "database": database,
        "spill": spill,
        "export": export,
    }


@pytest.mark.parametrize("name", fill(Path()))
def test_a_full_disk_is_named(small: Path, name: str) -> None:
    told = fault_of(fill(small)[name], small)
    assert told.startswith(f"{small}"), told
    assert "its disk is full" in told
    assert "free some space there" in told
    assert "\n" not in told


def test_a_full_archive_is_named_and_keeps_no_half_file(small: Path) -> None:
    archive = Archive(small)

    def store() -> None:
        with disk_errors(DiskError, small), open_draft(archive, "epoch", date(2026, 8, 15)) as d:
            d.add_file("page.json", os.urandom(3_000_000), url="https://epoch.ai")

    with pytest.raises(DiskError, match="its disk is full"):
        store()
    assert [p for p in small.rglob("*") if p.is_file() and p.stat().st_size] == []


def test_full_data_docs_are_named(small: Path) -> None:
    with suppress(OSError), (small / "taken").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    told = fault_of(lambda: build_docs([], small / "docs", date(2026, 8, 15)), small)
    assert told.startswith(str(small)), told


@pytest.mark.skipif(not Path("/sys/kernel").exists(), reason="/sys refuses new files on Linux")
def test_a_place_that_cannot_be_written_is_named() -> None:
    for work in (
        lambda: write_atomically(Path("/sys/kernel/new/file"), b"x"),
        lambda: connect(Path("/sys/kernel/o.duckdb")).close(),
        lambda: pl.DataFrame({"a": [1]}).write_parquet("/sys/kernel/p.parquet"),
    ):
        told = fault_of(work)
        assert told.startswith("/sys/kernel/"), told
        assert "must be able to read and write in /sys/kernel: " in told


def test_too_little_memory_names_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OBSERVATORY_DUCKDB_MEMORY", "20MB")
    with closing(connect(None)) as con:
        con.execute("SET memory_limit = '20MB'")
        con.execute("SET temp_directory = ''")
        told = fault_of(
            lambda: con.execute("CREATE TABLE t AS SELECT hash(i) a FROM range(9000000) r(i)")
        )
    assert told.startswith("out of memory with OBSERVATORY_DUCKDB_MEMORY=20MB"), told


def test_other_errors_are_not_of_the_disk(tmp_path: Path) -> None:
    refused = ConnectionRefusedError(111, "Connection refused")
    denied = PermissionError(1, "Operation not permitted")  # by a firewall: it names no file
    source = SourceError("epoch", "no response", "https://epoch.ai", "wait")
    source.__cause__ = denied
    for error in (refused, denied, source, ValueError("No space left on device"), KeyError("x")):
        assert own_fault(error, tmp_path) is None
    with pytest.raises(duckdb.Error) as caught, closing(connect(None)) as con:
        con.execute("SELECT nothing")
    assert own_fault(caught.value) is None


def test_the_exit_code_says_whose_fault_it_is() -> None:
    temporary = tempfile.gettempdir()
    full = OSError(28, "No space left on device", f"{temporary}/x")
    source = SourceError("epoch", "cannot be read", "archive", "adapt the parser")
    source.__cause__ = full
    assert (own_disk_fault(source) or "").startswith(f"{temporary} (TMPDIR): its disk")
    place = StorageError("/place", "No space left on device", "Free some.")
    place.__cause__ = full
    assert own_disk_fault(place) is None
    with pytest.raises(StorageError), disk_errors(ReleaseError):
        raise place
    with pytest.raises(ReleaseError, match="its disk is full") as caught, disk_errors(ReleaseError):
        raise full
    assert own_disk_fault(caught.value) is None
    assert (exit_code(caught.value), exit_code(DiskError("x"))) == (6, 5)


def test_an_archive_that_cannot_be_written_ends_a_command_with_5(tmp_path: Path) -> None:
    if not Path("/sys/kernel").exists():
        pytest.skip("/sys refuses new files on Linux")
    done = call("observe", "epoch", "--archive=/sys/kernel/archive")
    assert done.exit_code == 5, done.output
    assert done.stderr.count("\n") <= 2
    assert "in /sys/kernel: " in done.stderr


# --- complete runs --------------------------------------------------------------------------


def replayed(folder: Path, **env: str) -> str:
    """What a replay of the sample says that ends with exit code 5."""
    where = (f"--warehouse={folder / 'w.duckdb'}", f"--publish-to={folder / 'published'}")
    done = call("replay", f"--archive={SAMPLE}", "--as-of=2026-08-15", *where, **env)
    assert done.exit_code == 5, done.output
    assert not (folder / "w.duckdb").exists()
    assert not list(folder.glob(".w.duckdb.*.build*"))
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.stderr.rstrip().endswith(line), "one line, without a traceback"
    return line


@pytest.mark.slow
@pytest.mark.parametrize("memory", ["10MB", "30MB"])
def test_a_run_with_too_little_memory_blames_no_source(tmp_path: Path, memory: str) -> None:
    line = replayed(tmp_path, OBSERVATORY_DUCKDB_MEMORY=memory)
    assert f"out of memory with OBSERVATORY_DUCKDB_MEMORY={memory}" in line
    assert not [source for source in SOURCES if source in line]


@pytest.mark.slow
def test_a_run_with_a_full_disk_for_the_history_names_it(small: Path) -> None:
    (small / "taken").write_bytes(bytes(1_000_000))
    (small.parent / "history").symlink_to(small)
    line = replayed(small.parent)
    assert f"{small.parent}/history" in line
    assert "its disk is full" in line


@pytest.mark.slow
def test_publishing_to_a_full_disk_names_it(small: Path, sampled: tuple[Path, str]) -> None:
    where = (f"--warehouse={sampled[0] / 'observatory.duckdb'}", f"--publish-to={small}")
    done = call("publish", *where, f"--archive={sampled[0] / 'archive'}")
    assert done.exit_code == 6, done.output
    assert str(small) in done.stderr
    assert "No space left on device" in done.stderr or "its disk is full" in done.stderr
    assert not (small / "latest.json").exists()
