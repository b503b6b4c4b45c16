"""The archive: the bytes as they were received, and a sidecar that says which bytes they are.

    <archive>/<source>/<snapshot_date>/snapshot.json      the sidecar; its presence seals a snapshot
    <archive>/<source>/<snapshot_date>T<HHMM>/            one of several observations of a day
    <archive>/<source>/<snapshot_date>/<file>[.zst]       the bytes
    <archive>/<source>/<snapshot_date>/journal.jsonl      what an unfinished observation has so far
    <archive>/<source>/<snapshot_date>/refused/<file>     damaged answers, kept aside
    <archive>/<source>/<snapshot_date>/refusal.json       a person's word that no build may read it

Append-only: a sealed snapshot never changes. A file equal to one of an earlier snapshot is named
in the sidecar and not stored again. Every file is verified against its sha256 before it is read.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

import zstandard
from pydantic import BaseModel, ConfigDict, ValidationError

SIDECAR = "snapshot.json"
JOURNAL = "journal.jsonl"
REFUSAL = "refusal.json"
ZSTD_LEVEL = 3
_SLOT = re.compile(r"(?:[01]\d|2[0-3])[0-5]\d")
_SAFE_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*")
_USER = re.compile(r"(?<=://)[^/?#\s]*@")
_SECRET = re.compile(
    r"(?i)([?&](?:key|sig|auth|pwd|policy|x-amz-[^=&\s]*"
    r"|[^=&\s]*(?:token|secret|password|signature|credential|api[_-]?key)[^=&\s]*)=)[^&#\s]*"
)
_TOKEN = re.compile(r"\b(hf_|gh[a-z]_|github_pat_)[A-Za-z0-9_]{8,}|(?i:\bbearer\s+)\S+")


class ArchiveError(RuntimeError):
    """The archive lacks something, or holds bytes that are not what its sidecar says."""


class ArchivedFile(BaseModel):
    """One file of a snapshot: where its bytes lie and where they came from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str  # within the snapshot, e.g. "pages/000001.json"
    path: str  # relative to the archive; an unchanged file points into an earlier snapshot
    url: str
    http_status: int | None = None
    http_etag: str | None = None
    retrieved_at: datetime
    sha256: str  # of the bytes as received
    bytes: int
    encoding: Literal["identity", "zstd"] = "identity"
    stored_sha256: str  # of the file on disk
    rows_seen: int | None = None
    next_url: str | None = None  # the cursor behind a page, so that a sweep can go on from here


class Snapshot(BaseModel):
    """The sidecar of one sealed snapshot: one source, one day, or one minute (UTC) of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    snapshot_date: date
    slot: str | None = None  # HHMM, UTC, where a day is observed several times
    producer: str
    url: str
    citation: str
    licence: str
    redistribution: str
    retrieved_at: datetime
    is_complete: bool
    is_sample: bool = False
    notes: tuple[str, ...] = ()
    files: tuple[ArchivedFile, ...]

    @property
    def snapshot_id(self) -> str:
        """`<source>/<snapshot_date>`, with `T<HHMM>` where a day has several."""
        return f"{self.source}/{moment(self.snapshot_date, self.slot)}"

    @property
    def rows_seen(self) -> int:
        """Records seen on receipt, over the files that count them."""
        return sum(f.rows_seen or 0 for f in self.files)

    @property
    def bytes(self) -> int:
        """Bytes as received."""
        return sum(f.bytes for f in self.files)

    def find(self, prefix: str = "", suffix: str = "") -> list[ArchivedFile]:
        """Files whose name has this prefix and suffix, by name."""
        hits = [f for f in self.files if f.name.startswith(prefix) and f.name.endswith(suffix)]
        return sorted(hits, key=lambda f: f.name)


class Refusal(BaseModel):
    """Why a sealed snapshot is left out of every build, although its bytes stay."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: str
    refused_at: datetime


def safe_name(name: str) -> str:
    """A name from outside that may become a path, or ArchiveError: no `..`, no odd characters."""
    parts = name.split("/")
    if all(_SAFE_PART.fullmatch(p) for p in parts) and len(name) <= 200:
        return name
    raise ArchiveError(f"refusing {name!r} as a file name: letters, digits, '_', '-', '.' only")


def moment(day: date, slot: str | None = None) -> str:
    """Name of an observation within its source: `2026-08-15`, or `2026-08-15T0615`."""
    if slot is None:
        return day.isoformat()
    if not _SLOT.fullmatch(slot):
        raise ArchiveError(f"{slot!r} is no time of day: write HHMM, UTC")
    return f"{day.isoformat()}T{slot}"


def read_moment(name: str) -> tuple[date, str | None]:
    """Day and slot of an observation's name. Raises ValueError for another text."""
    day, separator, slot = name.partition("T")
    if separator and not _SLOT.fullmatch(slot):
        raise ValueError(f"{name!r} is no YYYY-MM-DD or YYYY-MM-DDTHHMM")
    return date.fromisoformat(day), slot or None


def sha256(data: bytes) -> str:
    """Hex digest."""
    return hashlib.sha256(data).hexdigest()


def file_sha256(path: Path) -> str:
    """Hex digest of a file, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_atomically(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Writes a file whole or not at all; durable before it gets its name, unless told otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with part.open("wb") as stream:
        stream.write(data)
        if durable:
            stream.flush()
            os.fsync(stream.fileno())
    part.replace(path)


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

    def keep(
        self,
        name: str,
        data: bytes,
        *,
        url: str,
        status: int | None = None,
        etag: str | None = None,
        rows_seen: int | None = None,
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
            "url": without_query_secrets(url),
            "http_status": status,
            "http_etag": etag,
            "retrieved_at": retrieved_at or datetime.now(UTC),
            "rows_seen": rows_seen,
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
        seen = {"name": name, "url": without_query_secrets(url), "retrieved_at": datetime.now(UTC)}
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

    def set_aside(self, name: str, data: bytes) -> Path:
        """Keeps a damaged answer for inspection, outside of what a build reads."""
        path = self.folder / "refused" / f"{sha256(data)[:12]}-{safe_name(name).replace('/', '-')}"
        write_atomically(path, data)
        return path

    def restart(self) -> None:
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


class Archive:
    """All snapshots below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
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
        return [p for p in sorted(self.root.glob(pattern)) if not p.with_name(REFUSAL).exists()]

    def refusal(self, source: str, day: date, slot: str | None = None) -> Refusal | None:
        """Why the snapshot of that day was refused; None if it was not."""
        path = self.folder(source, day, slot) / REFUSAL
        return Refusal.model_validate_json(path.read_bytes()) if path.exists() else None

    def refuse(self, source: str, day: date, reason: str, slot: str | None = None) -> None:
        """Leaves a sealed snapshot out of every build from now on. Raises ArchiveError."""
        folder = self.folder(source, day, slot)
        if self.snapshot(source, day, slot) is None:
            raise ArchiveError(f"{folder} is no sealed snapshot")
        refusal = Refusal(reason=reason, refused_at=datetime.now(UTC))
        write_atomically(folder / REFUSAL, refusal.model_dump_json(indent=1).encode() + b"\n")
        self.forget_index()

    def readmit(self, source: str, day: date, slot: str | None = None) -> None:
        """Takes a refusal back. Raises ArchiveError where there is none."""
        path = self.folder(source, day, slot) / REFUSAL
        if not path.exists():
            raise ArchiveError(f"{path.parent} was not refused")
        path.unlink()
        self.forget_index()

    def refused(self) -> dict[str, Refusal]:
        """Every refused snapshot, by snapshot id."""
        folders = [p.parent for p in sorted(self.root.glob(f"*/*/{REFUSAL}"))]
        found = {
            f"{f.parent.name}/{f.name}": self.refusal(f.parent.name, *read_moment(f.name))
            for f in folders
        }
        return {name: refusal for name, refusal in found.items() if refusal}

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
        path = (self.root / file.path).resolve()
        if not path.is_relative_to(self.root.resolve()):
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
        """Verified absolute paths, in the order given."""
        return [str(self.verify_file(f)) for f in files]

    def read(self, file: ArchivedFile) -> bytes:
        """The bytes as received, verified."""
        data = self.verify_file(file).read_bytes()
        return zstandard.decompress(data) if file.encoding == "zstd" else data


def _line(entry: ArchivedFile) -> bytes:
    return entry.model_dump_json().encode() + b"\n"


def read_sidecar(path: Path) -> Snapshot:
    """One sidecar. Raises ArchiveError naming the file if it cannot be understood."""
    try:
        snapshot = Snapshot.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ArchiveError(f"{path} is not a sidecar we understand: {error}") from error
    if "/".join(path.parts[-3:-1]) != snapshot.snapshot_id:
        raise ArchiveError(f"{path} says it is {snapshot.snapshot_id}; put it back in that place")
    return snapshot


def without_query_secrets(url: str) -> str:
    """A text that may be written down: user names, passwords and tokens taken out."""
    return _TOKEN.sub("…", _SECRET.sub(r"\1…", _USER.sub("", url)))
