"""Clean-up of old and incomplete releases.

Kept are the newest releases, those that a pointer names or that were ever stable, pinned ones, and
everything newer than the grace period, which a publisher may still be using
(`warehouse.publishing.leases`). Removed are only objects that a manifest, a lease or the mark of a
removal names, copies of such objects, leases, marks and probes, and uploads of ours that never
finished. Anything else in the place is somebody else's. Objects that releases share are kept.
"""

from __future__ import annotations

import json
import logging
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from warehouse.publishing.catalog import Release, releases
from warehouse.publishing.channels import own_keys, stale_copies
from warehouse.publishing.leases import (
    LEASES,
    REMOVALS,
    lease_key,
    marked_paths,
    removal_key,
)
from warehouse.publishing.pointer import CHANNELS, Channel, read_pointer
from warehouse.publishing.release_objects import find_manifest, parallel_map, release_key
from warehouse.releases.manifest import MANIFEST, ReleaseError, is_release_id
from warehouse.storage.files import PART
from warehouse.storage.protocol import PROBES, Storage, Unfinished

log = logging.getLogger("observatory.clean")

KEEP = 30
GRACE = timedelta(hours=48)
CLOCK = f"{REMOVALS}clock"
_PROBE = re.compile(rf"{PROBES}[0-9a-f]{{16}}")

_ID = r"\d{4}-\d{2}-\d{2}-[0-9a-f]{12}"
_OUR_PART = re.compile(rf"\.(.+)\.[0-9a-f]+{re.escape(PART)}")
_OUR_KEY = re.compile(
    rf"(latest|stable)\.json|releases/{_ID}/.+|(leases|removals|pins)/({_ID}\.json|clock)"
    r"|journal/(latest|stable)/\d+\.json|hub_history/.+|archive/\w+/\d{4}-\d{2}-\d{2}.*/.+"
)


@dataclass(frozen=True)
class CleanPlan:
    """What a clean-up would remove, and why the rest is kept."""

    expired: tuple[Release, ...]
    unfinished: tuple[Release, ...]
    uploads: tuple[Unfinished, ...]
    copies: tuple[str, ...]  # of tables that their channel no longer has
    kept: dict[str, str]  # release -> reason

    @property
    def bytes(self) -> int:
        """Bytes of the releases that would be removed."""
        return sum(release.bytes for release in (*self.expired, *self.unfinished))


def plan(
    storage: Storage,
    *,
    keep: int = KEEP,
    grace: timedelta = GRACE,
    now: datetime | None = None,
) -> CleanPlan:
    """Decides what to remove; changes nothing. `now` by storage's clock; default: this machine's.

    Raises ReleaseError if a pointer cannot be read, since the release it names is unknown then.
    """
    if keep < 1:
        raise ReleaseError(f"--keep {keep}: keep at least 1 release")
    old = (now or datetime.now(UTC)) - grace
    found = releases(storage)
    newest = {r.release_id for r in [r for r in found if r.is_complete][:keep]}
    kept = {r.release_id: why for r in found if (why := _why_kept(r, newest, old))}
    begun = {key.rpartition("/")[2] for key in (*storage.keys(LEASES), *storage.keys(REMOVALS))}
    kept |= {
        r.release_id: "no publisher of ours began it"
        for r in found
        if not (r.is_complete or r.release_id in kept or f"{r.release_id}.json" in begun)
    }
    removable = [r for r in found if r.release_id not in kept]
    return CleanPlan(
        expired=tuple(r for r in removable if r.is_complete),
        unfinished=tuple(r for r in removable if not r.is_complete),
        uploads=tuple(u for u in _our_uploads(storage) if u.started < old),
        copies=tuple(key for channel in CHANNELS for key in _stale_copies(storage, channel, old)),
        kept=kept,
    )


def _stale_copies(storage: Storage, channel: Channel, old: datetime) -> list[str]:
    """Copies are listed before the pointer is read, so none is of a later release."""
    listed = storage.listing(f"{channel}/")
    pointer = read_pointer(storage, channel)
    manifest = find_manifest(storage, pointer.release_id) if pointer else None
    if manifest is None:
        return []
    stale = set(stale_copies(storage, channel, manifest, [o.key for o in listed]))
    return [o.key for o in listed if o.key in stale and o.modified < old]


def _our_uploads(storage: Storage) -> list[Unfinished]:
    """Unfinished uploads under keys that this program writes."""
    found = {upload: _final_key(upload.key) for upload in storage.unfinished()}
    copies = {
        key
        for channel in CHANNELS
        for key in own_keys(storage, channel, (k for k in found.values() if k))
    }
    return [u for u, key in found.items() if key and (key in copies or _OUR_KEY.fullmatch(key))]


def _final_key(key: str) -> str | None:
    """The key that an upload would get; None for a partial file that is not ours."""
    folder, slash, name = key.rpartition("/")
    if not name.startswith("."):
        return key
    part = _OUR_PART.fullmatch(name)
    return f"{folder}{slash}{part[1]}" if part else None


def _why_kept(release: Release, newest: set[str], old: datetime) -> str | None:
    if release.channels:
        return f"named by {' and '.join(f'{m}.json' for m in release.channels)}"
    if release.promoted:
        return "was promoted"
    if release.pinned is not None:
        return f"pinned: {release.pinned}"
    if release.release_id in newest:
        return "one of the newest"
    if release.last_change >= old:
        return "newer than the grace period"
    return None


def clean(storage: Storage, *, keep: int = KEEP, grace: timedelta = GRACE) -> CleanPlan:
    """Removes what `plan` finds. Returns what was removed.

    Safe while publishers and other cleaners run. A removal that was interrupted is finished by the
    next clean-up after the grace period.
    """
    now = clock(storage)
    found = plan(storage, keep=keep, grace=grace, now=now)
    candidates = [r.release_id for r in (*found.expired, *found.unfinished)]
    removed = {release_id for release_id in candidates if _remove(storage, release_id, now - grace)}
    parallel_map(storage.abort, found.uploads)
    parallel_map(storage.delete, found.copies)
    # The lease of an existing release is kept: its publisher may be renewing it right now.
    in_use = {lease_key(name) for name in (*found.kept, *candidates) if name not in removed}
    for stored in (*storage.listing(LEASES), *storage.listing(REMOVALS)):
        release_id = stored.key.rpartition("/")[2].removesuffix(".json")
        is_ours = is_release_id(release_id) and stored.key not in in_use
        if is_ours and stored.modified < now - grace:
            storage.delete(stored.key)
    for stored in storage.listing(PROBES):
        if _PROBE.fullmatch(stored.key) and stored.modified < now - grace:
            storage.delete(stored.key)
    return replace(
        found,
        expired=tuple(r for r in found.expired if r.release_id in removed),
        unfinished=tuple(r for r in found.unfinished if r.release_id in removed),
    )


def clock(storage: Storage) -> datetime:
    """Current time by storage's clock, which may differ from this machine's."""
    storage.put_bytes(CLOCK, b"\n")
    return _modified(storage, CLOCK) or datetime.now(UTC)


def _remove(storage: Storage, release_id: str, old: datetime) -> bool:
    """Removes a release, its manifest first. False if a publisher or another cleaner uses it.

    The mark is written before leases are checked: see `warehouse.publishing.leases`.
    """
    mark, paths = removal_key(release_id), _own_paths(storage, release_id)
    if not storage.put_bytes(mark, json.dumps({"paths": paths}).encode() + b"\n", if_absent=True):
        started = _modified(storage, mark)
        if started is None or started >= old:  # another cleaner may still be deleting it
            return False
    if _is_in_use(storage, release_id, old):
        storage.delete(mark)
        log.info("%s/releases/%s is in use and was not removed", storage.url, release_id)
        return False
    storage.delete(release_key(release_id, MANIFEST))
    present = set(storage.keys(release_key(release_id, "")))
    parallel_map(storage.delete, present & {release_key(release_id, path) for path in paths})
    storage.delete(mark)
    log.info("%s/releases/%s/ removed", storage.url, release_id)
    return True


def _own_paths(storage: Storage, release_id: str) -> list[str]:
    """The objects of a release: of its manifest, else of an interrupted removal or upload.

    Marks of earlier versions list none: then all objects are of the upload that began here.
    """
    with suppress(ReleaseError):  # a damaged manifest names nothing
        if manifest := find_manifest(storage, release_id):
            return [entry.path for entry in manifest.objects]
    for mark in (removal_key(release_id), lease_key(release_id)):
        if paths := marked_paths(storage, mark):
            return list(paths)
    prefix = release_key(release_id, "")
    return [key.removeprefix(prefix) for key in storage.keys(prefix)]


def _is_in_use(storage: Storage, release_id: str, old: datetime) -> bool:
    leased = _modified(storage, lease_key(release_id))
    if leased is not None and leased >= old:
        return True
    pointers = [read_pointer(storage, channel) for channel in CHANNELS]
    return release_id in {pointer.release_id for pointer in pointers if pointer}


def _modified(storage: Storage, key: str) -> datetime | None:
    return next((o.modified for o in storage.listing(key) if o.key == key), None)
