"""Leases keep publishers and cleaners from working on the same release.

    leases/<release_id>.json     a publisher has used this release since this time
    removals/<release_id>.json   a cleaner is removing this release

Each writes its own mark first and then checks for the other's. Storage is strongly consistent, so
at least one of the two sees the other: a publisher that sees a removal stops, a cleaner that
sees a recent lease skips the release. Times are those of storage, so clocks need not agree.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from warehouse.releases.manifest import ReleaseError
from warehouse.storage.protocol import MissingObjectError, Storage

LEASES, REMOVALS = "leases/", "removals/"


def lease_key(release_id: str) -> str:
    """Key of a release's lease."""
    return f"{LEASES}{release_id}.json"


def removal_key(release_id: str) -> str:
    """Key of the mark of a release that is being removed."""
    return f"{REMOVALS}{release_id}.json"


def marked_paths(storage: Storage, key: str) -> tuple[str, ...] | None:
    """The objects of a release that a lease or the mark of a removal lists.

    Empty if it lists none, as in earlier versions; None if there is no such mark.
    """
    try:
        mark = json.loads(storage.get_bytes(key))
    except MissingObjectError:
        return None
    except ValueError:
        return ()
    paths = mark.get("paths", ()) if isinstance(mark, dict) else ()
    return tuple(map(str, paths))


def acquire(storage: Storage, release_id: str, paths: Iterable[str] = ()) -> None:
    """Marks a release as in use for the grace period of `clean`.

    `paths` are the objects that an upload is about to store: if it never completes, `clean` removes
    these. Raises ReleaseError if a cleaner is removing the release, and StorageError if two
    publishers can overwrite each other there.
    """
    storage.require_conditions()
    names = sorted(paths)
    mark = {"paths": names} if names else {}
    storage.put_bytes(lease_key(release_id), json.dumps(mark).encode() + b"\n")
    if storage.size(removal_key(release_id)) is not None:
        raise ReleaseError(
            f"{storage.url}/releases/{release_id} is being removed by a clean-up; run again "
            "when it has finished. The next clean-up finishes an interrupted one after the grace "
            "period"
        )
