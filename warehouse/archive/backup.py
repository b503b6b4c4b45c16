"""A copy of the archive in storage: backup, restore, and the archive of workers without a disk.

Only sealed snapshots are copied, and a sealed snapshot never changes, on either side. Where the two
sides differ, both stay as they are and the difference is reported. A sidecar is copied after the
bytes that it lists and after an exclusion, so an interrupted copy never contains a sealed but
incomplete snapshot. A snapshot that cannot be copied does not stop the others.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import date
from pathlib import Path

from warehouse.archive.archive import Archive
from warehouse.archive.copy_report import (
    PREFIX,
    Copying,
    CopyReport,
    check_apart,
    exclusion_key,
    sidecar_key,
)
from warehouse.archive.restore import Restore
from warehouse.archive.snapshot import (
    EXCLUSION,
    SIDECAR,
    ArchivedFile,
    ArchiveError,
    Snapshot,
    read_exclusion,
    read_moment,
    read_sidecar,
)
from warehouse.storage.files import file_sha256
from warehouse.storage.protocol import Digest, Storage


def push(
    archive: Archive,
    storage: Storage,
    sources: Iterable[str] | None = None,
    *,
    only_missing: bool = False,
) -> CopyReport:
    """Copies the sealed snapshots of all or some sources into storage.

    Damage is not copied, and snapshots that the copy has already are compared by their sidecars,
    unless `only_missing`. The report names what differs or is damaged. Raises ArchiveError if there
    is no snapshot, and StorageError.
    """
    check_apart(archive, storage)
    sources = None if sources is None else tuple(sources)
    sidecars = archive.sidecars(sources)
    if not sidecars:
        named = f" of {', '.join(sources)}" if sources else ""
        raise ArchiveError(
            f"{archive.root.absolute()} has no sealed snapshot{named}, so there is nothing to back "
            "up; check --archive and the folder in which you are"
        )
    backup = _Backup(archive, storage, set(_keys(storage, sources)), only_missing)
    for sidecar in sidecars:
        with backup.copying.reported():
            backup.push(sidecar)
    return backup.copying.report(len(sidecars))


def pull(
    archive: Archive,
    storage: Storage,
    sources: Iterable[str] | None = None,
    *,
    day: date | None = None,
    only_missing: bool = False,
) -> CopyReport:
    """Copies the snapshots of all or some sources, or of one day of them, from storage.

    Each file is verified before it gets its name, and the snapshot counts as sealed after its last
    file. Snapshots that this archive has already are compared, and their damaged files are brought
    back, unless `only_missing`. The report names what differs or is damaged. Raises StorageError.
    """
    check_apart(archive, storage)
    keys = _keys(storage, sources, day)
    restore = Restore(archive, storage, set(keys), only_missing=only_missing)
    sidecars = [k for k in keys if k.count("/") == 3 and k.endswith(f"/{SIDECAR}")]
    for key in sidecars:
        with restore.copying.reported():
            _check_day(key, storage)
            restore.pull(key)
    if not only_missing:
        restore.copying.problems += _without_sidecar(archive, storage, keys)
    archive.forget_index()
    return restore.copying.report(len(sidecars))


def _keys(storage: Storage, sources: Iterable[str] | None, day: date | None = None) -> list[str]:
    """Keys of the copy; `day` needs sources."""
    if sources is None:
        return storage.keys(PREFIX)
    return [key for source in sources for key in storage.keys(f"{PREFIX}{source}/{day or ''}")]


def _without_sidecar(archive: Archive, storage: Storage, keys: list[str]) -> list[str]:
    """Days of which the copy has bytes but no sidecar, and this archive no sidecar either."""
    names = {"/".join(key.split("/")[1:3]) for key in keys if key.count("/") >= 3}
    names -= {"/".join(key.split("/")[1:3]) for key in keys if key.endswith(f"/{SIDECAR}")}
    return [
        f"{storage.url}/{PREFIX}{name} has files but no {SIDECAR}, so it is not restored; if a "
        "backup was interrupted, run it again"
        for name in sorted(names)
        if _is_day(name) and not (archive.root / name / SIDECAR).is_file()
    ]


def _is_day(snapshot_id: str) -> bool:
    with suppress(ArchiveError):
        return bool(read_moment(snapshot_id.partition("/")[2]))
    return False


def _check_day(key: str, storage: Storage) -> None:
    try:
        read_moment(key.split("/")[2])
    except ArchiveError as error:
        raise ArchiveError(f"{storage.url}/{key}: {error}; remove it from the copy") from None


class _Backup:
    """One run of `push`."""

    def __init__(
        self, archive: Archive, storage: Storage, stored: set[str], only_missing: bool
    ) -> None:
        self._archive, self._storage, self._stored = archive, storage, stored
        self._only_missing = only_missing
        self.copying = Copying(archive.root)

    def push(self, sidecar: Path) -> None:
        """Copies one snapshot, if the copy lacks it, and its exclusion."""
        snapshot = read_sidecar(sidecar)
        key, name = sidecar_key(snapshot.snapshot_id), snapshot.snapshot_id
        if key in self._stored:
            if not self._only_missing and not self._storage.holds(key, _digest(sidecar)):
                raise ArchiveError(
                    f"{name}: {self._storage.url} has another sealed snapshot of this name; "
                    "neither is changed; back up to a place of its own"
                )
            self._push_exclusion(snapshot)
            return
        self._push_files(snapshot.files)
        self._push_exclusion(snapshot)
        self._storage.put_file(key, sidecar)
        self._stored.add(key)
        self.copying.snapshots.append(name)

    def _push_files(self, files: Iterable[ArchivedFile]) -> None:
        for file in files:
            path, key = self._archive.verify_file(file), PREFIX + file.path
            digest = Digest(path.stat().st_size, file.stored_sha256)
            if key in self._stored:
                if self._storage.holds(key, digest):
                    continue
                self._check_unsealed(key, path)
            self._storage.put_file(key, path, sha256=file.stored_sha256)
            self._stored.add(key)
            self.copying.count(digest.bytes)

    def _check_unsealed(self, key: str, path: Path) -> None:
        if sidecar_key("/".join(key.split("/")[1:3])) in self._stored:
            raise ArchiveError(
                f"{self._storage.url}/{key} has other bytes than {path} and belongs to a sealed "
                "snapshot; neither is changed; back up to a place of its own"
            )

    def _push_exclusion(self, snapshot: Snapshot) -> None:
        """The copy excludes what this archive excludes: an exclusion can be undone."""
        path = self._archive.sidecar(snapshot).with_name(EXCLUSION)
        key = exclusion_key(snapshot.snapshot_id)
        if path.exists():
            read_exclusion(path)
            if key not in self._stored or not self._storage.holds(key, _digest(path)):
                self._storage.put_file(key, path)
        elif key in self._stored:
            self._storage.delete(key)


def _digest(path: Path) -> Digest:
    return Digest(path.stat().st_size, file_sha256(path))
