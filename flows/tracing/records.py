"""From a raw row to its bytes: the snapshot, the downloaded file, the record and its range."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from shlex import quote
from typing import Any

from warehouse.archive.archive import Archive
from warehouse.archive.record_locator import Located, LocateError, locate, member
from warehouse.archive.snapshot import ArchivedFile, ArchiveError, Snapshot
from warehouse.code_version import ROOT
from warehouse.contracts.table import Contract, Origin, contracts
from warehouse.storage.files import file_sha256

EXCERPT = 400  # bytes of a record that are shown


@dataclass(frozen=True)
class Source:
    """Where one raw row comes from, as far as the archive shows it."""

    table: str
    key: dict[str, Any]
    snapshot_id: str | None
    file: str | None = None
    path: str | None = None
    sha256: str | None = None
    url: str | None = None
    retrieved_at: str | None = None
    member: str | None = None
    record: int | None = None
    start: int | None = None
    end: int | None = None
    unit: str | None = None
    text: str | None = None
    note: str | None = None

    def shown_by(self) -> str | None:
        """A shell command that prints exactly these bytes."""
        if self.path is None or self.start is None or self.end is None or self.text is None:
            return None
        how = {".zst": "zstd -dc", ".zip": "unzip -p"}.get(Path(self.path).suffix, "cat")
        named = " ".join(map(quote, filter(None, (self.path, self.member))))
        length = self.end - self.start
        return f"{how} {named} | tail -c +{self.start + 1} | head -c {length}"


class Records:
    """Looks up rows in an archive; every file is verified, and read once."""

    def __init__(self, archive: Archive | None) -> None:
        self._archive = archive
        self._snapshots: dict[str, Snapshot] = {}
        self._bytes: dict[str, bytes] = {}

    def of(self, table: str, rows: Iterable[Mapping[str, Any]]) -> list[Source]:
        """The source of each row of a raw table, in order."""
        return [self._source(contracts()[table], row) for row in rows]

    def _source(self, contract: Contract, row: Mapping[str, Any]) -> Source:
        key = {c: row[c] for c in contract.key}
        begin = Source(contract.table, key, row.get("snapshot_id"))
        origin = contract.origin
        if origin is None:
            made_by = _named(
                contract.made_by or "this project's code, not from an archived record", row
            )
            return replace(begin, note=f"made by {made_by}")
        if origin.is_code:
            return _in_code(begin, origin, row)
        if self._archive is None:
            return replace(begin, note="no archive found; give --archive DIR to see the bytes")
        try:
            return self._found(begin, origin, row, self._archive)
        except (ArchiveError, LocateError) as error:
            return replace(begin, note=str(error))

    def _found(
        self, begin: Source, origin: Origin, row: Mapping[str, Any], archive: Archive
    ) -> Source:
        files = self._files(archive, str(row["snapshot_id"]), _named(origin.file, row))
        for other in files[:-1]:  # pages of several listings can have the same name
            with suppress(LocateError):
                return self._within(begin, origin, row, archive, other)
        return self._within(begin, origin, row, archive, files[-1])

    def _within(
        self,
        begin: Source,
        origin: Origin,
        row: Mapping[str, Any],
        archive: Archive,
        file: ArchivedFile,
    ) -> Source:
        path = archive.verify_file(file)
        if file.path not in self._bytes:
            self._bytes[file.path] = archive.read(file)
        data, inside = self._bytes[file.path], None
        known = replace(
            begin, file=file.name, path=str(path), sha256=file.sha256, url=file.url,
            retrieved_at=file.retrieved_at.isoformat(),
        )  # fmt: skip
        if origin.member:
            inside, data = member(data, _named(origin.member, row))
        if origin.record is None and not origin.match:
            return replace(known, member=inside, note="the whole file: its records are nested")
        place = _place(inside or file.name, data, origin, row)
        return replace(known, member=inside, **asdict(place), text=_excerpt(data, place))

    def _files(self, archive: Archive, snapshot_id: str, pattern: str) -> list[ArchivedFile]:
        if snapshot_id not in self._snapshots:
            source, _, day = snapshot_id.partition("/")
            self._snapshots |= {s.snapshot_id: s for s in archive.snapshots(source)}
            if snapshot_id not in self._snapshots:
                raise ArchiveError(f"the archive has no snapshot {source}/{day}; check --archive")
        plain = pattern.removesuffix(".zst")
        found = [f for f in self._snapshots[snapshot_id].files if _is_called(f, plain)]
        if not found:
            raise ArchiveError(f"{snapshot_id} has no file {pattern}")
        return found


def _is_called(file: ArchivedFile, pattern: str) -> bool:
    """By its own name, or by the name of the earlier file with the same bytes."""
    names = (file.name, file.path.removesuffix(".zst"))
    return any(fnmatch.fnmatchcase(n, p) for n in names for p in (pattern, f"*/{pattern}"))


def _place(name: str, data: bytes, origin: Origin, row: Mapping[str, Any]) -> Located:
    number = int(row[origin.record]) if origin.record else None
    return locate(name, data, number, {f: str(row[c] or "") for f, c in origin.match.items()})


def _in_code(begin: Source, origin: Origin, row: Mapping[str, Any]) -> Source:
    known = begin
    for path in sorted(ROOT.glob(origin.file)):
        name, data = path.relative_to(ROOT).as_posix(), path.read_bytes()
        known = replace(begin, file=name, path=str(path), sha256=file_sha256(path))
        with suppress(LocateError):
            place = _place(name, data, origin, row)
            return replace(known, **asdict(place), text=_excerpt(data, place))
    return replace(
        known, note=f"{origin.file} no longer has this record: the file has changed since the build"
    )


def _named(template: str, row: Mapping[str, Any]) -> str:
    return template.format_map({c: str(v) for c, v in row.items()})


def _excerpt(data: bytes, place: Located) -> str | None:
    """The first bytes of the record as text; None for a Parquet row group."""
    if place.unit.startswith("row group"):
        return None
    return (
        data[place.start : min(place.end, place.start + EXCERPT)].decode("utf-8", "replace").strip()
    )
