"""A snapshot while it is being observed: what was kept survives a crash."""

from __future__ import annotations

import json
import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zstandard
from pydantic import ValidationError

from warehouse.archive.snapshot import (
    SIDECAR,
    ArchivedFile,
    ArchiveError,
    Exclusion,
    Snapshot,
    safe_name,
)
from warehouse.storage.files import sha256, write_atomically
from warehouse.storage.redact import redact

if TYPE_CHECKING:
    from warehouse.archive.archive import Archive

JOURNAL = "journal.jsonl"
REJECTION = "arrival.json"  # why the last attempt was refused; of no meaning once it is sealed
ZSTD_LEVEL = 3


class Draft:
    """A snapshot being observed. What was kept survives a crash and is not fetched again."""

    def __init__(self, archive: Archive, source: str, day: date, slot: str | None = None) -> None:
        self.source, self.day, self.slot, self._archive = source, day, slot, archive
        self.folder = archive.folder(source, day, slot)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.files: list[ArchivedFile] = self._resume()
        self._names = {file.name for file in self.files}
        self.notes: list[str] = []
        self.is_complete = True  # a fetch that cannot prove it says so
        self.has_quarantined = False  # whether an answer of this attempt was damaged

    def _sweep_up(self) -> None:
        """Removes what a killed run was writing when it died; nothing points there."""
        for part in self.folder.rglob(".*.part"):
            part.unlink(missing_ok=True)

    def _resume(self) -> list[ArchivedFile]:
        """The kept files up to the first that is not as its journal line says."""
        kept: list[ArchivedFile] = []
        journal = self.folder / JOURNAL
        lines = journal.read_bytes().splitlines(keepends=True) if journal.exists() else []
        if lines:
            self._sweep_up()
        for line in lines:
            try:
                entry = ArchivedFile.model_validate_json(line)
                self._archive.verify_file(entry)
            except (ValidationError, ArchiveError):
                break  # a line cut by a crash, or bytes that never became durable
            kept.append(entry)
        if lines and (len(kept) < len(lines) or not lines[-1].endswith(b"\n")):
            # What follows must not be appended to a cut line, nor come back after a second crash.
            write_atomically(journal, b"".join(_line(entry) for entry in kept))
        return kept

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
        """Stores one received file, or points at the same bytes of an earlier snapshot.

        Raises ArchiveError for a name that is unsafe or taken, and once the snapshot is sealed.
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
            "next_url": next_url,
        }
        if earlier:
            return self._note(earlier.model_copy(update=seen))
        return self._note(ArchivedFile(sha256=digest, **self._store(name, data, compress), **seen))

    def _store(self, name: str, data: bytes, compress: bool) -> dict[str, Any]:
        """Writes the bytes and says where and how they lie."""
        path = self.folder / (name + (".zst" if compress else ""))
        stored = zstandard.compress(data, ZSTD_LEVEL) if compress else data
        # One fsync a page, that of its journal line: bytes that a power cut took are missed when
        # the draft is resumed, and `seal` makes them all durable before the sidecar names them.
        write_atomically(path, stored, durable=False)
        return {
            "path": path.relative_to(self._archive.root).as_posix(),
            "bytes": len(data),
            "encoding": "zstd" if compress else "identity",
            "stored_sha256": sha256(stored),
        }

    def reuse(self, earlier: ArchivedFile, *, name: str, url: str) -> ArchivedFile:
        """Takes an unchanged file of an earlier snapshot into this one, under today's name."""
        self._check_free(name)
        seen = {"name": name, "url": redact(url), "retrieved_at": datetime.now(UTC)}
        return self._note(earlier.model_copy(update=seen))

    def _check_free(self, name: str) -> None:
        self._check_open()
        if safe_name(name) in (SIDECAR, JOURNAL) or name in self._names:
            raise ArchiveError(f"{self.folder / name} is taken; a kept file is never overwritten")

    def _check_open(self) -> None:
        if (self.folder / SIDECAR).exists():
            raise ArchiveError(f"{self.folder} is sealed; a sealed snapshot never changes")

    def _note(self, entry: ArchivedFile) -> ArchivedFile:
        self._check_open()
        with (self.folder / JOURNAL).open("wb" if not self.files else "ab") as log:
            log.write(_line(entry))
            log.flush()
            os.fsync(log.fileno())
        self.files.append(entry)
        self._names.add(entry.name)
        return entry

    def quarantine(self, name: str, data: bytes) -> Path:
        """Keeps a damaged answer for inspection, outside of what a build reads."""
        path = self.folder / "refused" / f"{sha256(data)[:12]}-{safe_name(name).replace('/', '-')}"
        write_atomically(path, data)
        self.has_quarantined = True
        return path

    def record_rejection(self, reason: str) -> None:
        """Records why an answer of this attempt was refused, for builds that go on without it."""
        if self.has_quarantined:
            refusal = Exclusion(reason=reason, refused_at=datetime.now(UTC))
            write_atomically(self.folder / REJECTION, refusal.model_dump_json(indent=1).encode())

    def reset(self) -> None:
        """Forgets what was kept, e.g. when a stored cursor no longer works."""
        self.files.clear()
        self._names.clear()
        (self.folder / JOURNAL).unlink(missing_ok=True)

    def seal(self, **about: object) -> Snapshot:
        """Writes the sidecar: from here on the snapshot is complete and never changes."""
        self._check_open()
        snapshot = Snapshot(
            source=self.source,
            snapshot_date=self.day,
            slot=self.slot,
            retrieved_at=max(f.retrieved_at for f in self.files),
            is_complete=self.is_complete,
            notes=tuple(self.notes),
            files=tuple(f.model_copy(update={"next_url": None}) for f in self.files),
            **about,
        )
        told = snapshot.model_dump(mode="json", exclude=None if self.slot else {"slot"})
        for file in told["files"]:  # hardly any has it
            if file["rows_repeated"] is None:
                del file["rows_repeated"]
        text = json.dumps(told, indent=1, ensure_ascii=False)
        self._make_durable()
        write_atomically(self.folder / SIDECAR, text.encode() + b"\n")
        (self.folder / JOURNAL).unlink(missing_ok=True)
        self._archive.forget_index()
        return snapshot

    def _make_durable(self) -> None:
        here = self.folder.relative_to(self._archive.root).as_posix() + "/"
        for file in self.files:
            if file.path.startswith(here):
                descriptor = os.open(self._archive.root / file.path, os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)


def _line(entry: ArchivedFile) -> bytes:
    return entry.model_dump_json().encode() + b"\n"
