"""Restore: snapshots of a copy, verified, beside those that the archive has."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from warehouse.archive.archive import Archive
from warehouse.archive.copy_report import PREFIX, Copying, exclusion_key
from warehouse.archive.draft import LOCK
from warehouse.archive.snapshot import (
    EXCLUSION,
    JOURNAL,
    REJECTION,
    SIDECAR,
    ArchivedFile,
    ArchiveError,
    Snapshot,
    parse_exclusion,
    parse_sidecar,
    read_moment,
    read_sidecar,
)
from warehouse.storage.files import PART, file_sha256, write_atomically
from warehouse.storage.protocol import MissingObjectError, Storage, StorageError, is_key

_RESERVED = {SIDECAR, EXCLUSION, JOURNAL, REJECTION}
LONGEST_NAME = 220  # of a file; a file system allows 255, and a file being written has a longer one
WAIT_SECONDS = 3  # another restore holds a folder for one snapshot, an observation for much longer
_OWN_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}  # a download writes only here


class Restore:
    """One run of `pull`. `keys`: of the copy."""

    def __init__(
        self, archive: Archive, storage: Storage, keys: set[str], *, only_missing: bool
    ) -> None:
        self._archive, self._storage, self._only_missing = archive, storage, only_missing
        self._root = Path(os.path.realpath(archive.root))
        self._sealed: dict[str, dict[str, str]] = {}
        self.keys = keys
        self.copying = Copying(archive.root)

    def pull(self, key: str) -> None:
        """Copies one snapshot, or compares it if this archive has it. Raises ArchiveError."""
        name = "/".join(key.split("/")[1:3])
        sidecar = self._root / name / SIDECAR
        known = os.path.lexists(sidecar)
        if not (known and self._only_missing):
            data = self._storage.get_bytes(key)
            snapshot = parse_sidecar(data, f"{self._storage.url}/{key}", name)
            (self._compare if known else self._restore)(sidecar, data, snapshot)
        elif not (excluded := sidecar.with_name(EXCLUSION)).exists():
            self._write_exclusion(excluded, self._exclusion(name))

    def _compare(self, sidecar: Path, data: bytes, snapshot: Snapshot) -> None:
        """Brings back damaged files of a snapshot that is the same on both sides."""
        read_sidecar(sidecar)
        if sidecar.read_bytes() != data:
            raise ArchiveError(
                f"{sidecar}: the sealed snapshot in {self._storage.url} differs; this archive's is "
                "kept; restore into an empty archive to see the other"
            )
        if damaged := self._unsound(snapshot.files):
            for file in damaged:
                self._check_free(file, is_sound=False)
            with self._locked(sidecar, damaged):
                for file in damaged:
                    self._fetch(file)
                    self.copying.repaired.append(file.path)
        self._write_exclusion(sidecar.with_name(EXCLUSION), self._exclusion(snapshot.snapshot_id))

    def _restore(self, sidecar: Path, data: bytes, snapshot: Snapshot) -> None:
        """Files first, then the exclusion, the sidecar last; nothing is kept if that fails."""
        exclusion = self._exclusion(snapshot.snapshot_id)
        digests = self._listed(snapshot)
        needed = {f.path: f for f in self._unsound(snapshot.files)}
        for file in snapshot.files:
            self._check_free(file, is_sound=file.path not in needed)
        sealed = self._sealed_digests(snapshot.source)
        with ExitStack() as stack:
            stack.enter_context(self._locked(sidecar, needed.values()))
            if _is_sealed_meanwhile(sidecar, data):
                return
            written = stack.enter_context(_undone_on_error())
            for path, file in needed.items():
                self._fetch(file)
                if path not in sealed:
                    written.append(self._root / path)
            self._write_exclusion(sidecar.with_name(EXCLUSION), exclusion)
            write_atomically(sidecar, data)
        sealed |= digests
        self.copying.snapshots.append(snapshot.snapshot_id)

    def _exclusion(self, name: str) -> bytes | None:
        """The exclusion that the copy has, checked: without it a build would use the snapshot."""
        key = exclusion_key(name)
        if key not in self.keys:
            return None
        data = self._storage.get_bytes(key)
        parse_exclusion(data, f"{self._storage.url}/{key}")
        return data

    def _write_exclusion(self, path: Path, data: bytes | None) -> None:
        if data is not None and not os.path.lexists(path):
            write_atomically(path, data)

    def _unsound(self, files: Iterable[ArchivedFile]) -> list[ArchivedFile]:
        files = tuple(files)
        with ThreadPoolExecutor() as pool:
            sound = pool.map(self._archive.is_sound, files)
            return [file for file, is_sound in zip(files, sound, strict=True) if not is_sound]

    def _listed(self, snapshot: Snapshot) -> dict[str, str]:
        """Path -> digest of the files of a sidecar from the copy. Raises ArchiveError."""
        digests: dict[str, str] = {}
        for file in snapshot.files:
            self._check_path(file.path)
            if digests.setdefault(file.path, file.stored_sha256) != file.stored_sha256:
                raise ArchiveError(
                    f"{snapshot.snapshot_id} lists {file.path} twice with different bytes; remove "
                    "its sidecar from the copy"
                )
        return digests

    def _check_path(self, path: str) -> None:
        """Raises ArchiveError unless a path is that of a received file of some snapshot."""
        parts = path.split("/")
        with suppress(ArchiveError, IndexError):
            read_moment(parts[1])
            short = max(map(len, parts)) <= LONGEST_NAME
            if is_key(PREFIX + path) and short and parts[2] not in _RESERVED:
                return
        raise ArchiveError(
            f"{path[:200]!r}: path escapes the archive {self._archive.root} or is not that of a "
            "received file; remove the sidecar that lists it from the copy"
        )

    def _check_free(self, file: ArchivedFile, *, is_sound: bool) -> None:
        """Raises ArchiveError if these bytes would replace those of a sealed snapshot."""
        path = self._root / file.path
        sealed = self._sealed_digests(file.path.split("/")[0]).get(file.path)
        if sealed is None and not is_sound and os.path.lexists(path):
            in_sealed_folder = os.path.lexists(_folder(self._root, file) / SIDECAR)
            sealed = "not listed" if in_sealed_folder else None
        if sealed not in (None, file.stored_sha256):
            raise ArchiveError(
                f"{path}: sealed here with other bytes than in {self._storage.url}; this archive's "
                "are kept, and what lists the others is not restored"
            )
        if not is_sound and os.path.realpath(path.parent) != str(path.parent):
            raise ArchiveError(f"{path}: a symbolic link is in this path; use the folder itself")

    def _sealed_digests(self, source: str) -> dict[str, str]:
        """Path -> digest of every file that this archive's snapshots of the source list."""
        if source not in self._sealed:
            found = self._sealed[source] = {}
            for sidecar in self._archive.sidecars([source]):
                with suppress(ArchiveError):  # reported when it is compared
                    found |= {f.path: f.stored_sha256 for f in read_sidecar(sidecar).files}
        return self._sealed[source]

    def _fetch(self, file: ArchivedFile) -> None:
        """One file: it gets its name once its digest is right."""
        path, key = self._root / file.path, PREFIX + file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}{PART}")
        try:
            _download(self._storage, key, part)
            if (found := file_sha256(part)) != file.stored_sha256:
                raise ArchiveError(
                    f"{self._storage.url}/{key} is damaged: its sha256 is {found[:12]}…, the "
                    f"sidecar says {file.stored_sha256[:12]}…; what lists it is not restored"
                )
            self.copying.count(part.stat().st_size)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
            _remove_empty(*path.parents)

    @contextmanager
    def _locked(self, sidecar: Path, files: Iterable[ArchivedFile]) -> Iterator[None]:
        """Locks every folder to be written, so that no observation writes there."""
        folders = sorted({sidecar.parent, *(_folder(self._root, file) for file in files)})
        with ExitStack() as stack:
            for folder in folders:
                stack.enter_context(_locked_folder(folder))
            yield


def _is_sealed_meanwhile(sidecar: Path, data: bytes) -> bool:
    """Whether another restore sealed the same snapshot before we had the lock.

    Raises ArchiveError if an observation sealed another one: it is kept.
    """
    if not os.path.lexists(sidecar):
        return False
    if sidecar.read_bytes() == data:
        return True
    raise ArchiveError(
        f"{sidecar} was sealed by an observation in the meantime and is kept; run restore again to "
        "compare it with the copy"
    )


def _folder(root: Path, file: ArchivedFile) -> Path:
    """The snapshot's folder that a file is in."""
    return root.joinpath(*file.path.split("/")[:2])


def _download(storage: Storage, key: str, path: Path) -> None:
    try:
        storage.download(key, path)
    except MissingObjectError as error:
        raise ArchiveError(
            f"{storage.url}/{key} is missing; what lists it is not restored; use another copy"
        ) from error
    except StorageError as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and cause.errno in _OWN_DISK:
            raise cause from None
        raise


@contextmanager
def _locked_folder(folder: Path) -> Iterator[None]:
    """A snapshot's folder that no observation is using, without what a killed run left."""
    is_new = not (folder / LOCK).exists()
    folder.mkdir(parents=True, exist_ok=True)
    if os.path.realpath(folder) != str(folder):
        raise ArchiveError(f"{folder}: a symbolic link is in this path; use the folder itself")
    try:
        with FileLock(folder / LOCK, timeout=WAIT_SECONDS):
            for part in folder.rglob(f".*{PART}"):
                part.unlink(missing_ok=True)
            try:
                yield
            finally:
                if is_new:
                    (folder / LOCK).unlink(missing_ok=True)
    except Timeout as error:
        raise ArchiveError(
            f"{folder} is in use by a running observation or restore; try again when that has ended"
        ) from error
    finally:
        _remove_empty(folder, folder.parent)


@contextmanager
def _undone_on_error() -> Iterator[list[Path]]:
    """Removes the files of the list if they cannot be completed; after a broken connection a
    second call continues."""
    written: list[Path] = []
    try:
        yield written
    except (ArchiveError, OSError):
        for path in written:
            path.unlink(missing_ok=True)
            _remove_empty(*path.parents)
        raise


def _remove_empty(*folders: Path) -> None:
    """Removes folders, from the innermost one, up to the first that is in use."""
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()
