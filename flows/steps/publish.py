"""Publishing: a staged release to a place, proved by what the place gives back, then pointed at."""

from __future__ import annotations

import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path

from expectations.copies import validate_copies
from expectations.docs import build_docs
from expectations.validate import validate_database
from warehouse.publishing.channels import latest_manifest, set_pointer
from warehouse.publishing.pointer import read_for_update
from warehouse.publishing.release_objects import DamagedError
from warehouse.publishing.upload import read_back, repair, upload
from warehouse.releases.manifest import (
    DATABASE,
    Audience,
    Manifest,
    ReleaseError,
    compare_with_previous,
)
from warehouse.releases.stage import add_files
from warehouse.site.build import write_page
from warehouse.storage.open import open_storage
from warehouse.storage.protocol import Storage

log = logging.getLogger("observatory.publishing")

DOCS = "validation"


@dataclass(frozen=True)
class Published:
    """One release in one place."""

    url: str
    release_id: str
    audience: Audience
    is_reused: bool
    uploaded_bytes: int
    n_tables: int
    n_left_out: int


def publish_to(
    target: str,
    folder: Path,
    manifest: Manifest,
    allow_shrink: bool = False,
    publisher: str | None = None,
    proven: set[str] | None = None,
) -> Published:
    """Uploads a staged release, validates what storage gives back, then moves `latest`.

    The pointer moves only if it is still the one that this release was compared with. `proven`
    are digests of tables that passed in this run; those that pass here are added. Raises
    ReleaseError, StorageError, ValidationError.
    """
    storage = open_storage(target)
    expected = read_for_update(storage, "latest")
    before = latest_manifest(storage, expected)
    _need_same_audience(target, manifest, before)
    if not allow_shrink:
        _need_no_fall(target, manifest, before)
    sent = upload(folder, manifest, storage, before=before)
    proven = set() if proven is None else proven
    prove(storage, sent.manifest, folder, proven | _proven_before(manifest, before))
    proven |= {table.sha256 for table in sent.manifest.tables}
    set_pointer(storage, manifest.release_id, expected=expected, moved_by=publisher)
    verb = "already there, reused" if sent.already_complete else f"{sent.uploaded_bytes:,} bytes"
    log.info("%s: release %s, %s", target, manifest.release_id, verb)
    return Published(
        target,
        manifest.release_id,
        manifest.audience,
        sent.already_complete,
        sent.uploaded_bytes,
        len(manifest.tables),
        len(manifest.left_out),
    )


def _need_same_audience(target: str, manifest: Manifest, before: Manifest | None) -> None:
    if before and before.audience != manifest.audience:
        raise ReleaseError(
            f"{target} holds releases for the {before.audience} audience, this one is "
            f"{manifest.audience}; nothing was published: give each audience a place of its own"
        )


def _need_no_fall(target: str, manifest: Manifest, before: Manifest | None) -> None:
    if shrunk := compare_with_previous(manifest, before):
        raise ReleaseError(
            f"{target}: tables fell behind the release before, nothing was published\n  "
            + "\n  ".join(map(str, shrunk))
            + "\n  what to do: look at the source's snapshot; if the fall is real, publish with "
            "--allow-shrink"
        )


def prove(storage: Storage, manifest: Manifest, folder: Path, proven: set[str]) -> None:
    """Reads a release back, every byte of its tables and DuckDB file, and validates those.

    Great Expectations asks the tables of the DuckDB file, and each Parquet file holds the same rows
    in the same columns. It is not asked again about bytes that are already `proven`: the answer is
    the same. What is damaged is sent again from the staged folder where that has the right bytes.
    Raises ReleaseError, ValidationError.
    """
    with tempfile.TemporaryDirectory(prefix="observatory-readback-") as scratch:
        try:
            files = read_back(storage, manifest.release_id, Path(scratch))
        except DamagedError as error:
            log.warning("%s", error)
            repair(folder, storage, manifest, trust_checksums=False)
            files = read_back(storage, manifest.release_id, Path(scratch))
        new = [t.name for t in manifest.tables if t.sha256 not in proven]
        database = Path(scratch) / DATABASE
        report = validate_copies(database, files, manifest.release_id, "published")
        report += validate_database(database, new, "published", alone=True)
    report.raise_for_critical()


def _proven_before(manifest: Manifest, before: Manifest | None) -> set[str]:
    """Tables that the same code published, byte for byte: its expectations were asked of them."""
    if before is None or before.code["digest"] != manifest.code["digest"]:
        return set()
    return {table.sha256 for table in before.tables}


def add_docs(folder: Path, manifest: Manifest, proven: set[str] | None = None) -> Manifest:
    """Data Docs of exactly the tables in a staged release, added to it.

    For an open release: the docs of the build show rows of tables that a license leaves out. The
    digests of tables that pass are added to `proven`, so that `prove` need not ask again.
    """
    tables = [t.name for t in manifest.tables]
    report = validate_database(folder / DATABASE, tables, "published", alone=True)
    if proven is not None and not report.failures("critical"):
        proven |= {table.sha256 for table in manifest.tables}
    build_docs([report], folder / DOCS, manifest.as_of)
    return add_files(folder, manifest)


def add_page(folder: Path, manifest: Manifest) -> Manifest:
    """The page of a staged release, made from what it holds, added to it."""
    write_page(folder, manifest)
    return add_files(folder, manifest)
