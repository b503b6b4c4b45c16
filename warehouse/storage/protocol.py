"""The operations on storage, the same for a folder and for a bucket.

A key is a relative path with `/`, e.g. `releases/2026-08-15-0123456789ab/manifest.json`. Writes are
atomic in both kinds of storage: readers see a complete object or none. `warehouse.storage.open`
opens the storage at an address.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol

# No part starts with a dot: this rules out `..`, and hides partially written files.
_KEY_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.=+\-]*")

PROBES = "probes/"  # scratch objects that test what a server supports


class StorageError(RuntimeError):
    """A storage operation failed: where, what happened, what to do."""

    def __init__(self, where: str, what: str, todo: str) -> None:
        super().__init__(where, what, todo)
        self.where, self.what, self.todo = where, what, todo

    def __str__(self) -> str:
        return f"{self.where}: {self.what}. {self.todo}"


class MissingObjectError(StorageError):
    """No object has this key."""

    def __init__(self, where: str) -> None:
        super().__init__(
            where, "no such object", "Check the address, and that a release was published there."
        )

    def __reduce__(self) -> tuple[type[MissingObjectError], tuple[str]]:
        return type(self), (self.where,)


class RefusedError(StorageError):
    """These credentials, or this user account, lack the permission."""


class UnsupportedError(StorageError):
    """The server does not support this kind of request, or one of its headers."""


class Stored(NamedTuple):
    """One object of a listing; `modified` by the storage's own clock, UTC."""

    key: str
    bytes: int
    modified: datetime


class Unfinished(NamedTuple):
    """An upload that was started, not completed, not aborted; `handle` is the storage's id."""

    key: str
    started: datetime
    handle: str


class Digest(NamedTuple):
    """Size and hash of an object's bytes."""

    bytes: int
    sha256: str


class Storage(Protocol):
    """Objects under keys. Every method raises StorageError if storage fails."""

    @property
    def url(self) -> str:
        """The address, without a trailing slash."""

    def require_conditions(self) -> None:
        """Raises StorageError if two writers can overwrite each other unnoticed here."""

    def put_bytes(self, key: str, data: bytes, if_absent: bool = False) -> bool:
        """Stores an object. With `if_absent`, returns False and changes nothing if one exists."""

    def put_file(
        self, key: str, path: Path, sha256: str | None = None, if_absent: bool = False
    ) -> bool:
        """Stores a local file, replacing an existing object. `sha256`: of the file, if known.

        With `if_absent`, returns False and changes nothing if an object exists.
        """

    def copy(self, source: str, key: str) -> None:
        """Copies an object within this storage. Raises MissingObjectError."""

    def get_bytes(self, key: str) -> bytes:
        """A whole (small) object. Raises MissingObjectError."""

    def get_version(self, key: str) -> tuple[bytes, str] | None:
        """A whole (small) object and its version for `swap`; None if there is none."""

    def swap(self, key: str, data: bytes, version: str | None) -> bool:
        """Stores an object only if the existing one still has this version (None: is absent).

        Atomic: of several writers that start from one version exactly one gets True. A writer that
        finds its own bytes already stored gets True too: a response may have been lost.
        """

    def download(self, key: str, path: Path, durable: bool = True) -> None:
        """Writes an object to a local file, atomically. Raises MissingObjectError.

        A temporary file need not be `durable`: it does not outlive the process.
        """

    def rehash(self, key: str) -> Digest:
        """Reads and hashes every byte of an object. Raises MissingObjectError."""

    def holds(self, key: str, digest: Digest) -> bool:
        """Whether the object was stored with these bytes.

        A folder is read; for a bucket the stored checksum is enough, since the server checked
        every part on receipt.
        """

    def size(self, key: str) -> int | None:
        """Size of an object in bytes, None if there is none."""

    def listing(self, prefix: str = "") -> list[Stored]:
        """Objects whose keys start with `prefix`, sorted by key."""

    def keys(self, prefix: str = "") -> list[str]:
        """Keys that start with `prefix`, sorted."""

    def delete(self, key: str) -> None:
        """Removes an object; a missing one is not an error. Raises RefusedError."""

    def unfinished(self) -> list[Unfinished]:
        """Uploads that were started and are not complete, interrupted or still running."""

    def abort(self, upload: Unfinished) -> None:
        """Aborts an unfinished upload; a missing one is not an error."""


def is_key(key: str) -> bool:
    """Whether a text is a valid key: relative, in parts of plain letters and digits, no `..`."""
    return len(key) <= 900 and all(_KEY_PART.fullmatch(part) for part in key.split("/"))


def check_key(key: str) -> str:
    """The key. Raises StorageError if it is invalid."""
    if is_key(key):
        return key
    raise StorageError(
        repr(key), "invalid storage key", "Use parts of letters, digits and '_.=+-', joined by '/'."
    )
