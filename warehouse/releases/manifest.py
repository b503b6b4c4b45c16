"""The manifest: the content of a release, its sources, and what was left out of it.

It does not record when or where it was written, so the same content gives the same manifest.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from warehouse.contracts.table import Contract, contracts

MANIFEST = "manifest.json"
DATABASE = "observatory.duckdb"  # has every table of the release
CATALOG = "catalog.duckdb"  # has views of the Parquet files
PUBLIC_URL = "public_url"  # in `code`: the address that the pages state
Audience = Literal["internal", "public"]
ReleaseId = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}-[0-9a-f]{12}$")]
_RELEASE_ID = re.compile(r"\d{4}-\d{2}-\d{2}-[0-9a-f]{12}")
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def is_release_id(text: str) -> bool:
    """Whether a text has the form of a release's id."""
    return bool(_RELEASE_ID.fullmatch(text))


class ReleaseError(RuntimeError):
    """A release cannot be made, or does not match its manifest."""


def _spelled(name: str, older: str) -> Any:  # noqa: ANN401  as pydantic's Field
    """A field whose name was spelled otherwise in the manifests of older releases."""
    return Field(validation_alias=AliasChoices(name, older))


class Entry(BaseModel):
    """Frozen. Unknown fields are ignored, so old code reads the manifests of newer versions."""

    model_config = ConfigDict(frozen=True, extra="ignore", validate_by_name=True)


class ColumnEntry(Entry):
    """One column of a table, from its contract."""

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
    """One snapshot that the release was built from. `citation` only if it differs from the card."""

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
    """One source and its snapshots."""

    source: str
    producer: str
    homepage: str
    license: LicenseEntry = _spelled("license", "licence")
    citation: str
    files: int
    bytes: int
    snapshots: tuple[SnapshotEntry, ...]


class LeftOut(Entry):
    """What a license excludes: a whole table, or the rows that `predicate` names."""

    table: str
    source: str
    license: str = _spelled("license", "licence")
    predicate: str | None
    rows: int
    reason: str


class Manifest(Entry):
    """The manifest of a release."""

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
    # Objects that releases share; `path` is relative to the storage root.
    shared: tuple[FileEntry, ...] = ()

    @property
    def objects(self) -> tuple[FileEntry, ...]:
        """Every object of the release except the manifest itself."""
        return (*self.tables, *self.files)

    def to_json(self) -> bytes:
        """UTF-8 with sorted keys: equal manifests have equal bytes."""
        return to_json(self)


class Shrunk(Entry):
    """A table that lost more rows since the previous release than its contract allows."""

    table: str
    rows: int
    previous_rows: int
    fall_pct: float
    limit_pct: float

    def __str__(self) -> str:
        return (
            f"{self.table}: {self.rows:,} rows, {self.fall_pct:.1f} % fewer than the "
            f"{self.previous_rows:,} of the previous release (limit {self.limit_pct:g} %)"
        )


def to_json(model: BaseModel) -> bytes:
    """A model as stable JSON."""
    data = model.model_dump(mode="json")
    return (json.dumps(data, sort_keys=True, indent=1, ensure_ascii=False) + "\n").encode()


def parse_manifest(data: bytes, where: str) -> Manifest:
    """A manifest from storage. Raises ReleaseError naming `where` if it is invalid."""
    try:
        return Manifest.model_validate_json(data)
    except ValidationError as error:
        raise ReleaseError(
            f"{where} is not a valid manifest: {error}\n  choose another release, or publish again"
        ) from error


def make_release_id(
    tables: Iterable[TableEntry], *, as_of: date, audience: Audience, code: Mapping[str, str]
) -> str:
    """`<as_of>-<12 hex>` from the tables' names and digests, the audience and the code's digest.

    If the pages state their address (PUBLIC_URL in `code`), it counts too.
    """
    digests = sorted((t.name, t.sha256) for t in tables)
    address = [code[PUBLIC_URL]] if PUBLIC_URL in code else []
    seed = json.dumps([digests, audience, code["digest"], *address], separators=(",", ":"))
    return f"{as_of.isoformat()}-{hashlib.sha256(seed.encode()).hexdigest()[:12]}"


def compare_with_previous(
    manifest: Manifest, previous: Manifest | None, tables: Mapping[str, Contract] | None = None
) -> list[Shrunk]:
    """Tables that lost more than `thresholds.rows_fall_pct` of their contract.

    Empty if the releases are not comparable: there is no previous one, either is a sample, the
    audiences differ, or the new release is of an earlier day. A table that a license excludes, or
    whose contract is no longer published, was removed on purpose and does not count.
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
