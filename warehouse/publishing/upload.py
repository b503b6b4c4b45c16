"""Uploads a release to storage and reads it back.

    releases/<release_id>/...    the manifest is written last; nothing changes after that
    latest.json, stable.json     the pointers (`warehouse.publishing.pointer`)
    latest/..., stable/...       copies under stable names (`warehouse.publishing.channels`)
    hub_history/...              the days of the Hub's history, shared by all releases

A reader that follows a pointer to `releases/<release_id>/` always sees one complete release.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import duckdb

from warehouse.contracts.table import quote
from warehouse.database.duckdb_file import connect
from warehouse.publishing.leases import acquire
from warehouse.publishing.pointer import CHANNELS
from warehouse.publishing.release_objects import (
    DamagedError,
    digest_of,
    find_manifest,
    is_intact,
    parallel_map,
    read_manifest,
    release_key,
    stored_manifest,
)
from warehouse.releases.catalog_file import is_catalog
from warehouse.releases.manifest import (
    CATALOG,
    DATABASE,
    MANIFEST,
    FileEntry,
    Manifest,
    ReleaseError,
)
from warehouse.storage.files import file_sha256
from warehouse.storage.protocol import Digest, MissingObjectError, Storage, check_key
from warehouse.storage.scratch import scratch_folder

log = logging.getLogger("observatory.publish")

Transfer = Literal["reused", "copied", "uploaded"]


@dataclass(frozen=True)
class UploadReport:
    """What an upload did, by path. `manifest` is the stored one, of the first complete upload.

    `copied` objects came from the previous release, `reused` ones were already stored.
    """

    manifest: Manifest
    uploaded: tuple[str, ...]
    copied: tuple[str, ...]
    reused: tuple[str, ...]
    uploaded_bytes: int
    already_complete: bool


def upload(
    folder: Path, manifest: Manifest, storage: Storage, *, before: Manifest | None = None
) -> UploadReport:
    """Stores a staged release under `releases/<release_id>/`, its manifest last.

    A release that is already complete is reused. So are the correct objects of an interrupted
    upload: no reader finds them before the manifest exists. Objects that equal one of the release
    `before` are copied within storage. Several publishers may upload one release at once, and any
    of them may complete it. Raises ReleaseError, StorageError.
    """
    acquire(storage, manifest.release_id, (entry.path for entry in manifest.objects))
    if stored := find_manifest(storage, manifest.release_id):
        return _reuse(folder, storage, stored)
    listed = {o.key: o.bytes for o in storage.listing(release_key(manifest.release_id, ""))}
    sources = (
        {e.sha256: release_key(before.release_id, e.path) for e in before.objects} if before else {}
    )

    def transfer(entry: FileEntry) -> tuple[Transfer, FileEntry]:
        key = release_key(manifest.release_id, entry.path)
        if listed.get(key) == entry.bytes and storage.holds(key, digest_of(entry)):
            return "reused", entry
        if entry.path in IS_SOUND:
            return _upload_database(storage, key, _staged(folder, entry), entry, manifest)
        if entry.sha256 in sources and _copied(storage, sources[entry.sha256], key, entry):
            return "copied", entry
        storage.put_file(key, _staged(folder, entry), entry.sha256)
        return "uploaded", entry

    _upload_shared(folder, manifest, storage)
    done = parallel_map(transfer, manifest.objects)
    stored_as = {entry.path: entry for _, entry in done}
    final = manifest.model_copy(update={"files": tuple(stored_as[e.path] for e in manifest.files)})
    key = release_key(manifest.release_id, MANIFEST)
    if not storage.put_bytes(key, final.to_json(), if_absent=True):  # another publisher was first
        return _reuse(folder, storage, read_manifest(storage, manifest.release_id))
    return _report(final, done)


def _report(manifest: Manifest, done: list[tuple[Transfer, FileEntry]]) -> UploadReport:
    paths = {kind: tuple(e.path for how, e in done if how == kind) for kind in get_args(Transfer)}
    return UploadReport(
        manifest=manifest,
        uploaded=(*paths["uploaded"], MANIFEST),
        copied=paths["copied"],
        reused=paths["reused"],
        uploaded_bytes=sum(e.bytes for how, e in done if how == "uploaded"),
        already_complete=False,
    )


def _upload_database(
    storage: Storage, key: str, path: Path, entry: FileEntry, manifest: Manifest
) -> tuple[Transfer, FileEntry]:
    """Stores a DuckDB file, or reuses the one of another publisher of the same release.

    Its bytes differ from run to run. If it were replaced, the manifest of the publisher that
    finishes first could name bytes that no longer exist. An invalid file is replaced.
    """
    if storage.put_file(key, path, entry.sha256, if_absent=True):
        return "uploaded", entry
    with scratch_folder("found") as scratch:
        found = scratch / entry.path
        storage.download(key, found, durable=False)
        if IS_SOUND[entry.path](found, manifest):
            update = {"bytes": found.stat().st_size, "sha256": file_sha256(found)}
            return "reused", entry.model_copy(update=update)
    log.warning("%s/%s is not the file of this release; replaced it", storage.url, key)
    storage.put_file(key, path, entry.sha256)
    return "uploaded", entry


def _has_tables(database: Path, manifest: Manifest) -> bool:
    """Whether a DuckDB file has the release's tables with the right numbers of rows.

    Whether the rows equal those of the Parquet files is checked when the release is read back.
    """
    try:
        with connect(database, read_only=True) as con:
            for table in manifest.tables:
                name = ".".join(quote(part) for part in table.name.split("."))
                if con.execute(f"SELECT count(*) FROM {name}").fetchall() != [(table.rows,)]:
                    return False
    except duckdb.Error:
        return False
    return True


# DuckDB files of a release, whose bytes differ from run to run -> whether one is the release's.
IS_SOUND = {DATABASE: _has_tables, CATALOG: is_catalog}


def _copied(storage: Storage, source: str, key: str, entry: FileEntry) -> bool:
    """Copies an equal object of the previous release. False if it is damaged or missing."""
    try:
        if not storage.holds(source, digest_of(entry)):
            return False
        storage.copy(source, key)
    except MissingObjectError:  # removed by a clean-up in the meantime
        return False
    return True


def _reuse(folder: Path, storage: Storage, stored: Manifest) -> UploadReport:
    """Uses a complete release as it is, after checking and repairing its objects."""
    _upload_shared(folder, stored, storage)
    sent = repair(folder, storage, stored)
    return UploadReport(
        manifest=stored,
        uploaded=tuple(e.path for e in sent),
        copied=(),
        reused=(*(e.path for e in stored.objects if e not in sent), MANIFEST),
        uploaded_bytes=sum(e.bytes for e in sent),
        already_complete=True,
    )


def repair(
    folder: Path, storage: Storage, stored: Manifest, *, trust_checksums: bool = True
) -> list[FileEntry]:
    """Uploads lost or damaged objects of a complete release again. Returns their entries.

    Without `trust_checksums` every byte is read. Raises DamagedError if neither the staged file
    nor a copy under a stable name has the right bytes: a DuckDB file differs from run to run.
    """

    def restored(entry: FileEntry) -> bool:
        key, digest = release_key(stored.release_id, entry.path), digest_of(entry)
        if trust_checksums and storage.holds(key, digest):
            return False
        if not trust_checksums and _rehash(storage, key) == digest:
            return False
        path = folder / check_key(entry.path)
        if path.is_file() and is_intact(path, entry):
            storage.put_file(key, path, entry.sha256)
        elif copy := _sound_copy(storage, entry):
            storage.copy(copy, key)
        else:
            raise DamagedError(_cannot_repair(storage, stored.release_id, entry))
        log.warning("%s/%s was lost or damaged; uploaded it again", storage.url, key)
        return True

    repaired = parallel_map(restored, stored.objects)
    return [entry for entry, sent in zip(stored.objects, repaired, strict=True) if sent]


def _sound_copy(storage: Storage, entry: FileEntry) -> str | None:
    """Key of an undamaged copy under a stable name."""
    keys = (f"{channel}/{entry.path}" for channel in CHANNELS)
    return next((k for k in keys if _rehash(storage, k) == digest_of(entry)), None)


def _rehash(storage: Storage, key: str) -> Digest | None:
    try:
        return storage.rehash(key)
    except MissingObjectError:
        return None


def _cannot_repair(storage: Storage, release_id: str, entry: FileEntry) -> str:
    release = f"{storage.url}/releases/{release_id}"
    return (
        f"{release}/{entry.path} is missing or does not match the manifest of this complete "
        "release, and this run does not have the right bytes; point readers to another release "
        f"(`observatory releases rollback`), remove {release}/ and publish again"
    )


def _upload_shared(folder: Path, manifest: Manifest, storage: Storage) -> None:
    """Stores objects that all releases share. Each is uploaded once and never replaced.

    Only their sizes are compared here; `warehouse.publishing.verify` reads them.
    """
    tops = {check_key(entry.path).split("/")[0] for entry in manifest.shared}
    listed = {o.key: o.bytes for top in sorted(tops) for o in storage.listing(f"{top}/")}

    def put(entry: FileEntry) -> None:
        key = entry.path
        if key not in listed:
            storage.put_file(key, _staged(folder, entry), entry.sha256)
        elif listed[key] != entry.bytes:
            raise DamagedError(
                f"{storage.url}/{key} has {listed[key]:,} bytes where this release expects "
                f"{entry.bytes:,}; releases share it and it never changes: find out what wrote it, "
                "remove it and publish again"
            )

    parallel_map(put, manifest.shared)


def _staged(folder: Path, entry: FileEntry) -> Path:
    """The staged file, if it matches its entry in the manifest."""
    path = folder / check_key(entry.path)
    if path.is_file() and is_intact(path, entry):
        return path
    raise ReleaseError(f"{path} does not match its manifest; stage the release again")


def read_back(storage: Storage, release_id: str, folder: Path) -> dict[str, Path]:
    """Downloads a release's manifest, Parquet and DuckDB files into a folder and verifies them.

    Returns the local file of every table by its name. Raises DamagedError naming an object that
    is missing or does not match the manifest.
    """
    manifest, data = stored_manifest(storage, release_id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).write_bytes(data)
    databases = [e for e in manifest.files if e.path == DATABASE]

    def fetch(entry: FileEntry) -> Path:
        return _fetch(storage, release_id, entry, folder)

    found = parallel_map(fetch, [*manifest.tables, *databases])
    return {entry.name: path for entry, path in zip(manifest.tables, found, strict=False)}


def _fetch(storage: Storage, release_id: str, entry: FileEntry, folder: Path) -> Path:
    key = release_key(release_id, check_key(entry.path))
    path = folder / entry.path
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        storage.download(key, path, durable=False)
    except MissingObjectError as error:
        raise DamagedError(
            f"{storage.url}/{key} is missing, although the manifest lists it; publish again to "
            "upload it again"
        ) from error
    if not is_intact(path, entry):
        raise DamagedError(
            f"{storage.url}/{key} is damaged: {path.stat().st_size} bytes with sha256 "
            f"{file_sha256(path)[:12]}…, the manifest says {entry.bytes} bytes with "
            f"{entry.sha256[:12]}…; publish again to upload it again"
        )
    return path
