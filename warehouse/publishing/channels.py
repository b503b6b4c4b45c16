"""Channels: pointing readers at a release, and the copies under stable names that follow.

The pointer moves first: that is the commit, and exactly one of several publishers makes it. Then
the copies in `<channel>/` are brought up to it. They are for tools that take one address a table:
for moments, or after a crash until the next publish, some of them may still be of the release
before, each of them whole.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from hashlib import sha256

from warehouse.publishing.leases import acquire
from warehouse.publishing.pointer import (
    Action,
    Channel,
    Pointer,
    VersionedPointer,
    compare_and_swap,
    read_for_update,
    read_pointer,
)
from warehouse.publishing.release_objects import (
    DamagedError,
    digest_of,
    parallel_map,
    release_key,
    stored_manifest,
)
from warehouse.releases.manifest import MANIFEST, FileEntry, Manifest, ReleaseError
from warehouse.storage.protocol import (
    MissingObjectError,
    RefusedError,
    Storage,
    StorageError,
    check_key,
)

log = logging.getLogger("observatory.publish")

FOLLOWS = 5  # how often copies are made anew while others move the pointer


def set_pointer(
    storage: Storage,
    release_id: str,
    channel: Channel = "latest",
    *,
    expected: VersionedPointer | None = None,
    action: Action = "publish",
    moved_by: str | None = None,
    at: datetime | None = None,
) -> Pointer:
    """Moves a channel's pointer to a whole release, then lets the copies follow.

    `expected` is the pointer that the caller compared itself with; it moves only if that one still
    stands. A pointer that already names the release is left as it is, with its date. Raises
    PointerConflictError; ReleaseError if the release is not whole.
    """
    acquire(storage, release_id)
    try:
        stored, data = stored_manifest(storage, release_id)
    except MissingObjectError as error:
        raise ReleaseError(
            f"{storage.url} does not hold release {release_id} wholly; "
            "`observatory releases` lists what it holds"
        ) from error
    expected = expected or read_for_update(storage, channel, even_damaged=True)
    digest = sha256(data).hexdigest()
    now = expected.pointer
    if now is None or (now.release_id, now.manifest_sha256) != (release_id, digest):
        at = at or datetime.now(UTC).replace(microsecond=0)
        now = compare_and_swap(
            storage, channel, expected, _pointer_to(stored, digest, action, moved_by, at)
        )
    try:
        sync_copies(storage, channel)
    except StorageError as error:
        what = f"{error.what}; {channel}.json names {now.release_id}, only the copies lag behind"
        raise StorageError(error.where, what, error.todo) from error
    return now


def _pointer_to(
    manifest: Manifest, digest: str, action: Action, moved_by: str | None, at: datetime
) -> Pointer:
    return Pointer(
        release_id=manifest.release_id,
        as_of=manifest.as_of,
        audience=manifest.audience,
        is_sample=manifest.is_sample,
        manifest=release_key(manifest.release_id, MANIFEST),
        manifest_sha256=digest,
        published_at=at,
        action=action,
        moved_by=moved_by,
    )


def require_complete(storage: Storage, release_id: str) -> Manifest:
    """The manifest of a release of which nothing is missing. Raises DamagedError, naming it."""
    manifest, _ = stored_manifest(storage, release_id)
    entries = [(release_key(release_id, e.path), e) for e in manifest.objects]
    entries += [(e.path, e) for e in manifest.shared]
    good = parallel_map(lambda keyed: storage.holds(keyed[0], digest_of(keyed[1])), entries)
    if bad := [key for (key, _), is_good in zip(entries, good, strict=True) if not is_good]:
        raise DamagedError(
            f"{storage.url}/{bad[0]} is missing or not what its manifest says ({len(bad)} of "
            f"{len(entries)} objects); readers are not pointed at it: take another release"
        )
    return manifest


def sync_copies(storage: Storage, channel: Channel) -> None:
    """Makes `<channel>/` the copies of what its pointer names.

    Whoever has written a copy looks at the pointer afterwards, and copies again if it has moved:
    however many do this at once, the last to write has copied what the pointer names.
    """
    for _ in range(FOLLOWS):
        pointer = read_pointer(storage, channel)
        if pointer is None:
            return
        _copy_release(storage, channel, *stored_manifest(storage, pointer.release_id))
        if read_pointer(storage, channel) == pointer:
            return


def _copy_release(storage: Storage, channel: Channel, manifest: Manifest, data: bytes) -> None:
    def copy(entry: FileEntry) -> None:
        key = f"{channel}/{check_key(entry.path)}"
        if not storage.holds(key, digest_of(entry)):
            storage.copy(release_key(manifest.release_id, entry.path), key)

    parallel_map(copy, manifest.objects)
    own = FileEntry(path=MANIFEST, bytes=len(data), sha256=sha256(data).hexdigest())
    copy(own)  # last: whoever finds the copies equal to their manifest has one release
    named = copy_keys(channel, manifest)
    stale = [key for key in storage.keys(f"{channel}/") if key not in named]
    try:
        parallel_map(storage.delete, stale)
    except RefusedError:
        log.warning(
            "%s/%s/: %d objects are of no table any more, and these credentials may not delete "
            "them; `observatory clean --apply` with a cleaner's does",
            storage.url,
            channel,
            len(stale),
        )


def copy_keys(channel: Channel, manifest: Manifest) -> set[str]:
    """Keys of the copies of a release."""
    return {f"{channel}/{path}" for path in (MANIFEST, *(e.path for e in manifest.objects))}


def latest_manifest(storage: Storage, expected: VersionedPointer | None = None) -> Manifest | None:
    """The manifest that the pointer names, None where nothing was published yet.

    Raises ReleaseError if it is gone or is not the one that was pointed at.
    """
    pointer = (expected or read_for_update(storage, "latest")).pointer
    if pointer is None:
        return None
    todo = "point readers at a whole release with `observatory rollback RELEASE`"
    try:
        manifest, data = stored_manifest(storage, pointer.release_id)
    except MissingObjectError as error:
        what = "latest.json points at it, and it is gone"
        raise ReleaseError(f"{error.where}: {what}; {todo}") from error
    if sha256(data).hexdigest() != pointer.manifest_sha256:
        where = f"{storage.url}/{pointer.manifest}"
        raise ReleaseError(f"{where} is not the one that was published; {todo}")
    return manifest
