"""A copy of the archive in storage: back-up, restore, and the disk of workers that have none.

Only sealed snapshots are copied. They never change, so that a file which is there needs no second
look; a sidecar follows the bytes that it names, in both directions, so that a copy that was broken
off holds no snapshot that is sealed and not whole. A refusal is a person's word and may change: it
is copied each time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from warehouse.archive.archive import EXCLUSION, Archive
from warehouse.archive.snapshot import SIDECAR, ArchiveError, Snapshot, read_sidecar
from warehouse.storage.protocol import Storage

PREFIX = "archive/"


@dataclass(frozen=True)
class CopyReport:
    """What a copy did: snapshots that the other side lacked, and bytes that went over."""

    snapshots: tuple[str, ...]
    files: int
    bytes: int


def push(archive: Archive, storage: Storage, sources: Iterable[str] | None = None) -> CopyReport:
    """Copies sealed snapshots into storage, all of them or those of some sources.

    Raises ArchiveError where a file is not as its sidecar says: damage is not copied. StorageError.
    """
    there = set(storage.keys(PREFIX))
    lacking = [s for s in _sealed(archive, sources) if _key(_sidecar(archive, s)) not in there]
    files = size = 0
    for snapshot in lacking:
        for file in snapshot.files:
            if (key := PREFIX + file.path) not in there:
                path = archive.verify_file(file)
                storage.put_file(key, path)
                there.add(key)
                files, size = files + 1, size + path.stat().st_size
        path = _sidecar(archive, snapshot)
        storage.put_file(_key(path), path)
    _push_refusals(archive, storage, there)
    return CopyReport(tuple(s.snapshot_id for s in lacking), files, size)


def pull(archive: Archive, storage: Storage, sources: Iterable[str] | None = None) -> CopyReport:
    """Brings the snapshots that storage holds and this archive lacks; all, or of some sources.

    Every file is verified against its sidecar before the snapshot counts. Raises ArchiveError
    naming what is damaged or gone in storage; StorageError.
    """
    keys = [k for k in storage.keys(PREFIX) if k.endswith(f"/{SIDECAR}")]
    wanted = [k for k in keys if sources is None or k.split("/")[1] in set(sources)]
    lacking = [k for k in wanted if not _local(archive, k).exists()]
    files = size = 0
    for key in lacking:
        got = _pull_snapshot(archive, storage, key)
        files, size = files + got[0], size + got[1]
    _pull_refusals(archive, storage)
    archive.forget_index()
    ids = tuple("/".join(k.split("/")[1:3]) for k in lacking)
    return CopyReport(ids, files, size)


def _pull_snapshot(archive: Archive, storage: Storage, key: str) -> tuple[int, int]:
    """Files first, the sidecar last. Returns files and bytes that came over."""
    sidecar = _local(archive, key)
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
    _remove_empty(waiting, sidecar.parent)
    return files, size


def _remove_empty(folder: Path, until: Path) -> None:
    while folder != until:
        folder.rmdir()
        folder = folder.parent


def _sealed(archive: Archive, sources: Iterable[str] | None) -> list[Snapshot]:
    """Every sealed snapshot, also the refused ones: a back-up forgets nothing."""
    chosen = None if sources is None else set(sources)
    found = (read_sidecar(p) for p in sorted(archive.root.glob(f"*/*/{SIDECAR}")))
    return [s for s in found if chosen is None or s.source in chosen]


def _push_refusals(archive: Archive, storage: Storage, there: set[str]) -> None:
    here = {PREFIX + p.relative_to(archive.root).as_posix(): p for p in _refusals(archive)}
    for key, path in here.items():
        storage.put_file(key, path)
    for key in there:
        if key.endswith(f"/{EXCLUSION}") and key not in here:
            storage.delete(key)


def _pull_refusals(archive: Archive, storage: Storage) -> None:
    for key in storage.keys(PREFIX):
        path = _local(archive, key)
        if path.name == EXCLUSION and not path.exists() and path.with_name(SIDECAR).exists():
            storage.download(key, path)


def _refusals(archive: Archive) -> list[Path]:
    return sorted(archive.root.glob(f"*/*/{EXCLUSION}"))


def _sidecar(archive: Archive, snapshot: Snapshot) -> Path:
    return archive.folder(snapshot.source, snapshot.snapshot_date, snapshot.slot) / SIDECAR


def _key(sidecar: Path) -> str:
    return PREFIX + "/".join(sidecar.parts[-3:])


def _local(archive: Archive, key: str) -> Path:
    """Where an object of the copy lies in this archive; its key was made by `push`."""
    path = (archive.root / key.removeprefix(PREFIX)).resolve()
    if not path.is_relative_to(archive.root.resolve()):
        raise ArchiveError(f"{key} leads out of the archive {archive.root}")
    return path
