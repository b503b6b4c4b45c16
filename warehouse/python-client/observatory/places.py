"""Reads published files from a folder, from S3 or over HTTP."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import urlopen

from warehouse.storage.files import PART, file_sha256
from warehouse.storage.local import LocalStorage
from warehouse.storage.open import open_storage
from warehouse.storage.protocol import MissingObjectError, StorageError
from warehouse.storage.redact import redact

TIMEOUT = 60  # seconds without an answer
BLOCK = 1 << 20  # bytes
LARGEST_TEXT = 64 << 20  # bytes of a pointer or manifest
WHERE = "give the address of the folder that has latest.json"


class PlaceError(RuntimeError):
    """A published file cannot be read, or is not the one that the manifest names."""


class Place:
    """A published place: `https://…`, `s3://bucket/prefix` or a folder. Raises PlaceError."""

    def __init__(self, address: str | Path) -> None:
        self._address = str(address).rstrip("/")
        is_http = re.match(r"(?i)https?://", self._address)
        with _explained(redact(self._address)):
            self._storage = None if is_http else open_storage(self._address)

    def __str__(self) -> str:
        return redact(self._address)

    def text(self, key: str) -> bytes:
        """A small file."""
        with _explained(f"{self}/{key}"):
            if self._storage:
                return self._storage.get_bytes(key)
            with self._response(key) as stream:
                data = stream.read(LARGEST_TEXT + 1)
        if len(data) > LARGEST_TEXT:
            raise PlaceError(f"{self}/{key} has more than {LARGEST_TEXT:,} bytes; {WHERE}")
        return data

    def local(self, key: str) -> Path | None:
        """The path of a file if the place is a folder."""
        return self._storage.root / key if isinstance(self._storage, LocalStorage) else None

    def save(self, key: str, path: Path, n_bytes: int, digest: str) -> None:
        """A file of known size and SHA-256 to a local path, completely or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{secrets.token_hex(6)}{PART}")
        try:
            with _explained(f"{self}/{key}"):
                self._fetch(key, part, n_bytes)
            if part.stat().st_size != n_bytes or file_sha256(part) != digest:
                raise PlaceError(
                    f"{self}/{key} has other bytes than the manifest names; try again, and tell "
                    "the publisher if that does not help"
                )
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def _fetch(self, key: str, part: Path, n_bytes: int) -> None:
        """The file, or its first bytes if it is too long."""
        if self._storage:
            self._storage.download(key, part, durable=False)
            return
        with self._response(key) as stream, part.open("xb") as out:
            while out.tell() <= n_bytes and (block := stream.read(BLOCK)):
                out.write(block)

    def _response(self, key: str) -> IO[bytes]:
        found: IO[bytes] = urlopen(f"{self._address}/{quote(key)}", timeout=TIMEOUT)  # noqa: S310
        return found


@contextmanager
def _explained(where: str) -> Iterator[None]:
    """Raises what goes wrong inside as PlaceError."""
    try:
        yield
    except MissingObjectError as error:
        raise PlaceError(f"{where} does not exist; {WHERE}") from error
    except StorageError as error:
        raise PlaceError(redact(str(error))) from error
    except HTTPError as error:
        raise PlaceError(f"{where}: HTTP {error.code}; {WHERE}") from error
    except (URLError, HTTPException, TimeoutError) as error:
        raise PlaceError(
            f"{where} cannot be reached ({redact(str(error))}); check the network and the address"
        ) from error
    except OSError as error:
        raise PlaceError(f"{error.filename or where}: {error.strerror or error}") from error
