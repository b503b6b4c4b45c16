"""Clean-up of old and incomplete releases.

Kept are the newest releases, those that a pointer names or that were ever stable, pinned ones, and
everything newer than the grace period, which a publisher may still be using
(`warehouse.publishing.leases`). Only `releases/`, `leases/`, `removals/`, stale copies and
unfinished uploads are cleaned. Objects that releases share are kept.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from warehouse.publishing.catalog import Release, releases
from warehouse.publishing.channels import copy_keys
from warehouse.publishing.leases import LEASES, REMOVALS, lease_key, removal_key
from warehouse.publishing.pointer import CHANNELS, Channel, read_pointer
from warehouse.publishing.release_objects import find_manifest, parallel_map
from warehouse.releases.manifest import MANIFEST, ReleaseError
from warehouse.storage.protocol import Storage, Unfinished

log = logging.getLogger("observatory.clean")

KEEP = 30
GRACE = timedelta(hours=48)
CLOCK = f"{REMOVALS}clock"


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
    removable = [r for r in found if r.release_id not in kept]
    return CleanPlan(
        expired=tuple(r for r in removable if r.is_complete),
        unfinished=tuple(r for r in removable if not r.is_complete),
        uploads=tuple(u for u in storage.unfinished() if u.started < old),
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
    named = copy_keys(channel, manifest)
    return [o.key for o in listed if o.key not in named and o.modified < old]


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
        if stored.modified < now - grace and stored.key not in {CLOCK, *in_use}:
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
    mark = removal_key(release_id)
    if not storage.put_bytes(mark, b"{}\n", if_absent=True):
        started = _modified(storage, mark)
        if started is None or started >= old:  # another cleaner may still be deleting it
            return False
    if _is_in_use(storage, release_id, old):
        storage.delete(mark)
        log.info("%s/releases/%s is in use and was not removed", storage.url, release_id)
        return False
    prefix = f"releases/{release_id}/"
    storage.delete(prefix + MANIFEST)
    parallel_map(storage.delete, storage.keys(prefix))
    storage.delete(mark)
    log.info("%s/%s removed", storage.url, prefix)
    return True


def _is_in_use(storage: Storage, release_id: str, old: datetime) -> bool:
    leased = _modified(storage, lease_key(release_id))
    if leased is not None and leased >= old:
        return True
    pointers = [read_pointer(storage, channel) for channel in CHANNELS]
    return release_id in {pointer.release_id for pointer in pointers if pointer}


def _modified(storage: Storage, key: str) -> datetime | None:
    return next((o.modified for o in storage.listing(key) if o.key == key), None)
