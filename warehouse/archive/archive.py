"""The archive: the bytes as they were received, and a sidecar that says which bytes they are.

    <archive>/<source>/<snapshot_date>/snapshot.json      the sidecar; its presence seals a snapshot
    <archive>/<source>/<snapshot_date>T<HHMM>/            one of several observations of a day
    <archive>/<source>/<snapshot_date>/<file>[.zst]       the bytes
    <archive>/<source>/<snapshot_date>/journal.jsonl      what an unfinished observation has so far
    <archive>/<source>/<snapshot_date>/refused/<file>     damaged answers, kept aside
    <archive>/<source>/<snapshot_date>/arrival.json       why the last attempt was refused
    <archive>/<source>/<snapshot_date>/refusal.json       a person's word that no build may read it

Append-only: a sealed snapshot never changes. A file equal to one of an earlier snapshot is named
in the sidecar and not stored again. Every file is verified against its sha256 before it is read.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import zstandard

from warehouse.archive.draft import JOURNAL, REJECTION, Draft
from warehouse.archive.snapshot import (
    SIDECAR,
    ArchivedFile,
    ArchiveError,
    Exclusion,
    Snapshot,
    moment,
    read_moment,
    read_sidecar,
    safe_name,
)
from warehouse.storage.files import file_sha256, write_atomically

EXCLUSION = "refusal.json"


class Archive:
    """All snapshots below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._real_root = Path(os.path.realpath(root))
        self._by_digest: dict[str, dict[str, ArchivedFile]] = {}

    def folder(self, source: str, day: date, slot: str | None = None) -> Path:
        """Where one snapshot lies."""
        return self.root / safe_name(source) / moment(day, slot)

    def snapshot(self, source: str, day: date, slot: str | None = None) -> Snapshot | None:
        """The sealed snapshot of that day (and minute), if there is one."""
        path = self.folder(source, day, slot) / SIDECAR
        return read_sidecar(path) if path.exists() else None

    def snapshots(self, source: str | None = None, until: date | None = None) -> list[Snapshot]:
        """Sealed snapshots up to and including a day, by source and time; not the refused ones."""
        found = map(read_sidecar, self._sidecars(source or "*"))
        return [s for s in found if until is None or s.snapshot_date <= until]

    def newest(self, source: str, before: date | None = None) -> Snapshot | None:
        """The last sealed snapshot (before a day) that is not refused; reads that sidecar alone."""
        paths = self._sidecars(safe_name(source))
        if before is not None:
            paths = [p for p in paths if p.parent.name < before.isoformat()]
        return read_sidecar(paths[-1]) if paths else None

    def days(self, source: str) -> set[date]:
        """Days with a sealed snapshot that is not refused; reads no sidecar."""
        return {read_moment(p.parent.name)[0] for p in self._sidecars(safe_name(source))}

    def _sidecars(self, source: str) -> list[Path]:
        pattern = f"{source if source == '*' else safe_name(source)}/*/{SIDECAR}"
        return [p for p in sorted(self.root.glob(pattern)) if not p.with_name(EXCLUSION).exists()]

    def exclusion(self, source: str, day: date, slot: str | None = None) -> Exclusion | None:
        """Why the snapshot of that day was refused; None if it was not."""
        path = self.folder(source, day, slot) / EXCLUSION
        return Exclusion.model_validate_json(path.read_bytes()) if path.exists() else None

    def exclude(self, source: str, day: date, reason: str, slot: str | None = None) -> None:
        """Leaves a sealed snapshot out of every build from now on. Raises ArchiveError."""
        folder = self.folder(source, day, slot)
        if self.snapshot(source, day, slot) is None:
            raise ArchiveError(f"{folder} is no sealed snapshot")
        refusal = Exclusion(reason=reason, refused_at=datetime.now(UTC))
        write_atomically(folder / EXCLUSION, refusal.model_dump_json(indent=1).encode() + b"\n")
        self.forget_index()

    def include(self, source: str, day: date, slot: str | None = None) -> None:
        """Takes a refusal back. Raises ArchiveError where there is none."""
        path = self.folder(source, day, slot) / EXCLUSION
        if not path.exists():
            raise ArchiveError(f"{path.parent} was not refused")
        path.unlink()
        self.forget_index()

    def excluded(self) -> dict[str, Exclusion]:
        """Every refused snapshot, by snapshot id."""
        folders = [p.parent for p in sorted(self.root.glob(f"*/*/{EXCLUSION}"))]
        found = {
            f"{f.parent.name}/{f.name}": self.exclusion(f.parent.name, *read_moment(f.name))
            for f in folders
        }
        return {name: refusal for name, refusal in found.items() if refusal}

    def rejected_on_arrival(self) -> dict[str, Exclusion]:
        """Observations whose answer was damaged and that were not sealed since, by snapshot id."""
        found = sorted(self.root.glob(f"*/*/{REJECTION}"))
        return {
            f"{p.parent.parent.name}/{p.parent.name}": Exclusion.model_validate_json(p.read_bytes())
            for p in found
            if not p.with_name(SIDECAR).exists()
        }

    def unfinished(self) -> list[Path]:
        """Folders of observations that were begun and not sealed."""
        begun = (p.parent for p in self.root.glob(f"*/*/{JOURNAL}"))
        return sorted(folder for folder in begun if not (folder / SIDECAR).exists())

    def file_with(self, source: str, digest: str) -> ArchivedFile | None:
        """A file of this source's newest snapshot with these bytes, still sound on disk.

        The newest alone: it points into older ones itself, and a year of the Hub lists a million
        pages.
        """
        if source not in self._by_digest:
            newest = self.newest(source)
            files = newest.files if newest else ()
            self._by_digest[source] = {f.sha256: f for f in reversed(files)}
        found = self._by_digest[source].get(digest)
        return found if found and self.is_sound(found) else None

    def forget_index(self) -> None:
        """Drops the digest index, after a snapshot was added."""
        self._by_digest.clear()

    @contextmanager
    def draft(self, source: str, day: date, slot: str | None = None) -> Iterator[Draft]:
        """A draft that no other run writes at the same time; a second one waits for the first."""
        folder = self.folder(source, day, slot)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield Draft(self, source, day, slot)

    def verify_file(self, file: ArchivedFile) -> Path:
        """The file's path, once its bytes are what the sidecar says. Raises ArchiveError."""
        path = Path(os.path.realpath(self.root / file.path))
        if not path.is_relative_to(self._real_root):
            raise ArchiveError(f"{file.path} leads out of the archive {self.root}")
        if not path.is_file():
            raise ArchiveError(f"{path} is gone; restore it from a copy of the archive")
        if (found := file_sha256(path)) != file.stored_sha256:
            raise ArchiveError(
                f"{path} is damaged: sha256 {found[:12]}… where the sidecar says "
                f"{file.stored_sha256[:12]}…; restore it from a copy of the archive"
            )
        return path

    def is_sound(self, file: ArchivedFile) -> bool:
        """Whether the file's bytes are what the sidecar says."""
        try:
            self.verify_file(file)
        except ArchiveError:
            return False
        return True

    def paths(self, files: list[ArchivedFile]) -> list[str]:
        """Verified absolute paths, in the order given; hashing lets other threads go on."""
        with ThreadPoolExecutor() as pool:
            return [str(path) for path in pool.map(self.verify_file, files)]

    def read(self, file: ArchivedFile) -> bytes:
        """The bytes as received, verified."""
        data = self.verify_file(file).read_bytes()
        return zstandard.decompress(data) if file.encoding == "zstd" else data
