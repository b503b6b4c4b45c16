"""Clean-up: what died half-way and what is past its time, never what a reader may be led to.

Kept are the newest releases, whatever a pointer names, whatever was ever stable, what is pinned,
and everything younger than the grace period: somebody may be at work on it
(`warehouse.publishing.leases`). Only `releases/`, `leases/`, `removals/`, stale copies and
unfinished uploads are cleaned. Objects that releases share stay.
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
    """What a clean-up would take, and why the rest stays."""

    expired: tuple[Release, ...]
    unfinished: tuple[Release, ...]
    uploads: tuple[Unfinished, ...]
    copies: tuple[str, ...]  # of tables that their channel has no more
    kept: dict[str, str]  # release -> reason

    @property
    def bytes(self) -> int:
        """Bytes of the objects that would go; unfinished uploads are not counted."""
        return sum(release.bytes for release in (*self.expired, *self.unfinished))


def plan(
    storage: Storage,
    *,
    keep: int = KEEP,
    grace: timedelta = GRACE,
    now: datetime | None = None,
) -> CleanPlan:
    """Decides, and changes nothing. `now` by storage's clock; default this machine's.

    Raises ReleaseError where a pointer cannot be read: then nobody knows what it names.
    """
    if keep < 1:
        raise ReleaseError("keep at least one release")
    old = (now or datetime.now(UTC)) - grace
    found = releases(storage)
    newest = {r.release_id for r in [r for r in found if r.is_complete][:keep]}
    kept = {r.release_id: why for r in found if (why := _why_kept(r, newest, old))}
    gone = [r for r in found if r.release_id not in kept]
    return CleanPlan(
        expired=tuple(r for r in gone if r.is_complete),
        unfinished=tuple(r for r in gone if not r.is_complete),
        uploads=tuple(u for u in storage.unfinished() if u.started < old),
        copies=tuple(key for channel in CHANNELS for key in _stale_copies(storage, channel, old)),
        kept=kept,
    )


def _stale_copies(storage: Storage, channel: Channel, old: datetime) -> list[str]:
    """Listed before the pointer is read: copies follow it, so none is of a release to come."""
    there = storage.listing(f"{channel}/")
    pointer = read_pointer(storage, channel)
    manifest = find_manifest(storage, pointer.release_id) if pointer else None
    if manifest is None:
        return []
    named = copy_keys(channel, manifest)
    return [o.key for o in there if o.key not in named and o.modified < old]


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
        return "younger than the grace period"
    return None


def clean(storage: Storage, *, keep: int = KEEP, grace: timedelta = GRACE) -> CleanPlan:
    """Removes what `plan` finds. Returns what was removed.

    Safe while publishers run, and while another cleaner does; what one that died has begun, the
    next one ends after the grace period.
    """
    now = clock(storage)
    decided = plan(storage, keep=keep, grace=grace, now=now)
    doomed = [r.release_id for r in (*decided.expired, *decided.unfinished)]
    gone = {release_id for release_id in doomed if _remove(storage, release_id, now - grace)}
    parallel_map(storage.abort, decided.uploads)
    parallel_map(storage.delete, decided.copies)
    # The lease of a release that is there stays: its publisher may be renewing it right now.
    there = {lease_key(name) for name in (*decided.kept, *doomed) if name not in gone}
    for stored in (*storage.listing(LEASES), *storage.listing(REMOVALS)):
        if stored.modified < now - grace and stored.key not in {CLOCK, *there}:
            storage.delete(stored.key)
    return replace(
        decided,
        expired=tuple(r for r in decided.expired if r.release_id in gone),
        unfinished=tuple(r for r in decided.unfinished if r.release_id in gone),
    )


def clock(storage: Storage) -> datetime:
    """What time it is where the objects get theirs: clocks of cleaner and server may differ."""
    storage.put_bytes(CLOCK, b"\n")
    return _modified(storage, CLOCK) or datetime.now(UTC)


def _remove(storage: Storage, release_id: str, old: datetime) -> bool:
    """Takes a release away, its manifest first; False where somebody else is at work on it.

    The mark is written before anybody is looked for: a publisher writes its lease and then looks
    for the mark, so that at least one of the two sees the other.
    """
    mark = removal_key(release_id)
    if not storage.put_bytes(mark, b"{}\n", if_absent=True):
        begun = _modified(storage, mark)
        if begun is None or begun >= old:  # another cleaner has it, and may still be deleting
            return False
    if _is_in_use(storage, release_id, old):
        storage.delete(mark)
        log.info("%s/releases/%s is in use: left alone", storage.url, release_id)
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
