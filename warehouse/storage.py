"""Where releases are kept: a local folder or an S3-compatible bucket, behind one small protocol.

A key is a relative path with `/`, e.g. `releases/2026-08-15-0123456789ab/manifest.json`. An object
appears whole or not at all, in both kinds of storage.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Protocol
from urllib.parse import unquote, urlsplit

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


class Storage(Protocol):
    """Objects under keys. Every method raises StorageError when storage cannot answer."""

    @property
    def url(self) -> str:
        """Address as a person would type it, without a slash at its end."""

    def put_bytes(self, key: str, data: bytes, if_absent: bool = False) -> bool:
        """Stores an object. False if `if_absent` was asked and one is there; it is untouched."""

    def put_file(self, key: str, path: Path) -> None:
        """Stores a local file, in place of an object that is there."""

    def copy(self, source: str, key: str) -> None:
        """Copies an object within this storage. Raises MissingObjectError."""

    def get_bytes(self, key: str) -> bytes:
        """A whole (small) object. Raises MissingObjectError."""

    def download(self, key: str, path: Path) -> None:
        """Writes an object to a local file, whole or not at all. Raises MissingObjectError."""

    def exists(self, key: str) -> bool:
        """Whether there is an object."""

    def size(self, key: str) -> int | None:
        """Bytes of an object, None where there is none."""

    def keys(self, prefix: str = "") -> list[str]:
        """Keys that start with `prefix`, sorted."""

    def delete(self, key: str) -> None:
        """Removes an object; one that is not there is no error."""


def open_storage(url: str, *, endpoint: str | None = None) -> Storage:
    """The storage behind an address; nothing is contacted yet.

    `url` is a folder (plain path or `file://`) or `s3://bucket/prefix`. `endpoint` is the address
    of an S3-compatible server; default AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, or AWS itself.
    Credentials come from the AWS chain alone. Raises StorageError for an address of another kind.
    """
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.\-]*)://", url)
    if scheme is None:
        return LocalStorage(_local_root(url))
    if scheme[1] == "file":
        return LocalStorage(_file_url_path(url))
    if scheme[1] == "s3":
        from warehouse.s3 import S3Storage  # noqa: PLC0415 - boto3 is slow to import

        return S3Storage(url, endpoint=endpoint)
    raise StorageError(
        f"{scheme[1]}://…", "no storage of this kind", "Use a folder, file:///… or s3://bucket/…"
    )


def _local_root(text: str) -> Path:
    if text.strip():
        return Path(text).expanduser().absolute()
    raise StorageError("publish address", "is empty", "Give a folder or s3://bucket/prefix.")


def _file_url_path(url: str) -> Path:
    parts = urlsplit(url)
    if parts.netloc in ("", "localhost") and parts.path.startswith("/"):
        return Path(unquote(parts.path))
    raise StorageError("file://…", "names another machine", "Write file:///absolute/path.")


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


class LocalStorage:
    """A folder. An object is written beside its place, made durable, then renamed into it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def url(self) -> str:
        """The folder's absolute path."""
        return str(self.root)

    def put_bytes(self, key: str, data: bytes, if_absent: bool = False) -> bool:
        """Stores an object. False if `if_absent` was asked and one is there; it is untouched."""
        return self._put(key, lambda stream: stream.write(data), if_absent=if_absent)

    def put_file(self, key: str, path: Path) -> None:
        """Stores a local file, in place of an object that is there."""
        with path.open("rb") as source:
            self._put(key, lambda stream: shutil.copyfileobj(source, stream, 1 << 20))

    def copy(self, source: str, key: str) -> None:
        """Copies an object within this folder. Raises MissingObjectError."""
        path = self._existing(source)
        check_key(key)
        self.put_file(key, path)

    def get_bytes(self, key: str) -> bytes:
        """A whole (small) object. Raises MissingObjectError."""
        with _told(key, self.url):
            return self._existing(key).read_bytes()

    def download(self, key: str, path: Path) -> None:
        """Writes an object to a local file, whole or not at all. Raises MissingObjectError."""
        with self._existing(key).open("rb") as source, _told(key, self.url), whole_file(path) as to:
            shutil.copyfileobj(source, to, 1 << 20)

    def exists(self, key: str) -> bool:
        """Whether there is an object."""
        return self.size(key) is not None

    def size(self, key: str) -> int | None:
        """Bytes of an object, None where there is none."""
        path = self._path(key)
        with _told(key, self.url):
            return path.stat().st_size if path.is_file() else None

    def keys(self, prefix: str = "") -> list[str]:
        """Keys that start with `prefix`, sorted."""
        folder = prefix.rpartition("/")[0]
        start = self._path(folder) if folder else self.root
        with _told(prefix, self.url):
            found = [p.relative_to(self.root).as_posix() for p in start.rglob("*") if p.is_file()]
        return sorted(k for k in found if k.startswith(prefix) and is_key(k))

    def delete(self, key: str) -> None:
        """Removes an object; one that is not there is no error."""
        with _told(key, self.url):
            self._path(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self.root / check_key(key)

    def _existing(self, key: str) -> Path:
        path = self._path(key)
        if path.is_file():
            return path
        raise MissingObjectError(f"{self.url}/{key}")

    def _put(
        self, key: str, write: Callable[[IO[bytes]], object], *, if_absent: bool = False
    ) -> bool:
        path = self._path(key)
        with _told(key, self.url):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with whole_file(path, if_absent=if_absent) as stream:
                    write(stream)
            except FileExistsError:
                return False
        return True


@contextmanager
def whole_file(path: Path, *, if_absent: bool = False) -> Iterator[IO[bytes]]:
    """A stream whose bytes become the file at the end of the block, or leave no trace.

    With `if_absent`, raises FileExistsError at the end when another file is there by then.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    try:
        with part.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        if if_absent:
            _claim(part, path)
        else:
            part.replace(path)
        _sync_folder(path.parent)
    finally:
        part.unlink(missing_ok=True)


def _claim(part: Path, path: Path) -> None:
    """Gives the file its name only where none has it: a link is atomic, a look beforehand not."""
    try:
        path.hardlink_to(part)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links, such as exFAT
        path.open("xb").close()
        part.replace(path)


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # a network file system may refuse; the rename itself is done
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _told(key: str, root: str) -> Iterator[None]:
    """Turns an OSError into a StorageError that says where and what to do."""
    try:
        yield
    except FileExistsError as error:
        raise StorageError(
            f"{root}/{key}", "a file stands where a folder is needed", "Move it away."
        ) from error
    except OSError as error:
        todo = "Check the folder's permissions and the space left on its disk."
        raise StorageError(f"{root}/{key}", error.strerror or str(error), todo) from error
