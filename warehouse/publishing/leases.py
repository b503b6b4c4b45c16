"""Publishers and cleaners keep out of each other's way.

    leases/<release_id>.json     a publisher works on this release, since its time in storage
    removals/<release_id>.json   a cleaner takes this release away

Each writes its own mark first and looks for the other's afterwards. Storage is strongly consistent,
so at least one of the two sees the other: a publisher that sees a removal stops, a cleaner that
sees a young lease leaves the release alone. No clock of any publisher takes part in it.
"""

from __future__ import annotations

from warehouse.releases.manifest import ReleaseError
from warehouse.storage.protocol import Storage

LEASES, REMOVALS = "leases/", "removals/"


def lease_key(release_id: str) -> str:
    """Key of a release's lease."""
    return f"{LEASES}{release_id}.json"


def removal_key(release_id: str) -> str:
    """Key of the mark that a release is being removed."""
    return f"{REMOVALS}{release_id}.json"


def acquire(storage: Storage, release_id: str) -> None:
    """Says that this release is in use, for the grace period of `clean`.

    Raises ReleaseError while a cleaner takes it away.
    """
    storage.put_bytes(lease_key(release_id), b"{}\n")
    if storage.size(removal_key(release_id)) is not None:
        raise ReleaseError(
            f"{storage.url}/releases/{release_id} is being removed by `observatory clean`; run "
            "again when it is done. One that died is ended by the next, after its grace period"
        )
