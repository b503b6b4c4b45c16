"""A copy of the archive in storage: backup, restore, and the archive of workers without a disk.

Only sealed snapshots are copied. They never change, so a file that is already there is not
compared again. In both directions a sidecar is copied after the bytes that it lists, so an
interrupted copy never contains a sealed but incomplete snapshot. An exclusion can be undone, so it
is copied each time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from warehouse.archive.archive import Archive
from warehouse.archive.snapshot import EXCLUSION, SIDECAR, ArchiveError, read_sidecar
from warehouse.storage.protocol import Storage

PREFIX = "archive/"


@dataclass(frozen=True)
class CopyReport:
    """The snapshots that the other side lacked, and the files and bytes that were copied."""

    snapshots: tuple[str, ...]
    files: int
    bytes: int


def push(archive: Archive, storage: Storage, sources: Iterable[str] | None = None) -> CopyReport:
    """Copies the sealed snapshots of all or some sources into storage.

    Raises ArchiveError if a file does not match its sidecar: damage is not copied. Raises
    StorageError.
    """
    stored = set(storage.keys(PREFIX))
    missing = [s for s in archive.all_snapshots(sources) if _key(s.snapshot_id) not in stored]
    files = size = 0
    for snapshot in missing:
        for file in snapshot.files:
            if (key := PREFIX + file.path) not in stored:
                path = archive.verify_file(file)
                storage.put_file(key, path)
                stored.add(key)
                files, size = files + 1, size + path.stat().st_size
        storage.put_file(_key(snapshot.snapshot_id), archive.sidecar(snapshot))
    _push_exclusions(archive, storage, stored)
    return CopyReport(tuple(s.snapshot_id for s in missing), files, size)


def pull(archive: Archive, storage: Storage, sources: Iterable[str] | None = None) -> CopyReport:
    """Copies the snapshots of all or some sources that this archive lacks from storage.

    Each file is verified against its sidecar before the snapshot counts as sealed. Raises
    ArchiveError naming a file that is damaged or missing in storage, and StorageError.
    """
    keys = storage.keys(PREFIX)
    sidecars = [k for k in keys if k.endswith(f"/{SIDECAR}")]
    wanted = [k for k in sidecars if sources is None or k.split("/")[1] in set(sources)]
    missing = [k for k in wanted if not _local(archive, k).exists()]
    files = size = 0
    for key in missing:
        copied = _pull_snapshot(archive, storage, key)
        files, size = files + copied[0], size + copied[1]
    for key in keys:
        path = _local(archive, key)
        if path.name == EXCLUSION and not path.exists() and path.with_name(SIDECAR).exists():
            storage.download(key, path)
    archive.forget_index()
    ids = tuple("/".join(k.split("/")[1:3]) for k in missing)
    return CopyReport(ids, files, size)


def _pull_snapshot(archive: Archive, storage: Storage, key: str) -> tuple[int, int]:
    """Copies the files first, the sidecar last. Returns the number of files and bytes copied."""
    sidecar = _local(archive, key)
    # `read_sidecar` checks that the folder's name is that of the snapshot.
    waiting = sidecar.with_name("restored") / sidecar.parent.parent.name / sidecar.parent.name
    waiting.mkdir(parents=True, exist_ok=True)
    storage.download(key, waiting / SIDECAR)
    files = size = 0
    for file in read_sidecar(waiting / SIDECAR).files:
        path = _local(archive, file.path)
        if not archive.is_sound(file):
            path.parent.mkdir(parents=True, exist_ok=True)
            storage.download(PREFIX + file.path, path)
            files, size = files + 1, size + path.stat().st_size
            archive.verify_file(file)
    (waiting / SIDECAR).replace(sidecar)
    while waiting != sidecar.parent:
        waiting.rmdir()
        waiting = waiting.parent
    return files, size


def _push_exclusions(archive: Archive, storage: Storage, stored: set[str]) -> None:
    local = {f"{PREFIX}{name}/{EXCLUSION}": archive.root / name for name in archive.excluded()}
    for key, folder in local.items():
        storage.put_file(key, folder / EXCLUSION)
    for key in stored:
        if key.endswith(f"/{EXCLUSION}") and key not in local:
            storage.delete(key)


def _key(snapshot_id: str) -> str:
    return f"{PREFIX}{snapshot_id}/{SIDECAR}"


def _local(archive: Archive, key: str) -> Path:
    """The file of this archive that a key of the copy stands for."""
    path = (archive.root / key.removeprefix(PREFIX)).resolve()
    if not path.is_relative_to(archive.root.resolve()):
        raise ArchiveError(
            f"{key}: path escapes the archive {archive.root}; remove this object from the copy"
        )
    return path
