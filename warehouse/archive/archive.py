"""The archive: the bytes as they were received, and sidecars that record which bytes they are.

    <archive>/<source>/<snapshot_date>/snapshot.json      the sidecar; its presence seals a snapshot
    <archive>/<source>/<snapshot_date>T<HHMM>/            one of several observations of a day
    <archive>/<source>/<snapshot_date>/<file>[.zst]       the bytes
    <archive>/<source>/<snapshot_date>/journal.jsonl      files of an unfinished observation
    <archive>/<source>/<snapshot_date>/refused/<file>     damaged responses, quarantined
    <archive>/<source>/<snapshot_date>/arrival.json       why the last response was rejected
    <archive>/<source>/<snapshot_date>/refusal.json       why a person excluded the snapshot

Append-only: a sealed snapshot never changes. A file that equals one of an earlier snapshot is
listed in the sidecar and not stored again. Every file is checked against its sha256 before it is
read.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import zstandard

from warehouse.archive.snapshot import (
    EXCLUSION,
    JOURNAL,
    REJECTION,
    SIDECAR,
    ArchivedFile,
    ArchiveError,
    Exclusion,
    Snapshot,
    moment,
    read_exclusion,
    read_moment,
    read_sidecar,
    safe_name,
    write_exclusion,
)
from warehouse.storage.files import file_sha256


class Archive:
    """All snapshots below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._real_root = Path(os.path.realpath(root))
        self._by_digest: dict[str, dict[str, ArchivedFile]] = {}

    def folder(self, source: str, day: date, slot: str | None = None) -> Path:
        """The folder of one snapshot."""
        return self.root / safe_name(source) / moment(day, slot)

    def sidecar(self, snapshot: Snapshot) -> Path:
        """The sidecar file of a sealed snapshot."""
        return self.root / snapshot.snapshot_id / SIDECAR

    def snapshot(self, source: str, day: date, slot: str | None = None) -> Snapshot | None:
        """The sealed snapshot of that day (and minute), if there is one."""
        path = self.folder(source, day, slot) / SIDECAR
        return read_sidecar(path) if path.exists() else None

    def snapshots(self, source: str | None = None, until: date | None = None) -> list[Snapshot]:
        """Sealed snapshots up to and including a day, by source and time, without excluded ones."""
        found = map(read_sidecar, self._sidecars(source or "*"))
        return [s for s in found if until is None or s.snapshot_date <= until]

    def sidecars(self, sources: Iterable[str] | None = None) -> list[Path]:
        """The sidecars of all or some sources, unread; those of excluded snapshots too."""
        chosen = None if sources is None else set(sources)
        paths = sorted(self.root.glob(f"*/*/{SIDECAR}"))
        return [p for p in paths if chosen is None or p.parent.parent.name in chosen]

    def newest(self, source: str, before: date | None = None) -> Snapshot | None:
        """The last sealed snapshot (before a day) that is not excluded; reads only its sidecar."""
        paths = self._sidecars(safe_name(source))
        if before is not None:
            paths = [p for p in paths if p.parent.name < before.isoformat()]
        return read_sidecar(paths[-1]) if paths else None

    def days(self, source: str) -> set[date]:
        """Days with a sealed snapshot that is not excluded; reads no sidecar."""
        return {read_moment(p.parent.name)[0] for p in self._sidecars(safe_name(source))}

    def _sidecars(self, source: str) -> list[Path]:
        found = self._recorded(SIDECAR, source if source == "*" else safe_name(source))
        return [p for p in found if not p.with_name(EXCLUSION).exists()]

    def exclusion(self, source: str, day: date, slot: str | None = None) -> Exclusion | None:
        """Why the snapshot of that day was excluded; None if it was not."""
        path = self.folder(source, day, slot) / EXCLUSION
        return read_exclusion(path) if path.exists() else None

    def exclude(self, source: str, day: date, reason: str, slot: str | None = None) -> None:
        """Excludes a sealed snapshot from all future builds. Raises ArchiveError."""
        if self.snapshot(source, day, slot) is None:
            raise ArchiveError(
                f"{source}/{moment(day, slot)}: no such snapshot in {self.root}; "
                "`observatory status` lists the snapshots"
            )
        write_exclusion(self.folder(source, day, slot) / EXCLUSION, reason)
        self.forget_index()

    def include(self, source: str, day: date, slot: str | None = None) -> None:
        """Undoes an exclusion. Raises ArchiveError if the snapshot is not excluded."""
        path = self.folder(source, day, slot) / EXCLUSION
        if not path.exists():
            raise ArchiveError(f"{source}/{moment(day, slot)} in {self.root} is not excluded")
        path.unlink()
        self.forget_index()

    def excluded(self) -> dict[str, Exclusion]:
        """Every excluded snapshot, by snapshot id."""
        return self._reasons(EXCLUSION)

    def rejected_on_arrival(self) -> dict[str, Exclusion]:
        """Observations with a damaged response that were not sealed since, by snapshot id."""
        found = self._reasons(REJECTION)
        return {
            name: why for name, why in found.items() if not (self.root / name / SIDECAR).exists()
        }

    def require_readable_reasons(self) -> None:
        """Raises ArchiveError if an exclusion or a rejection is damaged, before any work."""
        self.excluded()
        self.rejected_on_arrival()

    def _reasons(self, file: str) -> dict[str, Exclusion]:
        paths = self._recorded(file)
        return {p.parent.relative_to(self.root).as_posix(): read_exclusion(p) for p in paths}

    def _recorded(self, file: str, source: str = "*") -> list[Path]:
        """The files of this name. Raises ArchiveError for one in a folder that is no day."""
        paths = sorted(self.root.glob(f"{source}/*/{file}"))
        for path in paths:
            try:
                read_moment(path.parent.name)
            except ArchiveError as error:
                raise ArchiveError(f"{path.parent}: {error}; move it out of the archive") from None
        return paths

    def unfinished(self) -> list[Path]:
        """Folders of observations that were started and not sealed."""
        begun = (p.parent for p in self.root.glob(f"*/*/{JOURNAL}"))
        return sorted(folder for folder in begun if not (folder / SIDECAR).exists())

    def file_with(self, source: str, digest: str) -> ArchivedFile | None:
        """A file of this source's newest snapshot with these bytes, still sound on disk.

        Only the newest snapshot is searched: it points into older ones itself, and a year of the
        Hub has a million pages.
        """
        if source not in self._by_digest:
            newest = self.newest(source)
            files = newest.files if newest else ()
            self._by_digest[source] = {f.sha256: f for f in reversed(files)}
        found = self._by_digest[source].get(digest)
        return found if found and self.is_sound(found) else None

    def forget_index(self) -> None:
        """Drops the digest index after the set of snapshots changed."""
        self._by_digest.clear()

    def verify_file(self, file: ArchivedFile) -> Path:
        """The file's path, once its bytes match the sidecar. Raises ArchiveError."""
        path = Path(os.path.realpath(self.root / file.path))
        if not path.is_relative_to(self._real_root):
            raise ArchiveError(
                f"{file.path}: path escapes the archive {self.root}; restore the sidecar that "
                "lists it from a copy of the archive"
            )
        if not path.is_file():
            raise ArchiveError(f"{path} is missing; restore it from a copy of the archive")
        if (found := file_sha256(path)) != file.stored_sha256:
            raise ArchiveError(
                f"{path} is damaged: its sha256 is {found[:12]}…, the sidecar says "
                f"{file.stored_sha256[:12]}…; restore it from a copy of the archive"
            )
        return path

    def is_sound(self, file: ArchivedFile) -> bool:
        """Whether the file's bytes match the sidecar."""
        try:
            self.verify_file(file)
        except ArchiveError:
            return False
        return True

    def paths(self, files: list[ArchivedFile]) -> list[str]:
        """Verified absolute paths, in the given order; files are hashed in parallel."""
        with ThreadPoolExecutor() as pool:
            return [str(path) for path in pool.map(self.verify_file, files)]

    def read(self, file: ArchivedFile) -> bytes:
        """The bytes as received, verified."""
        data = self.verify_file(file).read_bytes()
        return zstandard.decompress(data) if file.encoding == "zstd" else data
