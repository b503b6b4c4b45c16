"""Publishing: uploads a staged release, validates what storage returns, moves the pointer."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import NamedTuple

from expectations.copies import validate_copies
from expectations.docs import build_docs
from expectations.validate import validate_database
from warehouse.contracts.table import contracts
from warehouse.publishing.channels import (
    copied_paths,
    latest_manifest,
    require_own_copies,
    set_pointer,
)
from warehouse.publishing.pointer import VersionedPointer, read_for_update
from warehouse.publishing.release_objects import DamagedError
from warehouse.publishing.upload import read_back, repair, upload
from warehouse.releases.manifest import (
    DATABASE,
    MANIFEST,
    Audience,
    Manifest,
    ReleaseError,
    compare_with_previous,
)
from warehouse.releases.stage import add_files
from warehouse.site.build import write_page
from warehouse.storage.open import open_storage
from warehouse.storage.protocol import Storage, StorageError
from warehouse.storage.scratch import scratch_folder

log = logging.getLogger("observatory.publish")

DOCS = "validation"


@dataclass(frozen=True)
class Published:
    """One release in one target."""

    url: str
    release_id: str
    audience: Audience
    is_reused: bool
    uploaded_bytes: int
    n_tables: int
    n_left_out: int


class Allowed(NamedTuple):
    """What the caller explicitly allows."""

    shrink: bool = False  # tables with fewer rows
    older: bool = False  # an earlier day than the current release
    sample: bool = False  # the sample in place of real observations


NOTHING = Allowed()


def check_places(
    targets: Iterable[str],
    as_of: date,
    audience: Audience,
    allowed: Allowed = NOTHING,
    *,
    sample: bool = False,
) -> None:
    """Raises ReleaseError if a release of that day cannot be published in one of the places.

    Called before anything is downloaded or built. A place that does not answer is not an error
    here: the build is useful without it.
    """
    release = _Planned(as_of, audience, sample)
    for target in targets:
        storage = open_storage(target)
        try:
            _require_place(storage, release, read_for_update(storage, "latest"), allowed)
            names = (MANIFEST, DATABASE, *(f"{table}.parquet" for table in contracts()))
            require_own_copies(storage, "latest", names)
        except StorageError as error:
            log.warning("%s: checked again when the release is published", error)


def publish_to(
    target: str,
    folder: Path,
    manifest: Manifest,
    allowed: Allowed = NOTHING,
    publisher: str | None = None,
    validated: set[str] | None = None,
) -> Published:
    """Uploads a staged release, validates what storage returns, then moves `latest`.

    The pointer moves only if it is still the one that this release was compared with. `validated`
    are digests of tables that passed in this run; those that pass here are added. Raises
    ReleaseError, StorageError, ValidationError.
    """
    storage = open_storage(target)
    expected = read_for_update(storage, "latest")
    _require_place(storage, manifest, expected, allowed)
    require_own_copies(storage, "latest", copied_paths(manifest))
    before = latest_manifest(storage, expected)
    if not allowed.shrink:
        _require_no_shrink(target, manifest, before)
    sent = upload(folder, manifest, storage, before=before)
    validated = set() if validated is None else validated
    verify_published(
        storage, sent.manifest, folder, validated | _validated_before(manifest, before)
    )
    validated |= {table.sha256 for table in sent.manifest.tables}
    set_pointer(storage, manifest.release_id, expected=expected, moved_by=publisher)
    size = f"{sent.uploaded_bytes:,} bytes uploaded"
    how = "already complete, reused" if sent.already_complete else size
    log.info("%s: release %s, %s", target, manifest.release_id, how)
    return Published(
        target,
        manifest.release_id,
        manifest.audience,
        sent.already_complete,
        sent.uploaded_bytes,
        len(manifest.tables),
        len(manifest.left_out),
    )


class _Planned(NamedTuple):
    """What is known of a release before it is built."""

    as_of: date
    audience: Audience
    is_sample: bool


def _require_place(
    storage: Storage, release: _Planned | Manifest, found: VersionedPointer, allowed: Allowed
) -> None:
    """Raises ReleaseError if the release may not replace the place's current one.

    That is one for another audience, of a later day, or of real observations if this is the sample.
    """
    now = found.pointer
    if now is None:
        return
    if now.audience != release.audience:
        raise ReleaseError(
            f"{storage.url} has {now.audience} releases and this one is {release.audience}; "
            "nothing was published: use a separate target for each audience"
        )
    if release.is_sample and not now.is_sample and not allowed.sample:
        raise ReleaseError(
            f"{storage.url}/latest.json names {now.release_id} of real observations, and this run "
            "is of the sample; nothing was published: use another --publish-to, or --allow-sample"
        )
    if release.as_of < now.as_of and not allowed.older:
        raise ReleaseError(
            f"{storage.url}/latest.json names {now.release_id} of {now.as_of}, and this run is of "
            f"{release.as_of}, which is earlier; nothing was published: check the clock, return to "
            "an earlier release with `observatory releases rollback RELEASE`, or use --allow-older"
        )


def _require_no_shrink(target: str, manifest: Manifest, before: Manifest | None) -> None:
    if shrunk := compare_with_previous(manifest, before):
        raise ReleaseError(
            f"{target}: tables shrank since the previous release; nothing was published\n  "
            + "\n  ".join(map(str, shrunk))
            + "\n  check the source's snapshot; if the source really shrank, use --allow-shrink"
        )


def verify_published(
    storage: Storage, manifest: Manifest, folder: Path, validated: set[str]
) -> None:
    """Reads a release back, every byte of its tables and DuckDB file, and validates them.

    Each Parquet file must have the same rows and columns as its table in the DuckDB file. Great
    Expectations validates the tables whose digests are not in `validated`. Damaged objects are
    uploaded again if the staged folder has the right bytes. Raises ReleaseError, ValidationError.
    """
    with scratch_folder("readback") as scratch:
        try:
            files = read_back(storage, manifest.release_id, scratch)
        except DamagedError as error:
            log.warning("%s", error)
            repair(folder, storage, manifest, trust_checksums=False)
            files = read_back(storage, manifest.release_id, scratch)
        new = [t.name for t in manifest.tables if t.sha256 not in validated]
        database = scratch / DATABASE
        report = validate_copies(database, files, manifest.release_id, "published")
        report += validate_database(database, new, "published", alone=True)
    report.raise_for_critical()


def _validated_before(manifest: Manifest, before: Manifest | None) -> set[str]:
    """Digests of tables that the same code published: they passed its expectations."""
    if before is None or before.code["digest"] != manifest.code["digest"]:
        return set()
    return {table.sha256 for table in before.tables}


def add_docs(folder: Path, manifest: Manifest, validated: set[str] | None = None) -> Manifest:
    """Adds Data Docs of the tables in a staged public release.

    The Data Docs of the build may show rows that a license excludes. The digests of tables that
    pass are added to `validated`.
    """
    tables = [t.name for t in manifest.tables]
    report = validate_database(folder / DATABASE, tables, "published", alone=True)
    if validated is not None and not report.failures("critical"):
        validated |= {table.sha256 for table in manifest.tables}
    build_docs([report], folder / DOCS, manifest.as_of)
    return add_files(folder, manifest)


def add_page(folder: Path, manifest: Manifest) -> Manifest:
    """Adds the page of a staged release, made from its tables."""
    write_page(folder, manifest)
    return add_files(folder, manifest)
