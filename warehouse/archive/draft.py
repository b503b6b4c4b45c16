"""A snapshot while it is being observed. Files that it received survive a crash."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import zstandard
from filelock import FileLock
from pydantic import ValidationError

from warehouse.archive.archive import Archive
from warehouse.archive.snapshot import (
    JOURNAL,
    REJECTION,
    SIDECAR,
    ArchivedFile,
    ArchiveError,
    Snapshot,
    safe_name,
    write_exclusion,
)
from warehouse.storage.files import sha256, sync_file, write_atomically
from warehouse.storage.redact import redact

LOCK = ".lock"
ZSTD_LEVEL = 3


@contextmanager
def open_draft(
    archive: Archive, source: str, day: date, slot: str | None = None
) -> Iterator[Draft]:
    """The draft of a snapshot, locked: a second run that opens it waits for the first."""
    folder = archive.folder(source, day, slot)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / LOCK):
        yield Draft(archive, source, day, slot)


class Draft:
    """A snapshot being observed. Files that survived a crash are not fetched again."""

    def __init__(self, archive: Archive, source: str, day: date, slot: str | None = None) -> None:
        self.source, self.day, self.slot, self._archive = source, day, slot, archive
        self.folder = archive.folder(source, day, slot)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.files: list[ArchivedFile] = self._resume()
        self._names = {file.name for file in self.files}
        self.notes: list[str] = []
        self.tops: dict[str, int] | None = None  # see Snapshot
        self.is_complete = True  # a source that cannot be sure sets it to False
        self.has_quarantined = False  # whether a response of this attempt was damaged

    def _resume(self) -> list[ArchivedFile]:
        """The stored files, up to the first that does not match its journal line."""
        stored: list[ArchivedFile] = []
        journal = self.folder / JOURNAL
        lines = journal.read_bytes().splitlines(keepends=True) if journal.exists() else []
        if lines:
            self._remove_partial_files()
        for line in lines:
            try:
                entry = ArchivedFile.model_validate_json(line)
                self._archive.verify_file(entry)
            except (ValidationError, ArchiveError):
                break  # a line cut off by a crash, or bytes that never became durable
            stored.append(entry)
        if lines and (len(stored) < len(lines) or not lines[-1].endswith(b"\n")):
            # New lines must not be appended to a cut line, nor the rest return after another crash.
            write_atomically(journal, b"".join(_line(entry) for entry in stored))
        return stored

    def _remove_partial_files(self) -> None:
        """Removes what a killed run was writing; nothing refers to it."""
        for part in self.folder.rglob(".*.part"):
            part.unlink(missing_ok=True)

    def add_file(
        self,
        name: str,
        data: bytes,
        *,
        url: str,
        status: int | None = None,
        etag: str | None = None,
        rows_seen: int | None = None,
        rows_repeated: int | None = None,
        next_url: str | None = None,
        retrieved_at: datetime | None = None,
        compress: bool = False,
    ) -> ArchivedFile:
        """Stores one received file, or refers to the same bytes of an earlier snapshot.

        Raises ArchiveError if the name is unsafe or taken, or the snapshot is sealed.
        """
        self._check_free(name)
        digest = sha256(data)
        earlier = self._archive.file_with(self.source, digest)
        seen: dict[str, Any] = {
            "name": name,
            "url": redact(url),
            "http_status": status,
            "http_etag": etag,
            "retrieved_at": retrieved_at or datetime.now(UTC),
            "rows_seen": rows_seen,
            "rows_repeated": rows_repeated,
            "next_url": next_url and redact(next_url),
        }
        if earlier:
            return self._append(earlier.model_copy(update=seen))
        stored = self._store(name, data, compress)
        return self._append(ArchivedFile(sha256=digest, **stored, **seen))

    def _store(self, name: str, data: bytes, compress: bool) -> dict[str, Any]:
        """Writes the bytes; returns the fields of ArchivedFile that describe where and how."""
        path = self.folder / (name + (".zst" if compress else ""))
        stored = zstandard.compress(data, ZSTD_LEVEL) if compress else data
        # One fsync per page, for its journal line: resuming detects bytes lost in a power cut, and
        # `seal` makes all of them durable before the sidecar lists them.
        write_atomically(path, stored, durable=False)
        return {
            "path": path.relative_to(self._archive.root).as_posix(),
            "bytes": len(data),
            "encoding": "zstd" if compress else "identity",
            "stored_sha256": sha256(stored),
        }

    def reuse(self, earlier: ArchivedFile, *, name: str, url: str) -> ArchivedFile:
        """Adds an unchanged file of an earlier snapshot to this one, under a new name."""
        self._check_free(name)
        seen = {"name": name, "url": redact(url), "retrieved_at": datetime.now(UTC)}
        return self._append(earlier.model_copy(update=seen))

    def _check_free(self, name: str) -> None:
        self._check_not_sealed()
        if safe_name(name) in (SIDECAR, JOURNAL) or name in self._names:
            raise ArchiveError(f"{self.folder / name} is taken; a stored file is never overwritten")

    def _check_not_sealed(self) -> None:
        if (self.folder / SIDECAR).exists():
            raise ArchiveError(f"{self.folder} is sealed; a sealed snapshot never changes")

    def _append(self, entry: ArchivedFile) -> ArchivedFile:
        """Adds a file to the journal."""
        self._check_not_sealed()
        with (self.folder / JOURNAL).open("wb" if not self.files else "ab") as log:
            log.write(_line(entry))
            log.flush()
            os.fsync(log.fileno())
        self.files.append(entry)
        self._names.add(entry.name)
        return entry

    def quarantine(self, name: str, data: bytes) -> Path:
        """Stores a damaged response for inspection; builds do not read it."""
        path = self.folder / "refused" / f"{sha256(data)[:12]}-{safe_name(name).replace('/', '-')}"
        write_atomically(path, data)
        self.has_quarantined = True
        return path

    def record_rejection(self, reason: str) -> None:
        """Records why a response of this attempt was rejected, for builds that run without it."""
        if self.has_quarantined:
            write_exclusion(self.folder / REJECTION, redact(reason))

    def reset(self) -> None:
        """Forgets the stored files, for example if a stored cursor no longer works."""
        self.files.clear()
        self._names.clear()
        (self.folder / JOURNAL).unlink(missing_ok=True)

    def seal(self, **terms: object) -> Snapshot:
        """Writes the sidecar: from here on the snapshot is complete and never changes."""
        self._check_not_sealed()
        snapshot = Snapshot(
            source=self.source,
            snapshot_date=self.day,
            slot=self.slot,
            retrieved_at=max(f.retrieved_at for f in self.files),
            is_complete=self.is_complete,
            notes=tuple(map(redact, self.notes)),
            tops=self.tops,
            files=tuple(f.model_copy(update={"next_url": None}) for f in self.files),
            **terms,
        )
        fields = ("slot", "tops", "complete_from")
        unset = {name for name in fields if getattr(snapshot, name) is None}
        document = snapshot.model_dump(mode="json", exclude=unset)
        for file in document["files"]:  # hardly any file has it
            if file["rows_repeated"] is None:
                del file["rows_repeated"]
        text = json.dumps(document, indent=1, ensure_ascii=False)
        self._make_durable()
        write_atomically(self.folder / SIDECAR, text.encode() + b"\n")
        (self.folder / JOURNAL).unlink(missing_ok=True)
        self._archive.forget_index()
        return snapshot

    def _make_durable(self) -> None:
        own = self.folder.relative_to(self._archive.root).as_posix() + "/"
        for file in self.files:
            if file.path.startswith(own):
                sync_file(self._archive.root / file.path)


def _line(entry: ArchivedFile) -> bytes:
    return entry.model_dump_json().encode() + b"\n"
