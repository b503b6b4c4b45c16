"""Publishing: proves a staged release, uploads and verifies it, moves the pointer."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import NamedTuple

from expectations.copies import validate_copies
from expectations.docs import build_docs
from expectations.report import Report
from expectations.suites import Check
from expectations.validate import checks_of
from warehouse.contracts.table import contracts
from warehouse.publishing.channels import (
    copied_paths,
    latest_manifest,
    require_own_copies,
    set_pointer,
)
from warehouse.publishing.pointer import VersionedPointer, read_for_update
from warehouse.publishing.release_objects import DamagedError, release_key
from warehouse.publishing.upload import read_back, repair, upload
from warehouse.publishing.verify import database_entry, require_intact
from warehouse.releases.catalog_file import write_catalog
from warehouse.releases.manifest import (
    DATABASE,
    MANIFEST,
    PUBLIC_URL,
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
    proved: set[str] | None = None,
) -> Published:
    """Uploads a staged release, verifies what storage returns, then moves `latest`.

    The pointer moves only if it is still the one that this release was compared with. `proved` are
    digests of DuckDB files that equal the Parquet files (`prove`); those that pass here are added.
    Raises ReleaseError, StorageError, ValidationError.
    """
    proved = set() if proved is None else proved
    if database_entry(manifest).sha256 not in proved:
        prove(folder, manifest, proved)
    storage = open_storage(target)
    expected = read_for_update(storage, "latest")
    _require_place(storage, manifest, expected, allowed)
    require_own_copies(storage, "latest", copied_paths(manifest))
    before = latest_manifest(storage, expected)
    if not allowed.shrink:
        _require_no_shrink(target, manifest, before)
    sent = upload(folder, manifest, storage, before=before)
    verify_published(storage, sent.manifest, folder, proved)
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


def verify_published(storage: Storage, manifest: Manifest, folder: Path, proved: set[str]) -> None:
    """Hashes every table and the DuckDB file of a release in storage, and compares the two.

    What was staged and what storage returns have the same SHA-256, so what `prove` found in the
    staged folder holds for both. Only the DuckDB file of another publisher is downloaded: its bytes
    differ. Damaged objects are uploaded again if the staged folder has the right bytes. Raises
    ReleaseError, ValidationError.
    """
    try:
        require_intact(storage, manifest)
    except DamagedError as error:
        log.warning("%s", error)
        repair(folder, storage, manifest, trust_checksums=False)
        require_intact(storage, manifest)
    database = database_entry(manifest)
    if database.sha256 not in proved:
        with scratch_folder("readback") as scratch:
            path = scratch / DATABASE
            storage.download(release_key(manifest.release_id, DATABASE), path, durable=False)
            _compare_copies(path, folder, manifest).raise_for_critical()
        proved.add(database.sha256)


def prove(
    folder: Path, manifest: Manifest, proved: set[str] | None = None, *, just_built: bool = False
) -> Report:
    """Compares the DuckDB file of a staged release with its Parquet files, table by table.

    `just_built`: this run has built the warehouse, so these very rows have met every expectation.
    Otherwise somebody may have changed it since, and the rows of a table that a license cuts are
    others in any case: all that such tables promise is checked again. The digest of a file that
    passes is added to `proved`. Raises ValidationError.
    """
    known = contracts()
    cut = {x.table for x in manifest.left_out if x.predicate is not None}
    others = cut if just_built else {table.name for table in manifest.tables}
    again = {table: checks_of(known[table], alone=True) for table in sorted(others & set(known))}
    report = _compare_copies(folder / DATABASE, folder, manifest, again)
    report.raise_for_critical()
    if proved is not None:
        proved.add(database_entry(manifest).sha256)
    return report


def _compare_copies(
    database: Path,
    folder: Path,
    manifest: Manifest,
    again: Mapping[str, Sequence[Check]] | None = None,
) -> Report:
    files = {table.name: folder / table.path for table in manifest.tables}
    return validate_copies(database, files, manifest.release_id, "published", also=again)


def check_again(storage: Storage, release_id: str) -> Report:
    """Every expectation on a release in storage, such as one that was taken from elsewhere.

    Tables and DuckDB file are downloaded and compared. References and rules that read other tables
    are left out, since the release may not have those. Raises DamagedError, ValidationError.
    """
    with scratch_folder("verify") as scratch:
        files = read_back(storage, release_id, scratch)
        again = {table: checks_of(contracts()[table], alone=True) for table in files}
        return validate_copies(scratch / DATABASE, files, release_id, "published", also=again)


def add_docs(folder: Path, manifest: Manifest, report: Report) -> Manifest:
    """Adds Data Docs of the tables in a staged public release: what `prove` found.

    The Data Docs of the build may show rows that a license excludes.
    """
    build_docs([report], folder / DOCS, manifest.as_of)
    return add_files(folder, manifest)


def add_page(folder: Path, manifest: Manifest) -> Manifest:
    """Adds the catalog and the pages of a staged release, made from its tables."""
    public_url = manifest.code.get(PUBLIC_URL)
    write_catalog(folder, manifest, public_url)
    manifest = add_files(folder, manifest)
    write_page(folder, manifest, public_url=public_url)
    return add_files(folder, manifest)
