"""Carrying a release to storage, reading it back, and pointing readers at it.

    releases/<release_id>/...   never changed once its manifest is there; the manifest comes last
    latest/...                  copies under stable names, for tools that take one address
    latest.json                 the pointer; written when all of the above is in place

A reader that follows `latest.json` to `releases/<release_id>/` always sees one whole release.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path

from pydantic import ValidationError

from warehouse.archive import file_sha256
from warehouse.manifest import (
    MANIFEST,
    Audience,
    Entry,
    FileEntry,
    Manifest,
    ReleaseError,
    ReleaseId,
    Sha256,
    parse_manifest,
    to_json,
)
from warehouse.storage import MissingObjectError, Storage, check_key

LATEST = "latest.json"


class LatestPointer(Entry):
    """What `latest.json` says: the newest release that is wholly in place."""

    release_id: ReleaseId
    as_of: date
    audience: Audience
    is_sample: bool
    manifest: str
    manifest_sha256: Sha256
    published_at: datetime


@dataclass(frozen=True)
class UploadReport:
    """What an upload did. `manifest` is the one in storage: that of the first whole upload."""

    manifest: Manifest
    uploaded: tuple[str, ...]
    reused: tuple[str, ...]
    uploaded_bytes: int
    was_whole: bool


def upload(folder: Path, manifest: Manifest, storage: Storage) -> UploadReport:
    """Puts a staged release under `releases/<release_id>/`, its manifest last.

    A release that is whole already is verified and reused as it is. Objects of an upload that
    died are reused where their bytes are right and replaced where not: nobody reads them before
    the manifest is there. Raises ReleaseError, StorageError.
    """
    if stored := find_manifest(storage, manifest.release_id):
        return _reuse(storage, stored)
    sent: list[FileEntry] = []
    for entry in manifest.objects:
        key = _key(manifest.release_id, entry.path)
        if not _holds(storage, key, entry):
            storage.put_file(key, _staged(folder, entry))
            sent.append(entry)
    key = _key(manifest.release_id, MANIFEST)
    if not storage.put_bytes(key, manifest.to_json(), if_absent=True):
        return _reuse(storage, read_manifest(storage, manifest.release_id))  # another was faster
    uploaded = tuple(e.path for e in sent)
    return UploadReport(
        manifest=manifest,
        uploaded=(*uploaded, MANIFEST),
        reused=tuple(e.path for e in manifest.objects if e.path not in uploaded),
        uploaded_bytes=sum(e.bytes for e in sent),
        was_whole=False,
    )


def _reuse(storage: Storage, stored: Manifest) -> UploadReport:
    for entry in stored.objects:
        key = _key(stored.release_id, entry.path)
        if not _holds(storage, key, entry):
            release = f"{storage.url}/releases/{stored.release_id}"
            raise ReleaseError(
                f"{storage.url}/{key} is missing or not what its manifest says, in a release that "
                f"was whole; remove {release}/ and publish again"
            )
    paths = tuple(e.path for e in stored.objects)
    return UploadReport(stored, (), (*paths, MANIFEST), uploaded_bytes=0, was_whole=True)


def _staged(folder: Path, entry: FileEntry) -> Path:
    """The staged file, once its bytes are what the manifest says."""
    path = folder / check_key(entry.path)
    if path.is_file() and _is(path, entry):
        return path
    raise ReleaseError(f"{path} is not what the manifest says; stage the release again")


def _is(path: Path, entry: FileEntry) -> bool:
    return path.stat().st_size == entry.bytes and file_sha256(path) == entry.sha256


def _holds(storage: Storage, key: str, entry: FileEntry) -> bool:
    """Whether storage has exactly these bytes under the key; it is asked for them, not trusted."""
    if storage.size(key) != entry.bytes:
        return False
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "object"
        storage.download(key, path)
        return _is(path, entry)


def _key(release_id: str, path: str) -> str:
    return f"releases/{release_id}/{path}"


def find_manifest(storage: Storage, release_id: str) -> Manifest | None:
    """The manifest of a release, None where the release is not (wholly) there."""
    try:
        return read_manifest(storage, release_id)
    except MissingObjectError:
        return None


def read_manifest(storage: Storage, release_id: str) -> Manifest:
    """The manifest of a release. Raises MissingObjectError, ReleaseError."""
    return _stored_manifest(storage, release_id)[0]


def _stored_manifest(storage: Storage, release_id: str) -> tuple[Manifest, bytes]:
    key = _key(release_id, MANIFEST)
    data = storage.get_bytes(key)
    manifest = parse_manifest(data, f"{storage.url}/{key}")
    if manifest.release_id != release_id:
        raise ReleaseError(f"{storage.url}/{key} is the manifest of {manifest.release_id}")
    return manifest, data


def read_back(storage: Storage, release_id: str, folder: Path) -> dict[str, Path]:
    """Downloads a release's manifest and Parquet files, verified, into a folder.

    Returns the local file of every table by its name. Raises ReleaseError naming the object whose
    bytes are not what the manifest says, or that is gone.
    """
    manifest, data = _stored_manifest(storage, release_id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).write_bytes(data)
    return {entry.name: _fetch(storage, release_id, entry, folder) for entry in manifest.tables}


def _fetch(storage: Storage, release_id: str, entry: FileEntry, folder: Path) -> Path:
    key = _key(release_id, check_key(entry.path))
    path = folder / entry.path
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        storage.download(key, path)
    except MissingObjectError as error:
        raise ReleaseError(f"{storage.url}/{key} is named in the manifest and gone") from error
    if not _is(path, entry):
        found = file_sha256(path)
        raise ReleaseError(
            f"{storage.url}/{key} is damaged: {path.stat().st_size} bytes with sha256 "
            f"{found[:12]}…, where the manifest says {entry.bytes} with {entry.sha256[:12]}…; "
            f"remove that release and publish again"
        )
    return path


def point_latest(
    storage: Storage, manifest: Manifest, *, published_at: datetime | None = None
) -> LatestPointer:
    """Copies a whole release to `latest/`, clears what is stale there, then writes `latest.json`.

    The pointer comes last: whatever breaks before leaves the old one. One that already says the
    same is left as it is, with its date. Raises ReleaseError if the release is not whole.
    """
    try:
        stored, data = _stored_manifest(storage, manifest.release_id)
    except MissingObjectError as error:
        raise ReleaseError(
            f"{storage.url} does not hold release {manifest.release_id} wholly; upload it first"
        ) from error
    _copy_to_latest(storage, stored, len(data))
    pointer = LatestPointer(
        release_id=stored.release_id,
        as_of=stored.as_of,
        audience=stored.audience,
        is_sample=stored.is_sample,
        manifest=_key(stored.release_id, MANIFEST),
        manifest_sha256=sha256(data).hexdigest(),
        published_at=published_at or datetime.now(UTC).replace(microsecond=0),
    )
    return _write_pointer(storage, pointer)


def _copy_to_latest(storage: Storage, manifest: Manifest, manifest_bytes: int) -> None:
    sizes = {entry.path: entry.bytes for entry in manifest.objects} | {MANIFEST: manifest_bytes}
    for path, size in sizes.items():
        key = f"latest/{check_key(path)}"
        storage.copy(_key(manifest.release_id, path), key)
        if storage.size(key) != size:
            raise ReleaseError(f"{storage.url}/{key} was not copied wholly; run again")
    for key in storage.keys("latest/"):
        if key.removeprefix("latest/") not in sizes:
            storage.delete(key)


def _write_pointer(storage: Storage, pointer: LatestPointer) -> LatestPointer:
    try:
        old = read_latest(storage)
    except ReleaseError:
        old = None  # a pointer that nobody can read is replaced
    if old and old.model_copy(update={"published_at": pointer.published_at}) == pointer:
        return old
    storage.put_bytes(LATEST, to_json(pointer))
    return pointer


def read_latest(storage: Storage) -> LatestPointer | None:
    """The pointer, None where nothing was published yet. Raises ReleaseError if it is damaged."""
    try:
        return LatestPointer.model_validate_json(storage.get_bytes(LATEST))
    except MissingObjectError:
        return None
    except ValidationError as error:
        raise ReleaseError(f"{storage.url}/{LATEST} is not a pointer of ours: {error}") from error


def latest_manifest(storage: Storage) -> Manifest | None:
    """The manifest that the pointer names, None where nothing was published yet.

    Raises ReleaseError if it is gone or is not the one that was pointed at.
    """
    pointer = read_latest(storage)
    if pointer is None:
        return None
    try:
        manifest, data = _stored_manifest(storage, pointer.release_id)
    except MissingObjectError as error:
        raise ReleaseError(f"{error.where}: {LATEST} points at it, and it is gone") from error
    if sha256(data).hexdigest() != pointer.manifest_sha256:
        raise ReleaseError(f"{storage.url}/{pointer.manifest} is not the one that was published")
    return manifest
