"""The objects of a release in storage: their keys, what they must be, and the manifest of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from warehouse.releases.manifest import MANIFEST, FileEntry, Manifest, ReleaseError, parse_manifest
from warehouse.storage.files import file_sha256
from warehouse.storage.protocol import Digest, MissingObjectError, Storage

WORKERS = 8  # requests under way at once: a release has hundreds of small objects
T = TypeVar("T")
R = TypeVar("R")


class DamagedError(ReleaseError):
    """Storage does not give back what the manifest says."""


def parallel_map(do: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Does it for all of them, several at a time; the first failure stops what has not begun."""
    with ThreadPoolExecutor(WORKERS) as pool:
        try:
            return list(pool.map(do, items))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def is_intact(path: Path, entry: FileEntry) -> bool:
    """Whether a local file has the bytes of an entry."""
    return path.stat().st_size == entry.bytes and file_sha256(path) == entry.sha256


def digest_of(entry: FileEntry) -> Digest:
    """What the bytes of an entry are."""
    return Digest(entry.bytes, entry.sha256)


def release_key(release_id: str, path: str) -> str:
    """Key of an object of a release."""
    return f"releases/{release_id}/{path}"


def find_manifest(storage: Storage, release_id: str) -> Manifest | None:
    """The manifest of a release, None where the release is not (wholly) there."""
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
        raise ReleaseError(f"{storage.url}/{key} is the manifest of {manifest.release_id}")
    return manifest, data
