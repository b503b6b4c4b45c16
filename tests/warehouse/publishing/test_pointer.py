"""Pointers, the release log, retention and comparison of releases, in a folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import duckdb
import pytest

from tests.support.releases import build_warehouse
from tests.support.s3_places import (
    add_copy_of_earlier_release,
    carry,
    copies_are,
    reader_sees,
)
from tests.warehouse.releases.test_release import stage
from warehouse.publishing import retention
from warehouse.publishing.catalog import pin, releases, resolve, unpin
from warehouse.publishing.channels import (
    latest_manifest,
    require_complete,
    set_pointer,
    sync_copies,
)
from warehouse.publishing.diff import compare
from warehouse.publishing.leases import acquire, lease_key, removal_key
from warehouse.publishing.pointer import (
    PointerConflictError,
    read_for_update,
    read_pointer,
    release_log,
)
from warehouse.publishing.release_objects import DamagedError
from warehouse.publishing.retention import clean, plan
from warehouse.publishing.upload import upload
from warehouse.publishing.verify import verify
from warehouse.releases.manifest import FileEntry, Manifest, ReleaseError
from warehouse.storage.local import LocalStorage

NOW = timedelta(0)
N = 4


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, Manifest]]:
    """Four releases that differ in one table."""
    folder = tmp_path_factory.mktemp("staged")
    made = []
    for n in range(N):
        database = build_warehouse(folder / f"{n}.duckdb", models=50 + n)
        made.append((folder / str(n), stage(database, folder / str(n))))
    return made


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "published")


@pytest.fixture
def filled(storage: LocalStorage, staged: list[tuple[Path, Manifest]], tmp_path: Path) -> list[str]:
    """Ids of the four releases, published one after the other, one hour apart."""
    for n, (folder, manifest) in enumerate(staged):
        carry(storage, folder, manifest, tmp_path / f"back{n}")
        grow_old(storage, f"releases/{manifest.release_id}/", timedelta(hours=100 - n))
    grow_old(storage, "leases/", timedelta(hours=90))
    return [manifest.release_id for _, manifest in staged]


def grow_old(storage: LocalStorage, prefix: str, age: timedelta) -> None:
    at = (datetime.now(UTC) - age).timestamp()
    for key in storage.keys(prefix):
        os.utime(storage.root / key, (at, at))


# --- compare and swap ------------------------------------------------------------------------


def test_one_of_many_swaps_from_one_version_succeeds(storage: LocalStorage) -> None:
    for number in range(20):
        found = storage.get_version("k")
        start = Barrier(8)

        def swap(n: int, found: tuple[bytes, str] | None = found, start: Barrier = start) -> bool:
            start.wait()
            return storage.swap("k", f"{number} {n}".encode(), found and found[1])  # noqa: B023

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(swap, range(8))) == 1


def test_a_swap_fails_if_the_object_was_created_or_removed(storage: LocalStorage) -> None:
    assert storage.swap("k", b"one", None)
    assert not storage.swap("k", b"two", None)
    version = storage.get_version("k")
    assert version is not None
    storage.delete("k")
    assert not storage.swap("k", b"two", version[1])
    assert storage.get_version("k") is None


def test_a_swap_that_finds_its_own_bytes_succeeds(storage: LocalStorage) -> None:
    assert storage.swap("k", b"mine", None)
    assert storage.swap("k", b"mine", None)  # the first answer was lost


# --- channels and their journal --------------------------------------------------------------


def test_the_release_log_has_every_move(storage: LocalStorage, filled: list[str]) -> None:
    set_pointer(
        storage,
        filled[1],
        expected=read_for_update(storage, "latest"),
        action="rollback",
        moved_by="ann",
    )
    set_pointer(storage, filled[0], "stable", action="promote", moved_by="bob")
    told = [
        (p.sequence, p.action, p.moved_by, p.moved_from, p.release_id)
        for p in release_log(storage, "latest")
    ]
    assert told == [
        (1, "publish", None, None, filled[0]),
        (2, "publish", None, filled[0], filled[1]),
        (3, "publish", None, filled[1], filled[2]),
        (4, "publish", None, filled[2], filled[3]),
        (5, "rollback", "ann", filled[3], filled[1]),
    ]
    (promoted,) = release_log(storage, "stable")
    assert (promoted.action, promoted.moved_by, promoted.release_id) == (
        "promote",
        "bob",
        filled[0],
    )


def test_of_two_publishers_one_succeeds_and_the_other_fails(
    storage: LocalStorage, staged: list[tuple[Path, Manifest]], filled: list[str]
) -> None:
    expected = read_for_update(storage, "latest")
    set_pointer(storage, filled[1], expected=expected, moved_by="ann")
    with pytest.raises(
        PointerConflictError,
        match=rf"moved the pointer first.*expected it to name {filled[3]}.*{filled[1]} \(by ann\)",
    ):
        set_pointer(storage, filled[0], expected=expected)
    assert reader_sees(storage) == filled[1]
    assert copies_are(storage, staged[1][1])
    assert len(release_log(storage, "latest")) == N + 1


def test_a_damaged_pointer_fails_until_a_rollback_repairs_it(
    storage: LocalStorage, filled: list[str]
) -> None:
    storage.put_bytes("latest.json", b"{")
    with pytest.raises(ReleaseError, match=r"not a valid pointer.*observatory releases rollback"):
        read_for_update(storage, "latest")
    with pytest.raises(ReleaseError, match="not a valid pointer"):
        plan(storage)  # nothing is cleaned, since the release it names is unknown
    set_pointer(
        storage,
        filled[2],
        expected=read_for_update(storage, "latest", even_damaged=True),
        action="rollback",
    )
    assert reader_sees(storage) == filled[2]
    assert [p.sequence for p in release_log(storage, "latest")] == [1, 2, 3, 4]


def test_copies_are_synced_if_the_pointer_moves_meanwhile(
    storage: LocalStorage,
    staged: list[tuple[Path, Manifest]],
    filled: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A slow publisher ends with copies of the current release, not of its own."""
    real, moved = LocalStorage.copy, []

    def slow(self: LocalStorage, source: str, key: str) -> None:
        if not moved:
            moved.append(key)
            expected = read_for_update(storage, "latest")
            assert expected.pointer is not None
            swapped = expected.pointer.model_copy(
                update={"release_id": filled[0], "manifest": f"releases/{filled[0]}/manifest.json"}
            )
            storage.swap("latest.json", swapped.model_dump_json().encode(), expected.version)
        real(self, source, key)

    monkeypatch.setattr(LocalStorage, "copy", slow)
    storage.delete("latest/core.counts.parquet")
    sync_copies(storage, "latest")
    assert moved
    assert copies_are(storage, staged[0][1])


def test_resolve_finds_releases_by_channel_or_id(storage: LocalStorage, filled: list[str]) -> None:
    assert resolve(storage, "latest") == filled[3]
    assert resolve(storage, filled[1]) == filled[1]
    for name, match in (
        ("stable", "nothing was published"),
        ("2026-01-01-000000000000", "no complete release"),
    ):
        with pytest.raises(ReleaseError, match=match):
            resolve(storage, name)


def test_the_pointer_does_not_move_to_an_incomplete_release(
    storage: LocalStorage, filled: list[str]
) -> None:
    assert require_complete(storage, filled[0]).release_id == filled[0]
    storage.delete(f"releases/{filled[0]}/core.counts.parquet")
    with pytest.raises(DamagedError, match=r"core\.counts\.parquet is missing.*1 of"):
        require_complete(storage, filled[0])


# --- nothing is sent twice -----------------------------------------------------------------------


def test_equal_tables_are_copied_within_storage(
    storage: LocalStorage, staged: list[tuple[Path, Manifest]], tmp_path: Path
) -> None:
    (first, old), (second, new) = staged[:2]
    carry(storage, first, old, tmp_path / "a")
    sent, _ = carry(storage, second, new, tmp_path / "b")
    same = {t.path for t in new.tables if t.sha256 in {u.sha256 for u in old.tables}}
    assert same
    assert set(sent.copied) >= same
    assert "core.counts.parquet" in sent.uploaded
    assert not set(sent.copied) & set(sent.uploaded)


def test_a_damaged_object_of_the_previous_release_is_not_copied(
    storage: LocalStorage, staged: list[tuple[Path, Manifest]], tmp_path: Path
) -> None:
    (first, old), (second, new) = staged[:2]
    carry(storage, first, old, tmp_path / "a")
    path = storage.root / "releases" / old.release_id / "raw.figures.parquet"
    path.write_bytes(path.read_bytes()[::-1])
    sent = upload(second, new, storage, before=old)
    assert "raw.figures.parquet" in sent.uploaded
    assert verify(storage, new.release_id).is_intact


def test_shared_objects_are_uploaded_once_and_never_replaced(
    storage: LocalStorage, staged: list[tuple[Path, Manifest]], tmp_path: Path
) -> None:
    """Objects that releases share are stored once and verified with each release."""
    (first, old), (second, new) = staged[:2]
    folders = [tmp_path / "first", tmp_path / "second"]
    entry = _shared_file(folders[0], first, b"changes of a day")
    old, new = (m.model_copy(update={"shared": (entry,)}) for m in (old, new))
    folders[1].symlink_to(second)  # where the file is not staged: it need not be
    upload(folders[0], old, storage)
    upload(folders[1], new, storage)
    assert storage.keys("history/") == [entry.path]
    assert verify(storage, new.release_id).objects == len(new.objects) + 2
    other = entry.model_copy(update={"bytes": entry.bytes + 1})
    clash = staged[2][1].model_copy(update={"shared": (other,)})
    with pytest.raises(DamagedError, match="releases share it and it never changes"):
        upload(staged[2][0], clash, storage)
    assert storage.get_bytes(entry.path) == b"changes of a day"
    storage.delete(entry.path)
    assert verify(storage, new.release_id).missing == (entry.path,)


def _shared_file(folder: Path, staged: Path, data: bytes) -> FileEntry:
    import hashlib
    import shutil

    shutil.copytree(staged, folder)
    path = folder / "history" / "hub" / "2026-08-15.parquet"
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    name = path.relative_to(folder).as_posix()
    return FileEntry(path=name, bytes=len(data), sha256=hashlib.sha256(data).hexdigest())


# --- verification and comparison ---------------------------------------------------------------


def test_verify_finds_missing_damaged_and_unknown_objects(
    storage: LocalStorage, filled: list[str]
) -> None:
    prefix = f"releases/{filled[3]}/"
    assert verify(storage, filled[3]).is_intact
    path = storage.root / prefix / "core.counts.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    storage.delete(f"{prefix}raw.figures.parquet")
    storage.put_bytes(f"{prefix}stranger", b"")
    found = verify(storage, filled[3])
    assert found.damaged == (f"{prefix}core.counts.parquet",)
    assert found.missing == (f"{prefix}raw.figures.parquet",)
    assert found.unknown == (f"{prefix}stranger",)
    data = storage.get_bytes(f"{prefix}manifest.json")
    storage.put_bytes(f"{prefix}manifest.json", data + b"\n")
    assert f"{prefix}manifest.json" in verify(storage, filled[3]).damaged


def test_compare_counts_rows_by_key(
    storage: LocalStorage, tmp_path: Path, staged: list[tuple[Path, Manifest]]
) -> None:
    database = build_warehouse(tmp_path / "new.duckdb")
    with duckdb.connect(str(database)) as con:
        con.execute("UPDATE mart.by_country SET n_models = 4 WHERE country = 'US' AND n_models = 3")
        con.execute("DELETE FROM mart.by_country WHERE country = 'CN'")
        con.execute("INSERT INTO mart.by_country VALUES ('open', 'DE', 1), (NULL, 'IT', NULL)")
    new = stage(database, tmp_path / "new")
    old_folder, old = staged[0]
    carry(storage, old_folder, old, tmp_path / "a")
    carry(storage, tmp_path / "new", new, tmp_path / "b")
    found = compare(storage, old.release_id, new.release_id)
    (table,) = found.tables
    assert (table.table, table.added, table.removed, table.changed) == ("mart.by_country", 2, 1, 1)
    assert (table.rows_before, table.rows_after, table.schema) == (4, 5, ())
    assert found.same_tables == len(old.tables) - 1
    assert compare(storage, old.release_id, old.release_id).tables == ()


# --- retention -----------------------------------------------------------------------------------


def test_clean_keeps_newest_current_promoted_and_pinned_releases(
    storage: LocalStorage, filled: list[str]
) -> None:
    assert [r.release_id for r in plan(storage, keep=1).expired] == filled[2::-1]
    set_pointer(storage, filled[0], "stable", action="promote")
    set_pointer(storage, filled[3], "stable", action="promote")  # 0 was stable once
    pin(storage, filled[1], "cited in a paper")
    grow_old(storage, "leases/", timedelta(hours=90))
    found = plan(storage, keep=1)
    assert [r.release_id for r in found.expired] == [filled[2]]
    assert found.kept == {
        filled[3]: "named by latest.json and stable.json",
        filled[1]: "pinned: cited in a paper",
        filled[0]: "was promoted",
    }
    assert [r.release_id for r in clean(storage, keep=1).expired] == [filled[2]]
    assert {r.release_id for r in releases(storage)} == set(filled) - {filled[2]}
    unpin(storage, filled[1])
    assert [r.release_id for r in plan(storage, keep=1).expired] == [filled[1]]
    with pytest.raises(ReleaseError, match="at least 1"):
        plan(storage, keep=0)


def test_clean_keeps_what_is_newer_than_the_grace_period(
    storage: LocalStorage, filled: list[str]
) -> None:
    storage.put_bytes("releases/2026-08-15-aaaaaaaaaaaa/core.counts.parquet", b"half of it")
    acquire(storage, "2026-08-15-aaaaaaaaaaaa", ["core.counts.parquet"])
    part = "latest/.core.counts.parquet.0a1b2c.part"
    (storage.root / part).write_bytes(b"half")
    found = plan(storage)
    assert (found.unfinished, found.uploads) == ((), ())
    assert found.kept["2026-08-15-aaaaaaaaaaaa"] == "newer than the grace period"
    later = datetime.now(UTC) + timedelta(hours=49)
    found = plan(storage, now=later)
    assert [r.release_id for r in found.unfinished] == ["2026-08-15-aaaaaaaaaaaa"]
    assert [u.key for u in found.uploads] == [part]
    clean(storage, grace=NOW)
    assert not storage.unfinished()
    assert not storage.keys("releases/2026-08-15-aaaaaaaaaaaa/")


def test_clean_removes_copies_of_removed_tables(
    storage: LocalStorage, staged: list[tuple[Path, Manifest]], filled: list[str]
) -> None:
    """A publisher without permission to delete leaves them."""
    add_copy_of_earlier_release(storage, staged[3][1], "mart.gone.parquet")
    assert plan(storage).copies == ()  # somebody may be about to name it
    grow_old(storage, "latest/mart.gone.parquet", timedelta(hours=50))
    assert clean(storage).copies == ("latest/mart.gone.parquet",)
    assert copies_are(storage, staged[3][1])


@pytest.mark.parametrize("who", ["publisher", "rollback"])
def test_clean_skips_a_release_in_use(
    who: str,
    storage: LocalStorage,
    staged: list[tuple[Path, Manifest]],
    filled: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A publisher uses the release between the cleaner's plan and its removal."""
    decide = retention.plan

    def then_somebody_comes(*args: object, **kwargs: object) -> retention.CleanPlan:
        decided = decide(*args, **kwargs)  # type: ignore[arg-type]
        assert filled[0] in [r.release_id for r in decided.expired]
        if who == "publisher":
            upload(*staged[0], storage)
        else:
            set_pointer(storage, filled[0], action="rollback")
        return decided

    monkeypatch.setattr(retention, "plan", then_somebody_comes)
    gone = clean(storage, keep=1)
    assert filled[0] not in [r.release_id for r in gone.expired]
    assert verify(storage, filled[0]).is_intact
    assert storage.size(removal_key(filled[0])) is None


def test_upload_fails_while_the_release_is_being_removed(
    storage: LocalStorage, staged: list[tuple[Path, Manifest]], filled: list[str]
) -> None:
    storage.put_bytes(removal_key(filled[0]), b"{}")
    for take_up in (
        lambda: upload(*staged[0], storage),
        lambda: set_pointer(storage, filled[0], action="rollback"),
    ):
        with pytest.raises(ReleaseError, match="is being removed"):
            take_up()
    assert reader_sees(storage) == filled[3]


def test_an_interrupted_clean_is_finished_by_the_next(
    storage: LocalStorage,
    staged: list[tuple[Path, Manifest]],
    filled: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, left = LocalStorage.delete, [2]

    def dying(self: LocalStorage, key: str) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        real(self, key)

    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "delete", dying)
        with pytest.raises(KeyboardInterrupt):
            clean(storage, keep=1)
    assert reader_sees(storage) == filled[3]
    assert not clean(storage, keep=2).expired[2:]  # another may still be at it
    grow_old(storage, "removals/", timedelta(hours=50))
    clean(storage, keep=1)
    assert {r.release_id for r in releases(storage)} == {filled[3]}
    assert not [k for k in storage.keys("removals/") if k != retention.CLOCK]
    assert not storage.keys("leases/") or storage.keys("leases/") == [lease_key(filled[3])]
    for folder, manifest in staged:  # everything can be published again
        upload(folder, manifest, storage)


def test_clean_is_safe_while_publishers_run(
    storage: LocalStorage, staged: list[tuple[Path, Manifest]], tmp_path: Path
) -> None:
    """Removes everything but the newest release and leases of the last seconds."""

    def publish(n: int) -> None:
        folder, manifest = staged[n % N]
        try:
            carry(storage, folder, manifest, tmp_path / f"back{n}")
        except (PointerConflictError, DamagedError, ReleaseError) as error:
            assert "moved the pointer first" in str(error) or "being removed" in str(error)

    carry(storage, *staged[0], tmp_path / "first")
    with ThreadPoolExecutor(3) as pool:
        work: list[Callable[[], object]] = []
        for n in range(24):
            work.append(lambda n=n: publish(n))
            work.append(lambda: clean(storage, keep=1, grace=timedelta(seconds=2)))
        for done in [pool.submit(do) for do in work]:
            done.result()
    manifest = latest_manifest(storage)
    assert manifest is not None
    assert reader_sees(storage) == manifest.release_id
    pointer = read_pointer(storage)
    assert pointer is not None
