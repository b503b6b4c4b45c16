"""A folder as storage."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from warehouse.storage.files import PART, atomic_writer, file_sha256, sha256
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

ATTEMPTS = 5


class LocalStorage:
    """A folder. An object is written to a temporary file, made durable, then renamed."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def url(self) -> str:
        """The folder's absolute path."""
        return str(self.root)

    def require_conditions(self) -> None:
        """Nothing to check: locks and hard links keep writers apart."""

    def put_bytes(self, key: str, data: bytes, if_absent: bool = False) -> bool:
        """Stores an object. With `if_absent`, returns False and changes nothing if one exists."""
        return self._put(key, lambda stream: stream.write(data), if_absent=if_absent)

    def put_file(
        self, key: str, path: Path, sha256: str | None = None, if_absent: bool = False
    ) -> bool:
        """Stores a local file. With `if_absent`, returns False and changes nothing if it exists."""

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
        """A whole (small) object and its SHA-256; None if there is none."""
        with _translate_errors(key, self.url), suppress(FileNotFoundError):
            data = self._path(key).read_bytes()
            return data, sha256(data)
        return None

    def swap(self, key: str, data: bytes, version: str | None) -> bool:
        """Stores an object only if the existing one still has this version (None: is absent).

        It compares and renames under a lock, which the system releases if the process dies.
        """
        from filelock import FileLock  # noqa: PLC0415  brings asyncio, and readers swap nothing

        path = self._path(key)
        with _translate_errors(key, self.url):
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(path.with_name(f".{path.name}.lock"), poll_interval=0.01):
                current = self.get_version(key)
                if (current and current[1]) == version:
                    return self.put_bytes(key, data)
                return current is not None and current[0] == data

    def download(self, key: str, path: Path, durable: bool = True) -> None:
        """Writes an object to a local file, atomically. Raises MissingObjectError."""
        with (
            self._existing(key).open("rb") as source,
            _translate_errors(key, self.url),
            atomic_writer(path, durable=durable) as stream,
        ):
            shutil.copyfileobj(source, stream, 1 << 20)

    def rehash(self, key: str) -> Digest:
        """Reads and hashes every byte of an object. Raises MissingObjectError."""
        path = self._existing(key)
        with _translate_errors(key, self.url):
            return Digest(path.stat().st_size, file_sha256(path))

    def holds(self, key: str, digest: Digest) -> bool:
        """Whether the object has these bytes. Reads them."""
        return self.size(key) == digest.bytes and self.rehash(key) == digest

    def size(self, key: str) -> int | None:
        """Size of an object in bytes, None if there is none."""
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
        """Removes an object, and folders that are empty then. A missing one is not an error."""
        path = self._path(key)
        with _translate_errors(key, self.url):
            path.unlink(missing_ok=True)
        for folder in path.parents:
            if folder == self.root or not _remove_if_empty(folder):
                return

    def unfinished(self) -> list[Unfinished]:
        """Partially written files, of running writers or interrupted ones."""
        found = [s for s in self._files("") if _is_part(s.key)]
        return [Unfinished(s.key, s.modified, s.key) for s in sorted(found)]

    def abort(self, upload: Unfinished) -> None:
        """Removes a partially written file; a missing one is not an error."""
        if not _is_part(upload.handle) or ".." in upload.handle.split("/"):
            raise StorageError(
                repr(upload.handle),
                "not one of our partial uploads",
                "It is left untouched; remove it by hand if nobody needs it.",
            )
        with _translate_errors(upload.handle, self.url):
            (self.root / upload.handle).unlink(missing_ok=True)

    def _files(self, folder: str) -> Iterator[Stored]:
        """Every file below a folder. Files that vanish during the scan are skipped."""
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

    def _put(
        self, key: str, write: Callable[[IO[bytes]], object], *, if_absent: bool = False
    ) -> bool:
        path = self._path(key)
        with _translate_errors(key, self.url):
            for left in reversed(range(ATTEMPTS)):
                path.parent.mkdir(parents=True, exist_ok=True)
                try:
                    with atomic_writer(path, if_absent=if_absent) as stream:
                        write(stream)
                except FileExistsError:
                    return False
                except FileNotFoundError:  # a cleaner removed the folder while it was empty
                    if not left:
                        raise
                else:
                    break
        return True


def _is_part(key: str) -> bool:
    name = key.rpartition("/")[2]
    return name.startswith(".") and name.endswith(PART)


def _remove_if_empty(folder: Path) -> bool:
    """Whether an empty folder was removed; a writer may fill it at the same time."""
    try:
        folder.rmdir()
    except OSError:
        return False
    return True


@contextmanager
def _translate_errors(key: str, root: str) -> Iterator[None]:
    """Turns an OSError into a StorageError."""
    where = f"{root}/{key}".rstrip("/")
    try:
        yield
    except FileExistsError as error:
        what = "a file is in the place of a folder"
        raise StorageError(where, what, "Move that file elsewhere.") from error
    except PermissionError as error:
        todo = "Check the folder's permissions."
        raise RefusedError(where, error.strerror or str(error), todo) from error
    except OSError as error:
        todo = "Check the folder's permissions and the free space on its disk."
        raise StorageError(where, error.strerror or str(error), todo) from error
