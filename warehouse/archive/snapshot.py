"""A snapshot: one observation of a source, as its sidecar tells it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

SIDECAR = "snapshot.json"
_SLOT = re.compile(r"(?:[01]\d|2[0-3])[0-5]\d")
_SAFE_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*")


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
    rows_repeated: int | None = None  # of these, rows that an earlier file of the snapshot holds
    next_url: str | None = None  # the cursor behind a page, so that a sweep can go on from here


def distinct_rows(files: Iterable[ArchivedFile]) -> int:
    """Records seen in files, each once."""
    return sum((f.rows_seen or 0) - (f.rows_repeated or 0) for f in files)


class Snapshot(BaseModel):
    """The sidecar of one sealed snapshot: one source, one day, or one minute (UTC) of it."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_by_name=True, serialize_by_alias=True
    )

    source: str
    snapshot_date: date
    slot: str | None = None  # HHMM, UTC, where a day is observed several times
    producer: str
    url: str
    citation: str
    # Sealed sidecars spell it so, and a sealed file never changes.
    license: str = Field(validation_alias="licence", serialization_alias="licence")
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
        """Distinct records seen on receipt, over the files that count them."""
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


def read_sidecar(path: Path) -> Snapshot:
    """One sidecar. Raises ArchiveError naming the file if it cannot be understood."""
    try:
        snapshot = Snapshot.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ArchiveError(f"{path} is not a sidecar we understand: {error}") from error
    if "/".join(path.parts[-3:-1]) != snapshot.snapshot_id:
        raise ArchiveError(f"{path} says it is {snapshot.snapshot_id}; put it back in that place")
    return snapshot
