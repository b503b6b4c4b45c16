"""A folder as storage."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from warehouse.storage.files import file_sha256
from warehouse.storage.protocol import (
    Digest,
    MissingObjectError,
    RefusedError,
    StorageError,
    Stored,
    Unfinished,
    check_key,
    is_key,
)

_PART, _LOCK = ".part", ".lock"
TRIES = 5


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

    def put_file(
        self, key: str, path: Path, sha256: str | None = None, if_absent: bool = False
    ) -> bool:
        """Stores a local file. False if `if_absent` was asked and one is there; it is untouched."""

        def write(stream: IO[bytes]) -> None:
            with path.open("rb") as source:
                shutil.copyfileobj(source, stream, 1 << 20)

        return self._put(key, write, if_absent=if_absent)

    def copy(self, source: str, key: str) -> None:
        """Copies an object within this folder. Raises MissingObjectError."""
        path = self._existing(source)
        check_key(key)
        self.put_file(key, path)

    def get_bytes(self, key: str) -> bytes:
        """A whole (small) object. Raises MissingObjectError."""
        with _translate_errors(key, self.url):
            return self._existing(key).read_bytes()

    def get_version(self, key: str) -> tuple[bytes, str] | None:
        """A whole (small) object and the SHA-256 of it; None where there is none."""
        with _translate_errors(key, self.url), suppress(FileNotFoundError):
            data = self._path(key).read_bytes()
            return data, hashlib.sha256(data).hexdigest()
        return None

    def swap(self, key: str, data: bytes, version: str | None) -> bool:
        """Stores an object only where the one there is still of this version (None: absent).

        Looking and renaming happen under a lock that the system takes back from a dead process.
        """
        with self._locked(key):
            now = self.get_version(key)
            if (now and now[1]) == version:
                return self.put_bytes(key, data)
            return now is not None and now[0] == data

    def download(self, key: str, path: Path, durable: bool = True) -> None:
        """Writes an object to a local file, whole or not at all. Raises MissingObjectError."""
        with (
            self._existing(key).open("rb") as source,
            _translate_errors(key, self.url),
            atomic_writer(path, durable=durable) as stream,
        ):
            shutil.copyfileobj(source, stream, 1 << 20)

    def rehash(self, key: str) -> Digest:
        """Reads every byte of an object and says what they are. Raises MissingObjectError."""
        path = self._existing(key)
        with _translate_errors(key, self.url):
            return Digest(path.stat().st_size, file_sha256(path))

    def holds(self, key: str, digest: Digest) -> bool:
        """Whether the object under the key has these bytes; it is read."""
        return self.size(key) == digest.bytes and self.rehash(key) == digest

    def size(self, key: str) -> int | None:
        """Bytes of an object, None where there is none."""
        path = self._path(key)
        with _translate_errors(key, self.url):
            return path.stat().st_size if path.is_file() else None

    def listing(self, prefix: str = "") -> list[Stored]:
        """Objects whose keys start with `prefix`, sorted by key."""
        found = [s for s in self._files(prefix.rpartition("/")[0]) if is_key(s.key)]
        return sorted(s for s in found if s.key.startswith(prefix))

    def keys(self, prefix: str = "") -> list[str]:
        """Keys that start with `prefix`, sorted."""
        return [stored.key for stored in self.listing(prefix)]

    def delete(self, key: str) -> None:
        """Removes an object, and folders that it leaves empty; none there is no error."""
        path = self._path(key)
        with _translate_errors(key, self.url):
            path.unlink(missing_ok=True)
        for folder in path.parents:
            if folder == self.root or not _removed(folder):
                return

    def unfinished(self) -> list[Unfinished]:
        """Files that a writer has not renamed into their place, or never will."""
        found = [s for s in self._files("") if _is_part(s.key)]
        return [Unfinished(s.key, s.modified, s.key) for s in sorted(found)]

    def abort(self, upload: Unfinished) -> None:
        """Removes an unfinished file; one that is gone is no error."""
        if not _is_part(upload.handle) or ".." in upload.handle.split("/"):
            raise StorageError(repr(upload.handle), "no unfinished file of ours", "Leave it.")
        with _translate_errors(upload.handle, self.url):
            (self.root / upload.handle).unlink(missing_ok=True)

    def _files(self, folder: str) -> Iterator[Stored]:
        """Every file below a folder; one that goes while we look was not there."""
        start = self._path(folder) if folder else self.root
        with _translate_errors(folder, self.url):
            for path in start.rglob("*"):
                with suppress(FileNotFoundError, NotADirectoryError):
                    about = path.stat()
                    if path.is_file():
                        at = datetime.fromtimestamp(about.st_mtime, UTC)
                        yield Stored(path.relative_to(self.root).as_posix(), about.st_size, at)

    def _path(self, key: str) -> Path:
        return self.root / check_key(key)

    def _existing(self, key: str) -> Path:
        path = self._path(key)
        if path.is_file():
            return path
        raise MissingObjectError(f"{self.url}/{key}")

    @contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        path = self._path(key)
        with _translate_errors(key, self.url):
            path.parent.mkdir(parents=True, exist_ok=True)
            # The file stays: whoever removed it would let two hold a lock of the same name.
            lock = path.with_name(f".{path.name}{_LOCK}").open("a")
        with lock:
            with _translate_errors(key, self.url):
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _put(
        self, key: str, write: Callable[[IO[bytes]], object], *, if_absent: bool = False
    ) -> bool:
        path = self._path(key)
        with _translate_errors(key, self.url):
            for left in reversed(range(TRIES)):
                path.parent.mkdir(parents=True, exist_ok=True)
                try:
                    with atomic_writer(path, if_absent=if_absent) as stream:
                        write(stream)
                except FileExistsError:
                    return False
                except FileNotFoundError:  # a cleaner took the folder while it was empty
                    if not left:
                        raise
                else:
                    break
        return True


@contextmanager
def atomic_writer(
    path: Path, *, if_absent: bool = False, durable: bool = True
) -> Iterator[IO[bytes]]:
    """A stream whose bytes become the file at the end of the block, or leave no trace.

    It is `durable` before it gets its name, unless told otherwise. With `if_absent`, raises
    FileExistsError at the end when another file is there by then.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(6)}{_PART}")
    try:
        with part.open("xb") as stream:
            yield stream
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        if if_absent:
            _claim(part, path)
        else:
            part.replace(path)
        if durable:
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


def _is_part(key: str) -> bool:
    name = key.rpartition("/")[2]
    return name.startswith(".") and name.endswith(_PART)


def _removed(folder: Path) -> bool:
    """Whether an empty folder went; a writer may fill it at this very moment."""
    try:
        folder.rmdir()
    except OSError:
        return False
    return True


@contextmanager
def _translate_errors(key: str, root: str) -> Iterator[None]:
    """Turns an OSError into a StorageError that says where and what to do."""
    where = f"{root}/{key}".rstrip("/")
    try:
        yield
    except FileExistsError as error:
        what = "a file stands where a folder is needed"
        raise StorageError(where, what, "Move it away.") from error
    except PermissionError as error:
        todo = "Check the folder's permissions."
        raise RefusedError(where, error.strerror or str(error), todo) from error
    except OSError as error:
        todo = "Check the folder's permissions and the space left on its disk."
        raise StorageError(where, error.strerror or str(error), todo) from error
