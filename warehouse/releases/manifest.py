"""The manifest: what a release holds, where it came from, and what was left out of it.

It says nothing of when or where it was written, so that the same content gives the same manifest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from warehouse.contracts.table import Contract, contracts

MANIFEST = "manifest.json"
DATABASE = "observatory.duckdb"  # every table of the release again
Audience = Literal["internal", "public"]
ReleaseId = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}-[0-9a-f]{12}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ReleaseError(RuntimeError):
    """A release that cannot be made, or is not what its manifest says: what, where, what to do."""


def _spelled(name: str, older: str) -> Any:  # noqa: ANN401  as pydantic's Field
    """A field whose name was spelled otherwise in the manifests of older releases."""
    return Field(validation_alias=AliasChoices(name, older))


class Entry(BaseModel):
    """Frozen; fields of a newer version are passed over, so that old code reads new manifests."""

    model_config = ConfigDict(frozen=True, extra="ignore", validate_by_name=True)


class ColumnEntry(Entry):
    """One column of a table, as its contract says."""

    name: str
    type: str
    unit: str | None
    nullable: bool
    description: str


class LicenseEntry(Entry):
    """The terms of one source."""

    source: str
    raw: str
    ours: str
    redistribution: str
    statement_url: str = ""


class FileEntry(Entry):
    """One object of a release; `path` is relative to the release."""

    path: str
    bytes: int
    sha256: Sha256


class TableEntry(FileEntry):
    """One table as Parquet."""

    name: str
    description: str
    rows: int
    columns: tuple[ColumnEntry, ...]
    grain: str
    key: tuple[str, ...]
    warnings: tuple[str, ...]
    licenses: tuple[LicenseEntry, ...] = _spelled("licenses", "licences")


class SnapshotEntry(Entry):
    """One snapshot that the release was built from. `citation` only where the card's is not it."""

    snapshot_id: str
    snapshot_date: date
    retrieved_at: datetime
    url: str
    files: int
    bytes: int
    is_complete: bool
    is_sample: bool
    sidecar_sha256: str
    citation: str | None = None


class SourceEntry(Entry):
    """One source and the snapshots of it."""

    source: str
    producer: str
    homepage: str
    license: LicenseEntry = _spelled("license", "licence")
    citation: str
    files: int
    bytes: int
    snapshots: tuple[SnapshotEntry, ...]


class LeftOut(Entry):
    """What a license kept out: a whole table, or the rows that `predicate` names."""

    table: str
    source: str
    license: str = _spelled("license", "licence")
    predicate: str | None
    rows: int
    reason: str


class Manifest(Entry):
    """A whole release."""

    manifest_version: int = 1
    release_id: ReleaseId
    as_of: date
    audience: Audience
    is_sample: bool
    code: dict[str, str]
    engines: dict[str, str]
    tables: tuple[TableEntry, ...]
    files: tuple[FileEntry, ...]
    sources: tuple[SourceEntry, ...]
    validation: dict[str, dict[str, int]]  # stage -> outcome -> number of results
    left_out: tuple[LeftOut, ...]
    # Objects beside the releases, the same for all of them; `path` starts at the place's root.
    shared: tuple[FileEntry, ...] = ()

    @property
    def objects(self) -> tuple[FileEntry, ...]:
        """Every object of the release but the manifest itself."""
        return (*self.tables, *self.files)

    def to_json(self) -> bytes:
        """UTF-8, sorted keys: equal manifests are equal bytes."""
        return to_json(self)


class Shrunk(Entry):
    """A table that lost more rows against the release before than its contract allows."""

    table: str
    rows: int
    previous_rows: int
    fall_pct: float
    limit_pct: float

    def __str__(self) -> str:
        return (
            f"{self.table}: {self.rows:,} rows, {self.fall_pct:.1f} % fewer than the "
            f"{self.previous_rows:,} of the release before (limit {self.limit_pct:g} %)"
        )


def to_json(model: BaseModel) -> bytes:
    """A model as stable JSON."""
    data = model.model_dump(mode="json")
    return (json.dumps(data, sort_keys=True, indent=1, ensure_ascii=False) + "\n").encode()


def parse_manifest(data: bytes, where: str) -> Manifest:
    """A manifest from storage. Raises ReleaseError naming `where` if it cannot be understood."""
    try:
        return Manifest.model_validate_json(data)
    except ValidationError as error:
        raise ReleaseError(f"{where} is not a manifest we understand: {error}") from error


def make_release_id(
    tables: Iterable[TableEntry], *, as_of: date, audience: Audience, code: Mapping[str, str]
) -> str:
    """`<as_of>-<12 hex>` over the tables' names and digests, the audience and the code's digest."""
    digests = sorted((t.name, t.sha256) for t in tables)
    seed = json.dumps([digests, audience, code["digest"]], separators=(",", ":"))
    return f"{as_of.isoformat()}-{hashlib.sha256(seed.encode()).hexdigest()[:12]}"


def compare_with_previous(
    manifest: Manifest, previous: Manifest | None, tables: Mapping[str, Contract] | None = None
) -> list[Shrunk]:
    """Tables that fell by more than `thresholds.rows_fall_pct` of their contract.

    Empty where a comparison would mean nothing: no release before, a sample on either side,
    another audience, or a new release that looks at an earlier day. A table left out by a license
    or without a published contract did not shrink, it was taken out on purpose.
    """
    if previous is None or not _comparable(manifest, previous):
        return []
    tables = contracts() if tables is None else tables
    rows = {t.name: t.rows for t in manifest.tables}
    left_out = {x.table for x in manifest.left_out if x.predicate is None}
    shrunk = []
    for old in previous.tables:
        contract = tables.get(old.name)
        if contract is None or not contract.published or old.name in left_out:
            continue
        if not contract.thresholds.between_releases:
            continue
        limit, now = contract.thresholds.rows_fall_pct, rows.get(old.name, 0)
        fall = 100 * (old.rows - now) / old.rows if old.rows else 0.0
        if limit is not None and fall > limit:
            shrunk.append(
                Shrunk(
                    table=old.name,
                    rows=now,
                    previous_rows=old.rows,
                    fall_pct=fall,
                    limit_pct=limit,
                )
            )
    return shrunk


def _comparable(manifest: Manifest, previous: Manifest) -> bool:
    return (
        not manifest.is_sample
        and not previous.is_sample
        and manifest.audience == previous.audience
        and manifest.as_of >= previous.as_of
    )
