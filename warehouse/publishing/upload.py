"""Carrying a release to storage and reading it back.

    releases/<release_id>/...   never changed once its manifest is there; the manifest comes last
    latest.json, stable.json    the pointers (`warehouse.publishing.pointer`): moving one is the
    commit latest/..., stable/...      copies under stable names (`warehouse.publishing.channels`)
    hub_history/...             the days of the Hub's history, shared by all releases

A reader that follows a pointer to `releases/<release_id>/` always sees one whole release.
"""

from __future__ import annotations

import logging
import tempfile
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
from warehouse.releases.manifest import DATABASE, MANIFEST, FileEntry, Manifest, ReleaseError
from warehouse.storage.files import file_sha256
from warehouse.storage.protocol import Digest, MissingObjectError, Storage, check_key

log = logging.getLogger("observatory.publish")

How = Literal["reused", "copied", "uploaded"]


@dataclass(frozen=True)
class UploadReport:
    """What an upload did, by path. `manifest` is the one in storage: of the first whole upload.

    `copied` within storage, from the release before; `reused` because it was there.
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
    """Puts a staged release under `releases/<release_id>/`, its manifest last.

    A release that is whole already is reused as it is. Of an upload that died, objects with the
    right bytes are reused: nobody reads them before the manifest is there. What is equal in the
    release `before` is copied within storage and not sent. Of several publishers of one release
    each may end it, whoever began it. Raises ReleaseError, StorageError.
    """
    acquire(storage, manifest.release_id)
    if stored := find_manifest(storage, manifest.release_id):
        return _reuse(folder, storage, stored)
    there = {o.key: o.bytes for o in storage.listing(release_key(manifest.release_id, ""))}
    donors = (
        {e.sha256: release_key(before.release_id, e.path) for e in before.objects} if before else {}
    )

    def carry(entry: FileEntry) -> tuple[How, FileEntry]:
        key = release_key(manifest.release_id, entry.path)
        if there.get(key) == entry.bytes and storage.holds(key, digest_of(entry)):
            return "reused", entry
        if entry.path == DATABASE:
            return _first_database(storage, key, _staged(folder, entry), entry, manifest)
        if entry.sha256 in donors and _copied(storage, donors[entry.sha256], key, entry):
            return "copied", entry
        storage.put_file(key, _staged(folder, entry), entry.sha256)
        return "uploaded", entry

    _need_shared(folder, manifest, storage)
    carried = parallel_map(carry, manifest.objects)
    taken = {entry.path: entry for _, entry in carried}
    told = manifest.model_copy(update={"files": tuple(taken[e.path] for e in manifest.files)})
    key = release_key(manifest.release_id, MANIFEST)
    if not storage.put_bytes(key, told.to_json(), if_absent=True):  # another was faster
        return _reuse(folder, storage, read_manifest(storage, manifest.release_id))
    return _sent(told, carried)


def _sent(manifest: Manifest, carried: list[tuple[How, FileEntry]]) -> UploadReport:
    paths = {kind: tuple(e.path for how, e in carried if how == kind) for kind in get_args(How)}
    return UploadReport(
        manifest=manifest,
        uploaded=(*paths["uploaded"], MANIFEST),
        copied=paths["copied"],
        reused=paths["reused"],
        uploaded_bytes=sum(e.bytes for how, e in carried if how == "uploaded"),
        already_complete=False,
    )


def _first_database(
    storage: Storage, key: str, path: Path, entry: FileEntry, manifest: Manifest
) -> tuple[How, FileEntry]:
    """Puts the DuckDB file, unless another publisher of the same release has: then takes that.

    It is the one object that differs from run to run. Were it replaced, the manifest of whoever
    ends first might name bytes that are gone. What is no such file is of no use and replaced.
    """
    if storage.put_file(key, path, entry.sha256, if_absent=True):
        return "uploaded", entry
    with tempfile.TemporaryDirectory(prefix="observatory-found-") as scratch:
        found = Path(scratch) / DATABASE
        storage.download(key, found, durable=False)
        if _holds_tables(found, manifest):
            update = {"bytes": found.stat().st_size, "sha256": file_sha256(found)}
            return "reused", entry.model_copy(update=update)
    log.warning("%s/%s is not the DuckDB file of this release; replaced", storage.url, key)
    storage.put_file(key, path, entry.sha256)
    return "uploaded", entry


def _holds_tables(database: Path, manifest: Manifest) -> bool:
    """Whether a file is DuckDB's and has the release's tables with their numbers of rows.

    That those are the rows of the Parquet files is asked when the release is read back.
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


def _copied(storage: Storage, source: str, key: str, entry: FileEntry) -> bool:
    """Whether an equal object could be taken from the release before; a damaged one is not."""
    try:
        if not storage.holds(source, digest_of(entry)):
            return False
        storage.copy(source, key)
    except MissingObjectError:  # a cleaner took it meanwhile
        return False
    return True


def _reuse(folder: Path, storage: Storage, stored: Manifest) -> UploadReport:
    """Takes a whole release as it is, once every object of it is what its manifest says."""
    _need_shared(folder, stored, storage)
    sent = repair(folder, storage, stored)
    paths = tuple(e.path for e in stored.objects if e not in sent)
    return UploadReport(
        manifest=stored,
        uploaded=tuple(e.path for e in sent),
        copied=(),
        reused=(*paths, MANIFEST),
        uploaded_bytes=sum(e.bytes for e in sent),
        already_complete=True,
    )


def repair(
    folder: Path, storage: Storage, stored: Manifest, *, believe: bool = True
) -> list[FileEntry]:
    """Sends again what a whole release has lost; the manifest says which bytes those must be.

    Everything is read where storage is not to be believed. Returns what was sent. Raises
    DamagedError where neither the staged file nor the copy under a stable name has those bytes: a
    DuckDB file differs from run to run.
    """

    def put_right(entry: FileEntry) -> bool:
        key, digest = release_key(stored.release_id, entry.path), digest_of(entry)
        if storage.holds(key, digest) if believe else _rehash(storage, key) == digest:
            return False
        path = folder / check_key(entry.path)
        if path.is_file() and is_intact(path, entry):
            storage.put_file(key, path, entry.sha256)
        elif copy := _sound_copy(storage, entry):
            storage.copy(copy, key)
        else:
            raise DamagedError(_lost(storage, stored.release_id, entry))
        log.warning("%s/%s was lost or damaged; sent again", storage.url, key)
        return True

    mended = parallel_map(put_right, stored.objects)
    return [entry for entry, sent in zip(stored.objects, mended, strict=True) if sent]


def _sound_copy(storage: Storage, entry: FileEntry) -> str | None:
    """Key of a copy under a stable name whose every byte is right."""
    keys = (f"{channel}/{entry.path}" for channel in CHANNELS)
    return next((k for k in keys if _rehash(storage, k) == digest_of(entry)), None)


def _rehash(storage: Storage, key: str) -> Digest | None:
    try:
        return storage.rehash(key)
    except MissingObjectError:
        return None


def _lost(storage: Storage, release_id: str, entry: FileEntry) -> str:
    release = f"{storage.url}/releases/{release_id}"
    return (
        f"{release}/{entry.path} is missing or not what its manifest says, in a release that was "
        f"whole, and this run has no such bytes to mend it with; point readers elsewhere "
        f"(`observatory rollback`), remove {release}/ and publish again"
    )


def _need_shared(folder: Path, manifest: Manifest, storage: Storage) -> None:
    """Objects beside the releases, the same for all of them: sent once, and never replaced.

    Years of days are listed and not read again each time: `warehouse.publishing.verify` does that.
    """
    tops = {check_key(entry.path).split("/")[0] for entry in manifest.shared}
    there = {o.key: o.bytes for top in sorted(tops) for o in storage.listing(f"{top}/")}

    def put(entry: FileEntry) -> None:
        key = entry.path
        if key not in there:
            storage.put_file(key, _staged(folder, entry), entry.sha256)
        elif there[key] != entry.bytes:
            raise DamagedError(
                f"{storage.url}/{key} is shared by releases and not what this one says; look into "
                "it: a shared object never changes, new content needs a name of its own"
            )

    parallel_map(put, manifest.shared)


def _staged(folder: Path, entry: FileEntry) -> Path:
    """The staged file, once its bytes are what the manifest says."""
    path = folder / check_key(entry.path)
    if path.is_file() and is_intact(path, entry):
        return path
    raise ReleaseError(f"{path} is not what the manifest says; stage the release again")


def read_back(storage: Storage, release_id: str, folder: Path) -> dict[str, Path]:
    """Downloads a release's manifest, Parquet and DuckDB files, verified, into a folder.

    Returns the local file of every table by its name. Raises DamagedError naming the object whose
    bytes are not what the manifest says, or that is gone.
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
        raise DamagedError(f"{storage.url}/{key} is named in the manifest and gone") from error
    if not is_intact(path, entry):
        found = file_sha256(path)
        raise DamagedError(
            f"{storage.url}/{key} is damaged: {path.stat().st_size} bytes with sha256 "
            f"{found[:12]}…, where the manifest says {entry.bytes} with {entry.sha256[:12]}…; "
            f"publish again: what is damaged is sent again"
        )
    return path
