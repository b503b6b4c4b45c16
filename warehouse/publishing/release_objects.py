"""The objects of a release in storage: their keys, digests and manifest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from warehouse.releases.manifest import MANIFEST, FileEntry, Manifest, ReleaseError, parse_manifest
from warehouse.storage.files import file_sha256
from warehouse.storage.protocol import Digest, MissingObjectError, Storage

WORKERS = 8  # parallel requests: a release has hundreds of small objects
T = TypeVar("T")
R = TypeVar("R")


class DamagedError(ReleaseError):
    """Objects in storage do not match the manifest."""


def parallel_map(do: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """The results of `do`, several at a time; the first failure cancels what has not started."""
    with ThreadPoolExecutor(WORKERS) as pool:
        try:
            return list(pool.map(do, items))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def is_intact(path: Path, entry: FileEntry) -> bool:
    """Whether a local file matches its entry in the manifest."""
    return path.stat().st_size == entry.bytes and file_sha256(path) == entry.sha256


def digest_of(entry: FileEntry) -> Digest:
    """Size and hash of an entry."""
    return Digest(entry.bytes, entry.sha256)


def release_key(release_id: str, path: str) -> str:
    """Key of an object of a release."""
    return f"releases/{release_id}/{path}"


def find_manifest(storage: Storage, release_id: str) -> Manifest | None:
    """The manifest of a release, None if the release is missing or incomplete."""
    try:
        return read_manifest(storage, release_id)
    except MissingObjectError:
        return None


def read_manifest(storage: Storage, release_id: str) -> Manifest:
    """The manifest of a release. Raises MissingObjectError, ReleaseError."""
    return stored_manifest(storage, release_id)[0]


def stored_manifest(storage: Storage, release_id: str) -> tuple[Manifest, bytes]:
    """The manifest of a release and its bytes. Raises MissingObjectError, ReleaseError."""
    key = release_key(release_id, MANIFEST)
    data = storage.get_bytes(key)
    manifest = parse_manifest(data, f"{storage.url}/{key}")
    if manifest.release_id != release_id:
        raise ReleaseError(
            f"{storage.url}/{key} is the manifest of release {manifest.release_id}; use another "
            "release, and remove this one"
        )
    return manifest, data
