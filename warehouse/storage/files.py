"""Files: their digests, and writing them atomically."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

PART = ".part"  # ending of a file that is being written; its name starts with a dot


def sha256(data: bytes) -> str:
    """Hex digest."""
    return hashlib.sha256(data).hexdigest()


def file_sha256(path: Path) -> str:
    """Hex digest of a file, read in chunks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def git_blob_id(data: bytes) -> str:
    """Git's id of a file with these bytes."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def write_atomically(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Writes a file completely or not at all; `durable`: it survives a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_writer(path, durable=durable) as stream:
        stream.write(data)


@contextmanager
def atomic_writer(
    path: Path, *, if_absent: bool = False, durable: bool = True
) -> Iterator[IO[bytes]]:
    """A stream whose bytes become the file at the end of the block; an error leaves no file.

    With `durable` the bytes are on disk before the file gets its name. With `if_absent`, raises
    FileExistsError at the end if the file exists by then.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(6)}{PART}")
    try:
        with part.open("xb") as stream:
            yield stream
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        if if_absent:
            _rename_if_absent(part, path)
        else:
            part.replace(path)
        if durable:
            with suppress(OSError):  # a network file system may not support it; the file is there
                sync_file(path.parent)
    except OSError as error:
        if error.filename is None:  # a full disk is met while writing, without a name
            error.filename = str(path)
        raise
    finally:
        part.unlink(missing_ok=True)


def _rename_if_absent(part: Path, path: Path) -> None:
    """A hard link is atomic; checking first and renaming later is not."""
    try:
        path.hardlink_to(part)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links, such as exFAT
        path.open("xb").close()
        part.replace(path)


def sync_file(path: Path) -> None:
    """Waits until a file, or the entries of a folder, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
