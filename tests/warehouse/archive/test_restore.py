"""Restore never replaces what is sealed, keeps nothing that is damaged, and names what it left."""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli.app import app
from tests.warehouse.archive.test_archive import DAY, NEXT_DAY, all_bytes, file_snapshot
from warehouse.archive import backup
from warehouse.archive.archive import Archive
from warehouse.archive.copy_report import SamePlaceError
from warehouse.archive.draft import LOCK, open_draft
from warehouse.archive.snapshot import EXCLUSION, SIDECAR, ArchiveError
from warehouse.storage.files import sha256
from warehouse.storage.local import LocalStorage

LAST = date(2026, 8, 16)
Copy = Path  # the folder `archive` of a copy


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """Three days; the second has the first one's page again, the last one is of its own."""
    archive = Archive(tmp_path / "ours")
    file_snapshot(archive, DAY, first=b"one", page=b"same")
    file_snapshot(archive, NEXT_DAY, second=b"two", page=b"same")
    file_snapshot(archive, LAST, **{"also": b"also", "pages/third": b"three"})
    return archive


@pytest.fixture
def storage(tmp_path: Path, archive: Archive) -> LocalStorage:
    storage = LocalStorage(tmp_path / "copy")
    backup.push(archive, storage)
    return storage


@pytest.fixture
def copy(storage: LocalStorage) -> Copy:
    return storage.root / "archive"


def lists_other_bytes(copy: Copy, day: date, path: str) -> None:
    """The copy's sidecar of a day lists a file with other bytes, and the copy has them."""
    sidecar = copy / "hub" / str(day) / SIDECAR
    found = json.loads(sidecar.read_text())
    for file in found["files"]:
        if file["path"] == path:
            file["stored_sha256"] = file["sha256"] = sha256(b"forged")
    sidecar.write_text(json.dumps(found))
    (copy / path).write_bytes(b"forged")


def lose(archive: Archive, day: date) -> None:
    shutil.rmtree(archive.root / "hub" / str(day))


def one_line(problems: tuple[str, ...], *words: str) -> None:
    (problem,) = problems
    assert "\n" not in problem
    assert "pydantic" not in problem
    for word in words:
        assert word in problem


# --- what is sealed stays -------------------------------------------------------------------------


def test_a_page_that_a_sealed_snapshot_lists_is_never_replaced(
    archive: Archive, storage: LocalStorage, copy: Copy
) -> None:
    lists_other_bytes(copy, NEXT_DAY, f"hub/{DAY}/page")
    lose(archive, NEXT_DAY)
    lose(archive, LAST)
    before = all_bytes(archive.root)
    got = backup.pull(archive, storage)
    one_line(got.problems, f"hub/{DAY}/page", "sealed here with other bytes")
    assert got.snapshots == (f"hub/{LAST}",)
    after = all_bytes(archive.root)
    assert {name: after[name] for name in before} == before
    assert not any(str(NEXT_DAY) in name for name in after)


def test_a_page_stays_although_the_sidecar_of_its_own_day_is_lost(
    archive: Archive, storage: LocalStorage, copy: Copy
) -> None:
    lists_other_bytes(copy, DAY, f"hub/{DAY}/page")
    (archive.root / "hub" / str(DAY) / SIDECAR).unlink()
    got = backup.pull(archive, storage)
    one_line(got.problems, "sealed here with other bytes")
    assert (archive.root / "hub" / str(DAY) / "page").read_bytes() == b"same"


@pytest.mark.parametrize("lost", [True, False])
def test_a_lost_or_damaged_page_comes_back_with_the_bytes_of_our_sidecar(
    archive: Archive, storage: LocalStorage, lost: bool
) -> None:
    page = archive.root / "hub" / str(DAY) / "page"
    page.unlink() if lost else page.write_bytes(b"flipped")
    got = backup.pull(archive, storage)
    assert (got.problems, got.repaired) == ((), (f"hub/{DAY}/page",))
    assert page.read_bytes() == b"same"


def test_a_damaged_page_does_not_come_back_with_other_bytes(
    archive: Archive, storage: LocalStorage, copy: Copy
) -> None:
    page = archive.root / "hub" / str(DAY) / "page"
    page.write_bytes(b"flipped")
    (copy / "hub" / str(DAY) / "page").write_bytes(b"flipped in the copy, too")
    got = backup.pull(archive, storage)
    assert len(got.problems) == 2  # of both days that list it
    assert page.read_bytes() == b"flipped"


def test_a_sealed_snapshot_that_differs_is_reported_in_both_directions(
    archive: Archive, storage: LocalStorage, copy: Copy
) -> None:
    path = f"hub/{LAST}/pages/third"
    lists_other_bytes(copy, LAST, path)
    before, theirs = all_bytes(archive.root), all_bytes(copy)
    one_line(backup.pull(archive, storage).problems, f"hub/{LAST}", "differs")
    one_line(backup.push(archive, storage).problems, f"hub/{LAST}", "another sealed snapshot")
    assert (all_bytes(archive.root), all_bytes(copy)) == (before, theirs)


def test_a_backup_does_not_seal_over_the_bytes_of_another_archive(
    archive: Archive, storage: LocalStorage, copy: Copy
) -> None:
    (copy / "hub" / str(NEXT_DAY) / SIDECAR).unlink()
    (copy / "hub" / str(NEXT_DAY) / "second").write_bytes(b"of an interrupted backup")
    (copy / "hub" / str(DAY) / "page").write_bytes(b"flipped")
    sent = backup.push(archive, storage)
    one_line(sent.problems, f"hub/{DAY}/page", "other bytes")
    assert not (copy / "hub" / str(NEXT_DAY) / SIDECAR).exists()
    assert (copy / "hub" / str(NEXT_DAY) / "second").read_bytes() == b"two"


def test_a_file_beside_those_of_a_sealed_snapshot_stays(
    archive: Archive, storage: LocalStorage, copy: Copy
) -> None:
    quarantined = archive.root / "hub" / str(DAY) / "refused" / "evidence"
    quarantined.parent.mkdir()
    quarantined.write_bytes(b"evidence")
    lose(archive, LAST)
    sidecar = copy / "hub" / str(LAST) / SIDECAR
    path = quarantined.relative_to(archive.root).as_posix()
    sidecar.write_text(sidecar.read_text().replace(f"hub/{LAST}/pages/third", path))
    shutil.copytree(quarantined.parent, copy / "hub" / str(DAY) / "refused")
    (copy / path).write_bytes(b"three")
    one_line(backup.pull(archive, storage).problems, "evidence")
    assert quarantined.read_bytes() == b"evidence"


# --- damaged copies -------------------------------------------------------------------------------


def a_folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir(parents=True)


DAMAGES: dict[str, Callable[[Copy], object]] = {
    "page": lambda copy: (copy / f"hub/{LAST}/pages/third").write_bytes(b"torn"),
    "page is missing": lambda copy: (copy / f"hub/{LAST}/pages/third").unlink(),
    "sidecar is empty": lambda copy: (copy / f"hub/{LAST}/{SIDECAR}").write_bytes(b""),
    "sidecar is not UTF-8": lambda copy: (copy / f"hub/{LAST}/{SIDECAR}").write_bytes(b'{"\xff'),
    "sidecar is a list": lambda copy: (copy / f"hub/{LAST}/{SIDECAR}").write_bytes(b"[[]]"),
    "sidecar is a folder": lambda copy: a_folder(copy / f"hub/{LAST}/{SIDECAR}"),
    "sidecar is missing": lambda copy: (copy / f"hub/{LAST}/{SIDECAR}").unlink(),
    "exclusion is empty": lambda copy: (copy / f"hub/{LAST}/{EXCLUSION}").write_bytes(b""),
    "exclusion": lambda copy: (copy / f"hub/{LAST}/{EXCLUSION}").write_bytes(b'{"a": 1}'),
    "folder is renamed": lambda copy: (copy / f"hub/{LAST}").rename(copy / "hub/2026-13-45"),
    "folder is no day": lambda copy: (copy / f"hub/{LAST}").rename(copy / "hub/notes"),
    "another day": lambda copy: (copy / f"hub/{LAST}").rename(copy / "hub/20260816"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_named_and_nothing_of_it_is_kept(
    damage: str, storage: LocalStorage, copy: Copy, tmp_path: Path
) -> None:
    DAMAGES[damage](copy)
    fresh = Archive(tmp_path / "fresh")
    got = backup.pull(fresh, storage)
    one_line(got.problems, str(copy))
    assert got.snapshots == (f"hub/{DAY}", f"hub/{NEXT_DAY}")
    assert not (fresh.root / "hub" / str(LAST)).exists()
    assert {p.name for p in fresh.root.glob("hub/*")} == {str(DAY), str(NEXT_DAY)}


@pytest.mark.parametrize(
    "path",
    [
        "../../outside",
        "/etc/outside",
        "hub/../../outside",
        f"hub/{DAY}/{SIDECAR}",
        f"hub/{DAY}/{EXCLUSION}",
        f"hub/{DAY}",
        "hub/notes/page",
        "hub",
        "",
        "a\\u0000b",
        f"hub/{DAY}/{'x' * 300}",
    ],
)
def test_a_sidecar_cannot_name_what_is_no_received_file(
    path: str, storage: LocalStorage, copy: Copy, tmp_path: Path
) -> None:
    sidecar = copy / "hub" / str(LAST) / SIDECAR
    sidecar.write_text(sidecar.read_text().replace(f"hub/{LAST}/pages/third", path))
    fresh = Archive(tmp_path / "fresh")
    got = backup.pull(fresh, storage)
    one_line(got.problems, "escapes the archive")
    assert len(got.snapshots) == 2
    assert not list(tmp_path.glob("**/outside"))
    assert Archive(fresh.root).excluded() == {}


def test_symbolic_links_lead_nowhere_else(
    archive: Archive, storage: LocalStorage, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    shutil.move(archive.root / "hub" / str(LAST), outside)
    (outside / SIDECAR).unlink()
    (archive.root / "hub" / str(LAST)).symlink_to(outside)
    (outside / "pages" / "third").write_bytes(b"mine")
    one_line(backup.pull(archive, storage).problems, "symbolic link")
    assert (outside / "pages" / "third").read_bytes() == b"mine"
    assert not (outside / SIDECAR).exists()


def test_an_excluded_snapshot_comes_back_excluded(
    archive: Archive, storage: LocalStorage, copy: Copy, tmp_path: Path
) -> None:
    archive.exclude("hub", LAST, "counters stalled")
    backup.push(archive, storage)
    fresh = Archive(tmp_path / "fresh")
    backup.pull(fresh, storage, only_missing=True)
    assert list(fresh.excluded()) == [f"hub/{LAST}"]
    lose(archive, LAST)
    backup.push(archive, storage)
    assert (copy / "hub" / str(LAST) / EXCLUSION).exists()  # of a snapshot that we do not have


def test_a_folder_in_use_is_left_alone(
    archive: Archive, storage: LocalStorage, tmp_path: Path
) -> None:
    fresh, done = Archive(tmp_path / "fresh"), threading.Event()

    def restore() -> None:
        one_line(backup.pull(fresh, storage).problems, "in use by a running observation or restore")
        done.set()

    with open_draft(fresh, "hub", LAST):
        thread = threading.Thread(target=restore)
        thread.start()
        thread.join()
    assert done.is_set()
    assert backup.pull(fresh, storage).snapshots == (f"hub/{LAST}",)


def received_bytes(archive: Archive) -> dict[str, bytes]:
    return {name: b for name, b in all_bytes(archive.root).items() if not name.endswith(LOCK)}


class SlowCopy(LocalStorage):
    """A copy during whose download another process works on the archive."""

    meanwhile: Callable[[], object] | None = None

    def get_bytes(self, key: str) -> bytes:
        data = super().get_bytes(key)
        if self.meanwhile and key.endswith(f"hub/{LAST}/{SIDECAR}"):
            act, self.meanwhile = self.meanwhile, None
            act()
        return data


def test_a_snapshot_that_is_observed_during_its_restore_stays(
    storage: LocalStorage, tmp_path: Path
) -> None:
    fresh, slow = Archive(tmp_path / "fresh"), SlowCopy(storage.root)
    slow.meanwhile = lambda: file_snapshot(fresh, LAST, page=b"observed just now")
    one_line(backup.pull(fresh, slow).problems, "was sealed by an observation in the meantime")
    kept = fresh.snapshot("hub", LAST)
    assert kept is not None
    assert [file.name for file in kept.files] == ["page"]
    assert all(fresh.is_sound(file) for file in kept.files)


def test_two_restores_at_once_both_succeed(
    archive: Archive, storage: LocalStorage, tmp_path: Path
) -> None:
    fresh, slow = Archive(tmp_path / "fresh"), SlowCopy(storage.root)
    slow.meanwhile = lambda: backup.pull(Archive(fresh.root), storage)
    report = backup.pull(fresh, slow)
    assert (report.problems, f"hub/{LAST}" in report.snapshots) == ((), False)
    assert received_bytes(fresh) == received_bytes(archive)


@pytest.mark.skipif(sys.platform == "win32", reason="has no limit on the size of files")
def test_a_full_disk_is_named_and_nothing_half_is_kept(tmp_path: Path) -> None:
    import resource

    big = Archive(tmp_path / "big")
    file_snapshot(big, DAY, page=b"small")
    file_snapshot(big, NEXT_DAY, page=os.urandom(200_000))
    storage, fresh = LocalStorage(tmp_path / "copy"), Archive(tmp_path / "fresh")
    backup.push(big, storage)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(ArchiveError, match=r"fresh.* free space"):
            backup.pull(fresh, storage)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {p.name for p in fresh.root.glob("hub/*")} == {str(DAY)}
    assert backup.pull(fresh, storage).snapshots == (f"hub/{NEXT_DAY}",)


def test_a_restored_archive_has_the_same_files_as_the_origin(
    archive: Archive, storage: LocalStorage, tmp_path: Path
) -> None:
    fresh = Archive(tmp_path / "fresh")
    backup.pull(fresh, storage)
    ours = {n: b for n, b in all_bytes(archive.root).items() if not n.endswith(".lock")}
    assert all_bytes(fresh.root) == ours


# --- success only for something done --------------------------------------------------------------


@pytest.mark.parametrize("place", ["ours/..", "ours", "ours/hub", "link"])
def test_a_copy_and_its_archive_are_apart(place: str, archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "archive").symlink_to(archive.root)
    nested = archive if place != "ours/.." else Archive(archive.root.rename(tmp_path / "archive"))
    before = all_bytes(nested.root)
    for copying in (backup.push, backup.pull):
        with pytest.raises(SamePlaceError, match="overlap"):
            copying(nested, LocalStorage(tmp_path / place))
    assert all_bytes(nested.root) == before


def call(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, arguments)
    assert "Traceback" not in done.output
    return done.exit_code, done.stderr.strip().splitlines()[-1]


def test_exit_codes(archive: Archive, storage: LocalStorage, copy: Copy, tmp_path: Path) -> None:
    ours, url = f"--archive={archive.root}", str(storage.root)
    assert call("restore", url, ours)[0] == 0
    assert call("backup", url, ours)[0] == 0
    assert call("backup", url, f"--archive={tmp_path / 'none'}")[0] == 5
    assert call("backup", url, ours, "--sources=epoch")[0] == 5
    assert call("restore", str(tmp_path / "none"), ours)[0] == 6
    assert call("restore", url, ours, "--sources=epoch")[0] == 6
    assert call("backup", str(archive.root), ours)[0] == 2
    lists_other_bytes(copy, LAST, f"hub/{LAST}/pages/third")
    code, line = call("restore", url, ours)
    assert code == 5
    assert "differs" in line


# --- damage in the archive itself -----------------------------------------------------------------


def damaged(name: str, data: bytes | None) -> Callable[[Path], object]:
    def damage(root: Path) -> None:
        path = root / "hub" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data) if data is not None else a_folder(path)

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        damaged(f"{LAST}/{SIDECAR}", b""),
        damaged(f"{LAST}/{SIDECAR}", b"\xff\xfe"),
        damaged(f"{LAST}/{SIDECAR}", None),
        damaged(f"{LAST}/{EXCLUSION}", b""),
        damaged(f"{LAST}/{EXCLUSION}", b'{"reason": 1}'),
        damaged(f"{LAST}/{EXCLUSION}", None),
        damaged(f"notes/{SIDECAR}", b"{}"),
        damaged(f"2026-13-45/{EXCLUSION}", b"{}"),
    ],
)
def test_damage_in_the_archive_is_one_line_and_stops_no_copy(
    damage: Callable[[Path], object], archive: Archive, tmp_path: Path
) -> None:
    damage(archive.root)
    places = [f"--archive={archive.root}", f"--warehouse={tmp_path / 'wh.duckdb'}"]
    code, line = call("status", *places, f"--publish-to={tmp_path}")
    assert code == 5, line
    assert str(archive.root) in line
    code, line = call("replay", *places, "--sources=hub", f"--publish-to={tmp_path}")
    assert code == 5, line
    assert str(archive.root) in line


def test_a_damaged_snapshot_does_not_stop_the_backup_of_the_others(
    archive: Archive, tmp_path: Path
) -> None:
    (archive.root / "hub" / str(DAY) / "first").write_bytes(b"flipped")
    (archive.root / "hub" / str(NEXT_DAY) / EXCLUSION).write_bytes(b"")
    sent = backup.push(archive, LocalStorage(tmp_path / "copy"))
    assert sent.snapshots == (f"hub/{LAST}",)
    assert len(sent.problems) == 2
    with pytest.raises(ArchiveError, match="not a valid exclusion"):
        sent.raise_for_problems()
