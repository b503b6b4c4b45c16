"""What a place that holds releases must be able to do, the same for a folder and for a bucket.

A key is a relative path with `/`, e.g. `releases/2026-08-15-0123456789ab/manifest.json`. An object
appears whole or not at all, in both kinds of storage. `warehouse.storage.open` opens one by its
address.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol

# A part never starts with a dot: that rules out `..`, and hides our own unfinished files.
_KEY_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.=+\-]*")


class StorageError(RuntimeError):
    """Storage could not do what was asked: where, what happened, what to do next."""

    def __init__(self, where: str, what: str, todo: str) -> None:
        super().__init__(where, what, todo)
        self.where, self.what, self.todo = where, what, todo

    def __str__(self) -> str:
        return f"{self.where}: {self.what}. {self.todo}"


class MissingObjectError(StorageError):
    """There is no object under this key."""

    def __init__(self, where: str) -> None:
        super().__init__(where, "no such object", "Was it published here? Check the address.")

    def __reduce__(self) -> tuple[type[MissingObjectError], tuple[str]]:
        return type(self), (self.where,)


class RefusedError(StorageError):
    """These credentials, or this account on the disk, may not do it."""


class Stored(NamedTuple):
    """One object as a listing tells it; `modified` by the storage's own clock, UTC."""

    key: str
    bytes: int
    modified: datetime


class Unfinished(NamedTuple):
    """An upload that was begun and neither ended nor given up; `handle` is the storage's own."""

    key: str
    started: datetime
    handle: str


class Digest(NamedTuple):
    """What the bytes of an object are."""

    bytes: int
    sha256: str


class Storage(Protocol):
    """Objects under keys. Every method raises StorageError when storage cannot answer."""

    @property
    def url(self) -> str:
        """Address as a person would type it, without a slash at its end."""

    def put_bytes(self, key: str, data: bytes, if_absent: bool = False) -> bool:
        """Stores an object. False if `if_absent` was asked and one is there; it is untouched."""

    def put_file(
        self, key: str, path: Path, sha256: str | None = None, if_absent: bool = False
    ) -> bool:
        """Stores a local file, in place of an object that is there. `sha256`: where known.

        False if `if_absent` was asked and one is there; it is untouched.
        """

    def copy(self, source: str, key: str) -> None:
        """Copies an object within this storage. Raises MissingObjectError."""

    def get_bytes(self, key: str) -> bytes:
        """A whole (small) object. Raises MissingObjectError."""

    def get_version(self, key: str) -> tuple[bytes, str] | None:
        """A whole (small) object and the version that `swap` asks for; None where there is none."""

    def swap(self, key: str, data: bytes, version: str | None) -> bool:
        """Stores an object only where the one there is still of this version (None: absent).

        One atomic step: of several that start from one version a single one gets True. Whoever
        finds the very bytes it meant to store has its True too: an answer may have been lost.
        """

    def download(self, key: str, path: Path, durable: bool = True) -> None:
        """Writes an object to a local file, whole or not at all. Raises MissingObjectError.

        What is only looked at need not be `durable`: it does not outlive the process.
        """

    def rehash(self, key: str) -> Digest:
        """Reads every byte of an object and says what they are. Raises MissingObjectError."""

    def holds(self, key: str, digest: Digest) -> bool:
        """Whether the object under the key was stored with these bytes.

        A folder is read; a bucket is believed, since its server checked every part on receipt.
        """

    def size(self, key: str) -> int | None:
        """Bytes of an object, None where there is none."""

    def listing(self, prefix: str = "") -> list[Stored]:
        """Objects whose keys start with `prefix`, sorted by key."""

    def keys(self, prefix: str = "") -> list[str]:
        """Keys that start with `prefix`, sorted."""

    def delete(self, key: str) -> None:
        """Removes an object; one that is not there is no error. Raises RefusedError."""

    def unfinished(self) -> list[Unfinished]:
        """Uploads that were begun and are no objects yet; dead ones and those under way."""

    def abort(self, upload: Unfinished) -> None:
        """Gives up an unfinished upload; one that is gone is no error."""


def is_key(key: str) -> bool:
    """Whether a text may be a key: relative, parts of plain letters and digits, never `..`."""
    return len(key) <= 900 and all(_KEY_PART.fullmatch(part) for part in key.split("/"))


def check_key(key: str) -> str:
    """The key, or StorageError."""
    if is_key(key):
        return key
    raise StorageError(
        repr(key), "not a storage key", "Use parts of letters, digits and '_.=+-', joined by '/'."
    )
