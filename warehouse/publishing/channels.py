"""Channels: setting a pointer, and keeping the copies under stable names in sync with it.

The pointer moves first. That is the commit, and exactly one of several publishers makes it. Then
the copies in `<channel>/` are updated. They are for tools that need one address per table. During
the update, or after a crash until the next publish, some copies may be of the previous release;
each file is complete.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256

from warehouse.publishing.leases import acquire
from warehouse.publishing.pointer import (
    Action,
    Channel,
    Pointer,
    VersionedPointer,
    compare_and_swap,
    pointer_key,
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
from warehouse.releases.manifest import (
    MANIFEST,
    FileEntry,
    Manifest,
    ReleaseError,
    parse_manifest,
)
from warehouse.storage.protocol import (
    MissingObjectError,
    RefusedError,
    Storage,
    StorageError,
    check_key,
)

log = logging.getLogger("observatory.publish")

_MANIFEST_KEY = rf"releases/[^/]+/{re.escape(MANIFEST)}"
SYNCS = 5  # how often copies are repeated while other publishers move the pointer


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
    """Moves a channel's pointer to a complete release, then syncs the copies.

    `expected` is the pointer that the caller compared the release with; the pointer moves only if
    it is still current. A pointer that already names the release is unchanged, with its date.
    Raises PointerConflictError, and ReleaseError if the release is incomplete.
    """
    acquire(storage, release_id)
    try:
        stored, data = stored_manifest(storage, release_id)
    except MissingObjectError as error:
        raise ReleaseError(
            f"{storage.url}: release {release_id} is missing or incomplete; "
            "`observatory releases list` shows the complete ones"
        ) from error
    expected = expected or read_for_update(storage, channel, even_damaged=True)
    require_own_copies(storage, channel, copied_paths(stored))
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
        what = f"{error.what}; {channel}.json names {now.release_id}, only the copies are outdated"
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
    """The manifest of a release that has all its objects. Raises DamagedError."""
    manifest, _ = stored_manifest(storage, release_id)
    entries = [(release_key(release_id, e.path), e) for e in manifest.objects]
    entries += [(e.path, e) for e in manifest.shared]
    good = parallel_map(lambda keyed: storage.holds(keyed[0], digest_of(keyed[1])), entries)
    if bad := [key for (key, _), is_good in zip(entries, good, strict=True) if not is_good]:
        raise DamagedError(
            f"{storage.url}/{bad[0]} is missing or does not match the manifest ({len(bad)} of "
            f"{len(entries)} objects); the pointer was not moved: choose another release"
        )
    return manifest


def sync_copies(storage: Storage, channel: Channel) -> None:
    """Makes the copies in `<channel>/` those of the release that its pointer names.

    The pointer is read again after copying, and copying repeats if it has moved. So of several
    publishers that sync at once, the last to write has copied the current release.
    """
    for _ in range(SYNCS):
        pointer = read_pointer(storage, channel)
        if pointer is None:
            return
        _copy_release(storage, channel, *stored_manifest(storage, pointer.release_id))
        if read_pointer(storage, channel) == pointer:
            return


def _copy_release(storage: Storage, channel: Channel, manifest: Manifest, data: bytes) -> None:
    listed = {found.key: found.bytes for found in storage.listing(f"{channel}/")}

    def copy(entry: FileEntry) -> None:
        key = f"{channel}/{check_key(entry.path)}"
        if listed.get(key) != entry.bytes or not storage.holds(key, digest_of(entry)):
            storage.copy(release_key(manifest.release_id, entry.path), key)

    parallel_map(copy, manifest.objects)
    stale = stale_copies(storage, channel, manifest, storage.keys(f"{channel}/"))
    own = FileEntry(path=MANIFEST, bytes=len(data), sha256=sha256(data).hexdigest())
    copy(own)  # last: copies that match their manifest are of one release
    try:
        parallel_map(storage.delete, stale)
    except RefusedError:
        log.warning(
            "%s/%s/: %d copies belong to no table any more, and these credentials may not delete "
            "them; run `observatory releases clean` with the credentials of a cleaner",
            storage.url,
            channel,
            len(stale),
        )


def copied_paths(manifest: Manifest) -> tuple[str, ...]:
    """Paths of a release's objects that a channel has copies of."""
    return (MANIFEST, *(entry.path for entry in manifest.objects))


def stale_copies(
    storage: Storage, channel: Channel, manifest: Manifest, keys: Iterable[str]
) -> list[str]:
    """Those of the keys that are copies of other releases than the current one.

    Objects that no manifest of this place names belong to somebody else.
    """
    others = set(keys) - {f"{channel}/{path}" for path in copied_paths(manifest)}
    return sorted(own_keys(storage, channel, others))


def own_keys(storage: Storage, channel: Channel, keys: Iterable[str]) -> set[str]:
    """Those of the keys that are copies of a release of this place.

    The manifest among the copies is enough, unless a publisher was interrupted. Before a channel
    has a pointer, nothing was copied.
    """
    asked = {key for key in keys if key.startswith(f"{channel}/")}
    own = asked & _keys_named(storage, channel, f"{channel}/{MANIFEST}") if asked else asked
    if own == asked or storage.size(pointer_key(channel)) is None:
        return own
    manifests = [k for k in storage.keys("releases/") if re.fullmatch(_MANIFEST_KEY, k)]
    named = parallel_map(lambda key: _keys_named(storage, channel, key), manifests)
    return own | (asked & set().union(*named))


def require_own_copies(storage: Storage, channel: Channel, paths: Iterable[str]) -> None:
    """Raises ReleaseError if the copies would replace objects that no release here has."""
    replaced = set(storage.keys(f"{channel}/")) & {f"{channel}/{path}" for path in paths}
    if foreign := sorted(replaced - own_keys(storage, channel, replaced)):
        raise ReleaseError(
            f"{storage.url}/{foreign[0]} was not published by this program and would be replaced "
            f"({len(foreign)} such objects); nothing was published: use another --publish-to, or "
            "move them elsewhere"
        )


def _keys_named(storage: Storage, channel: Channel, key: str) -> set[str]:
    """Keys of the copies that a manifest names; none if it is not ours, or was just removed."""
    try:
        manifest = parse_manifest(storage.get_bytes(key), f"{storage.url}/{key}")
    except (ReleaseError, MissingObjectError):
        return set()
    return {f"{channel}/{path}" for path in copied_paths(manifest)}


def latest_manifest(storage: Storage, expected: VersionedPointer | None = None) -> Manifest | None:
    """The manifest that the pointer names, None if nothing was published yet.

    Raises ReleaseError if it is missing or not the published one.
    """
    pointer = (expected or read_for_update(storage, "latest")).pointer
    if pointer is None:
        return None
    todo = "point readers to a complete release with `observatory releases rollback RELEASE`"
    try:
        manifest, data = stored_manifest(storage, pointer.release_id)
    except MissingObjectError as error:
        what = "missing, although latest.json points to it"
        raise ReleaseError(f"{error.where}: {what}; {todo}") from error
    if sha256(data).hexdigest() != pointer.manifest_sha256:
        where = f"{storage.url}/{pointer.manifest}"
        raise ReleaseError(f"{where} is not the manifest that was published; {todo}")
    return manifest
