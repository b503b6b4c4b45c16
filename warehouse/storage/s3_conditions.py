"""Whether an S3 server honors conditions, found out once per place with a scratch object.

`If-None-Match` and `If-Match` make sure that of two publishers only one moves a pointer. Some
servers ignore these headers, and then both publishers succeed and one release is lost.
"""

from __future__ import annotations

import logging
import os
import secrets
from contextlib import suppress
from typing import Protocol

from warehouse.storage.protocol import PROBES, StorageError, UnsupportedError

log = logging.getLogger("observatory.publish")

ALLOW = "OBSERVATORY_S3_WITHOUT_CONDITIONS"
_STALE = '"00000000000000000000000000000000"'
_faults: dict[str, str] = {}  # place -> what its server does wrong, empty if nothing


class Place(Protocol):
    """The operations that the probe needs."""

    def put_if(self, key: str, data: bytes, condition: dict[str, str]) -> bool:
        """Stores an object under a condition. False if the server reports that it is not met."""

    def get_version(self, key: str) -> tuple[bytes, str] | None:
        """The object and its ETag."""

    def delete(self, key: str) -> None:
        """Removes the object."""


def are_honored(place: Place, where: str) -> bool:
    """Whether the server of a place honors conditions.

    If it does not, raises StorageError, or only warns once if OBSERVATORY_S3_WITHOUT_CONDITIONS is
    set.
    """
    is_new = where not in _faults
    if is_new:
        _faults[where] = _fault_of(place)
    fault = _faults[where]
    if not fault:
        return True
    what = f"{fault}, so two publishers can overwrite each other's release unnoticed"
    if os.environ.get(ALLOW, "").strip().lower() not in {"1", "true", "yes", "on"}:
        todo = f"Use a server that honors conditional writes, or set {ALLOW}=1 if only one "
        raise StorageError(where, what, f"{todo}publisher writes there.")
    if is_new:
        log.warning("%s: %s; make sure that only one publisher writes there", where, what)
    return False


def _fault_of(place: Place) -> str:
    """What the server does wrong with conditional writes, empty if nothing."""
    key = f"{PROBES}{secrets.token_hex(8)}"
    place.put_if(key, b"1", {})
    try:
        if place.put_if(key, b"2", {"IfNoneMatch": "*"}):
            return "the server ignores If-None-Match"
        if place.put_if(key, b"3", {"IfMatch": _STALE}):
            return "the server ignores If-Match"
        before = place.get_version(key)
        is_met = before is None or place.put_if(key, b"4", {"IfMatch": before[1]})
        if not is_met and place.get_version(key) == before:  # else only the answer was lost
            return "the server rejects If-Match with a current ETag"
    except UnsupportedError:
        return "the server does not support conditional writes"
    finally:
        with suppress(StorageError):
            place.delete(key)
    return ""
