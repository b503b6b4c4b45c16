"""Backup and restore of the archive: complete snapshots only, every byte verified."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

from flows.cli.options import SAMPLE
from warehouse.archive import backup
from warehouse.archive.archive import Archive
from warehouse.archive.snapshot import ArchiveError
from warehouse.storage.local import LocalStorage

HUB = date(2026, 8, 15)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(Path(shutil.copytree(SAMPLE, tmp_path / "archive")))


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "copy")


def test_a_backup_is_restored_completely(
    archive: Archive, storage: LocalStorage, tmp_path: Path
) -> None:
    sent = backup.push(archive, storage)
    assert list(sent.snapshots) == [s.snapshot_id for s in archive.snapshots()]
    fresh = Archive(tmp_path / "fresh")
    got = backup.pull(fresh, storage)
    assert (got.snapshots, got.files, got.bytes) == (sent.snapshots, sent.files, sent.bytes)
    assert fresh.snapshots() == archive.snapshots()
    assert all(fresh.is_sound(f) for s in fresh.snapshots() for f in s.files)
    assert not list(fresh.root.glob("*/*/restored"))


def test_a_second_push_copies_nothing(archive: Archive, storage: LocalStorage) -> None:
    backup.push(archive, storage)
    assert backup.push(archive, storage).files == 0
    assert backup.pull(archive, storage).snapshots == ()


def test_push_and_pull_are_limited_to_the_given_sources(
    archive: Archive, storage: LocalStorage, tmp_path: Path
) -> None:
    backup.push(archive, storage, ["hub"])
    fresh = Archive(tmp_path / "fresh")
    backup.pull(fresh, storage, ["epoch"])
    assert fresh.snapshots() == []
    backup.pull(fresh, storage)
    assert {s.source for s in fresh.snapshots()} == {"hub"}


def test_damaged_files_are_not_copied(archive: Archive, storage: LocalStorage) -> None:
    snapshot = archive.snapshot("hub", HUB)
    assert snapshot
    (archive.root / snapshot.files[0].path).write_bytes(b"flipped")
    sent = backup.push(archive, storage, ["hub"])
    with pytest.raises(ArchiveError, match="damaged"):
        sent.raise_for_problems()
    assert len(sent.snapshots) == sent.found - 1
    sealed = [k for k in storage.keys("archive/") if k.endswith("snapshot.json")]
    assert f"archive/hub/{HUB}/snapshot.json" not in sealed


def test_an_interrupted_pull_resumes(
    archive: Archive, storage: LocalStorage, tmp_path: Path
) -> None:
    backup.push(archive, storage)
    fresh = Archive(tmp_path / "fresh")
    page = next(k for k in storage.keys("archive/hub/") if ".zst" in k)
    kept = storage.get_bytes(page)
    storage.put_bytes(page, b"torn")
    got = backup.pull(fresh, storage)
    assert len(got.snapshots) < got.found
    assert page in "".join(got.problems)
    assert f"hub/{page.split('/')[2]}" not in [s.snapshot_id for s in fresh.snapshots()]
    storage.put_bytes(page, kept)
    backup.pull(fresh, storage)
    assert fresh.snapshots() == archive.snapshots()


def test_exclusions_are_copied_and_undone(
    archive: Archive, storage: LocalStorage, tmp_path: Path
) -> None:
    archive.exclude("hub", HUB, "counters stalled")
    backup.push(archive, storage)
    fresh = Archive(tmp_path / "fresh")
    backup.pull(fresh, storage)
    assert list(fresh.excluded()) == [f"hub/{HUB}"]
    archive.include("hub", HUB)
    backup.push(archive, storage)
    again = Archive(tmp_path / "again")
    backup.pull(again, storage)
    assert again.excluded() == {}
    assert again.snapshots() == archive.snapshots()


def test_pull_writes_nothing_outside_the_archive(
    archive: Archive, storage: LocalStorage, tmp_path: Path
) -> None:
    backup.push(archive, storage)
    key = f"archive/hub/{HUB}/snapshot.json"
    text = storage.get_bytes(key).decode()
    path = archive.snapshot("hub", HUB).files[0].path  # type: ignore[union-attr]
    storage.put_bytes(key, text.replace(path, "../../outside.zst").encode())
    (problem,) = backup.pull(Archive(tmp_path / "fresh"), storage).problems
    assert "escapes the archive" in problem
    assert not list(tmp_path.glob("outside*"))
