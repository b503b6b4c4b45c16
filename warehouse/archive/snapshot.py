"""A snapshot: one observation of a source, as its sidecar describes it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from warehouse.storage.files import write_atomically

# Files in the folder of a snapshot; the names are part of the archive's format.
SIDECAR = "snapshot.json"
JOURNAL = "journal.jsonl"
EXCLUSION = "refusal.json"
REJECTION = "arrival.json"  # ignored once the snapshot is sealed
_SLOT = re.compile(r"(?:[01]\d|2[0-3])[0-5]\d")
_SAFE_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*")


class ArchiveError(RuntimeError):
    """The archive lacks a snapshot or file, or its bytes do not match the sidecar."""


class ArchivedFile(BaseModel):
    """One file of a snapshot: where its bytes are stored and where they came from."""

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
    rows_repeated: int | None = None  # rows that an earlier file of the snapshot also has
    next_url: str | None = None  # cursor of the following page, to resume a sweep


def distinct_rows(files: Iterable[ArchivedFile]) -> int:
    """Number of distinct records in the files."""
    return sum((f.rows_seen or 0) - (f.rows_repeated or 0) for f in files)


class Snapshot(BaseModel):
    """The sidecar of one sealed snapshot: one source, one day, or one minute (UTC) of it."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_by_name=True, serialize_by_alias=True
    )

    source: str
    snapshot_date: date
    slot: str | None = None  # HHMM, UTC, if a day is observed several times
    producer: str
    url: str
    citation: str
    # Sealed sidecars use this spelling, and a sealed file never changes.
    license: str = Field(validation_alias="licence", serialization_alias="licence")
    redistribution: str
    retrieved_at: datetime
    is_complete: bool
    is_sample: bool = False
    notes: tuple[str, ...] = ()
    files: tuple[ArchivedFile, ...]

    @property
    def snapshot_id(self) -> str:
        """`<source>/<snapshot_date>`, with `T<HHMM>` if a day has several."""
        return f"{self.source}/{moment(self.snapshot_date, self.slot)}"

    @property
    def rows_seen(self) -> int:
        """Distinct records counted on receipt."""
        return distinct_rows(self.files)

    @property
    def bytes(self) -> int:
        """Bytes as received."""
        return sum(f.bytes for f in self.files)

    def find(self, prefix: str = "", suffix: str = "") -> list[ArchivedFile]:
        """Files whose name has this prefix and suffix, by name."""
        hits = [f for f in self.files if f.name.startswith(prefix) and f.name.endswith(suffix)]
        return sorted(hits, key=lambda f: f.name)


class Exclusion(BaseModel):
    """Why a snapshot is left out of builds. Its files are kept."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: str
    refused_at: datetime


def read_exclusion(path: Path) -> Exclusion:
    """One exclusion or rejection."""
    return Exclusion.model_validate_json(path.read_bytes())


def write_exclusion(path: Path, reason: str) -> None:
    """Records an exclusion or rejection, as of now."""
    exclusion = Exclusion(reason=reason, refused_at=datetime.now(UTC))
    write_atomically(path, exclusion.model_dump_json(indent=1).encode() + b"\n")


def safe_name(name: str) -> str:
    """A name from outside that is safe as a relative path. Raises ArchiveError for any other."""
    parts = name.split("/")
    if all(_SAFE_PART.fullmatch(p) for p in parts) and len(name) <= 200:
        return name
    raise ArchiveError(
        f"unsafe file name {name[:80]!r}; use at most 200 letters, digits, '_', '-' and '.', and "
        "start each part with a letter, digit or '_'"
    )


def moment(day: date, slot: str | None = None) -> str:
    """Name of an observation within its source: `2026-08-15`, or `2026-08-15T0615`."""
    if slot is None:
        return day.isoformat()
    if not _SLOT.fullmatch(slot):
        raise ArchiveError(f"invalid time of day {slot!r}; use HHMM in UTC, such as 0615")
    return f"{day.isoformat()}T{slot}"


def read_moment(name: str) -> tuple[date, str | None]:
    """Day and slot of an observation's name. Raises ValueError for any other text."""
    day, separator, slot = name.partition("T")
    if separator and not _SLOT.fullmatch(slot):
        raise ValueError(f"invalid observation {name!r}; use YYYY-MM-DD or YYYY-MM-DDTHHMM")
    return date.fromisoformat(day), slot or None


def read_sidecar(path: Path) -> Snapshot:
    """One sidecar. Raises ArchiveError naming the file if it cannot be read."""
    try:
        snapshot = Snapshot.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ArchiveError(
            f"{path} is not a valid sidecar: {error}\n  restore it from a copy of the archive"
        ) from error
    if "/".join(path.parts[-3:-1]) != snapshot.snapshot_id:
        raise ArchiveError(
            f"{path} is the sidecar of {snapshot.snapshot_id}; move its folder back to "
            f"{snapshot.snapshot_id} in the archive"
        )
    return snapshot
