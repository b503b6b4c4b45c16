"""Verification: reads every byte of a release in storage and compares it with the manifest."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from warehouse.publishing.pointer import CHANNELS, read_pointer
from warehouse.publishing.release_objects import (
    DamagedError,
    digest_of,
    parallel_map,
    release_key,
    stored_manifest,
)
from warehouse.releases.manifest import DATABASE, MANIFEST, FileEntry, Manifest
from warehouse.storage.protocol import MissingObjectError, Storage, check_key

OK = "intact"


@dataclass(frozen=True)
class Verification:
    """The result. `unknown` objects are not in the manifest, so no reader finds them."""

    release_id: str
    objects: int
    bytes: int
    missing: tuple[str, ...]
    damaged: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def is_intact(self) -> bool:
        """Whether every object exists and matches the manifest."""
        return not self.missing and not self.damaged


def verify(storage: Storage, release_id: str) -> Verification:
    """Hashes every object of a release again, including objects that it shares with others.

    The manifest itself is compared with the pointers that name it. Raises MissingObjectError if
    there is no such release.
    """
    manifest, data = stored_manifest(storage, release_id)
    entries = [(release_key(release_id, e.path), e) for e in manifest.objects]
    entries += [(e.path, e) for e in manifest.shared]
    seen = parallel_map(lambda keyed: _check(storage, *keyed), entries)
    found = {key: what for (key, _), what in zip(entries, seen, strict=True)}
    if not _matches_pointers(storage, release_id, sha256(data).hexdigest()):
        found[release_key(release_id, MANIFEST)] = "damaged"
    known = {*found, release_key(release_id, MANIFEST)}
    stored = storage.keys(release_key(release_id, ""))
    return Verification(
        release_id=release_id,
        objects=len(entries) + 1,
        bytes=sum(entry.bytes for _, entry in entries) + len(data),
        missing=tuple(sorted(key for key, what in found.items() if what == "missing")),
        damaged=tuple(sorted(key for key, what in found.items() if what == "damaged")),
        unknown=tuple(key for key in stored if key not in known),
    )


def require_intact(storage: Storage, manifest: Manifest) -> None:
    """Hashes every table and the DuckDB file of a release in storage. Raises DamagedError."""
    entries = [*manifest.tables, database_entry(manifest)]
    keys = [release_key(manifest.release_id, entry.path) for entry in entries]
    found = parallel_map(lambda keyed: _check(storage, *keyed), zip(keys, entries, strict=True))
    if wrong := [f"{key} is {what}" for key, what in zip(keys, found, strict=True) if what != OK]:
        raise DamagedError(
            f"{storage.url}: {', '.join(wrong)}; publish again to upload what differs from the "
            "manifest"
        )


def database_entry(manifest: Manifest) -> FileEntry:
    """The entry of the release's DuckDB file."""
    return next(entry for entry in manifest.files if entry.path == DATABASE)


def _check(storage: Storage, key: str, entry: FileEntry) -> str:
    try:
        digest = storage.rehash(check_key(key))
    except MissingObjectError:
        return "missing"
    return OK if digest == digest_of(entry) else "damaged"


def _matches_pointers(storage: Storage, release_id: str, digest: str) -> bool:
    """Whether every pointer to the release names the digest of this manifest."""
    pointers = [read_pointer(storage, channel) for channel in CHANNELS]
    return all(p.manifest_sha256 == digest for p in pointers if p and p.release_id == release_id)
