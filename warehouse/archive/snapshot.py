"""A snapshot: one observation of a source, as its sidecar describes it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from warehouse.storage.files import write_atomically

# Files in the folder of a snapshot; the names are part of the archive's format.
SIDECAR = "snapshot.json"
JOURNAL = "journal.jsonl"
EXCLUSION = "refusal.json"
REJECTION = "arrival.json"  # ignored once the snapshot is sealed
_SLOT = re.compile(r"(?:[01]\d|2[0-3])[0-5]\d")
_SAFE_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*")
_SIDECAR_TODO = "move it away, then restore the snapshot from a copy of the archive"
_EXCLUSION_TODO = "delete it, and exclude the snapshot again if it must stay out of builds"
_Model = TypeVar("_Model", bound=BaseModel)


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
    # Counter -> N: the listing holds the first N records of the whole source by this counter.
    tops: dict[str, int] | None = None
    # A sample may have every record that was published on or after a day.
    complete_from: date | None = None
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
    """One exclusion or rejection. Raises ArchiveError naming the file if it cannot be read."""
    return parse_exclusion(_bytes(path, _EXCLUSION_TODO), str(path))


def parse_exclusion(data: bytes, where: str) -> Exclusion:
    """An exclusion or rejection from its bytes. Raises ArchiveError naming `where`."""
    return _parse(Exclusion, data, f"{where} is not a valid exclusion", _EXCLUSION_TODO)


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
    """Day and slot of an observation's name. Raises ArchiveError for any other text."""
    day, _, slot = name.partition("T")
    try:
        found = date.fromisoformat(day), slot or None
        if moment(*found) == name:  # Python reads 20260815 and 2026-W33-6 as days, too
            return found
    except (ValueError, ArchiveError):
        pass
    raise ArchiveError(f"{name!r} is not a day; use YYYY-MM-DD or YYYY-MM-DDTHHMM")


def read_sidecar(path: Path) -> Snapshot:
    """One sidecar. Raises ArchiveError naming the file if it cannot be read."""
    folder = "/".join(path.parts[-3:-1])
    return parse_sidecar(_bytes(path, _SIDECAR_TODO), str(path), folder)


def parse_sidecar(data: bytes, where: str, snapshot_id: str) -> Snapshot:
    """A sidecar from its bytes. Raises ArchiveError if it is not that of `snapshot_id`."""
    snapshot = _parse(Snapshot, data, f"{where} is not a valid sidecar", _SIDECAR_TODO)
    try:
        found = snapshot.snapshot_id
    except ArchiveError as error:  # an invalid slot
        raise ArchiveError(f"{where} is not a valid sidecar ({error}); {_SIDECAR_TODO}") from None
    if found != snapshot_id:
        raise ArchiveError(
            f"{where} is the sidecar of {_printable(found)}; move its folder back to "
            f"{_printable(found)} in the archive"
        )
    return snapshot


def _bytes(path: Path, todo: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArchiveError(f"{path} cannot be read ({error.strerror}); {todo}") from error


def _parse(model: type[_Model], data: bytes, what: str, todo: str) -> _Model:
    """The model, or an ArchiveError with the problems on one line, without the file's values."""
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        reasons = [": ".join([*map(str, problem["loc"]), problem["msg"]]) for problem in found]
        raise ArchiveError(f"{what} ({_printable('; '.join(reasons))}); {todo}") from error


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text[:200])
