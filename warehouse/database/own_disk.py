"""Faults of our own disks and memory in one line: which folder, and what it needs."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EACCES, EDQUOT, EIO, EMFILE, ENOSPC, EPERM, EROFS
from pathlib import Path

import duckdb

from warehouse.database.duckdb_file import MEMORY_DEFAULT, MEMORY_LIMIT
from warehouse.storage.protocol import StorageError

FULL, CLOSED = (ENOSPC, EDQUOT), (EROFS, EACCES, EPERM, EIO)
COMPLETE = "the previous warehouse and releases are complete"
_NAMED = re.compile(r"""["']([^"']*/[^"']*)["']|\(os error \d+\): (\S.*)""")
_SPILL_LIMIT = "max_temp_directory_size"  # in DuckDB's words for a full spill folder


class DiskError(RuntimeError):
    """A disk of ours is full or cannot be written, or the memory does not suffice."""


@contextmanager
def disk_errors(kind: type[Exception], *folders: Path) -> Iterator[None]:
    """Raises `kind` for a fault of our own disk or memory; other errors pass.

    The fullest of the folders is named if an error names no file.
    """
    try:
        yield
    except StorageError:  # says what is wrong with the published place
        raise
    except Exception as error:
        if found := own_fault(error, *folders):
            raise kind(found) from error
        raise


def own_fault(error: BaseException, *folders: Path) -> str | None:
    """The fault of our own disk or memory behind an error, as one line; None for any other."""
    one: BaseException | None = error
    while one is not None:
        if isinstance(one, OSError) and one.errno is not None:
            found = _of_system(one, folders)
        elif isinstance(one, duckdb.Error | MemoryError | OSError) or "os error" in str(one):
            found = _of_text(one, folders)
        else:
            found = None
        if found:
            return found
        one = one.__cause__ or one.__context__
    return None


def _of_system(error: OSError, folders: tuple[Path, ...]) -> str | None:
    """Denied connections are no faults of a disk: they name no file."""
    if (error.strerror or "").startswith("No usable temporary directory"):
        return "TMPDIR: no folder for temporary files can be written; set TMPDIR to one that can"
    if error.errno == EMFILE:
        return f"too many open files; raise the limit (ulimit -n) and run again; {COMPLETE}"
    named = error.filename2 or error.filename
    if isinstance(named, bytes):
        named = os.fsdecode(named)
    if error.errno in FULL:
        return _full(named, folders)
    if isinstance(named, str) and error.errno in CLOSED:
        return _closed(named, os.strerror(error.errno or 0))
    return None


def _of_text(error: BaseException, folders: tuple[Path, ...]) -> str | None:
    """Faults that DuckDB and Polars describe in their messages only."""
    text = str(error)
    if isinstance(error, shutil.Error):  # (from, to, what happened) of each file
        _, target, text = map(str, error.args[0][0])
        text = f"'{target}': {text}"
    found = _NAMED.search(text)
    named = found[1] or found[2] if found else None
    if any(os.strerror(code) in text for code in FULL) or _SPILL_LIMIT in text:
        return _full(named, folders)
    for code in CLOSED:
        if named and os.strerror(code) in text:
            return _closed(named, os.strerror(code))
    if isinstance(error, duckdb.OutOfMemoryException | MemoryError):
        limit = os.environ.get(MEMORY_LIMIT) or MEMORY_DEFAULT
        return (
            f"out of memory with {MEMORY_LIMIT}={limit} ({text.splitlines()[0][:200]}); set it to "
            f"more, for example 4GB, and leave as much to the rest; {COMPLETE}"
        )
    return None


def _full(named: str | None, folders: tuple[Path, ...]) -> str:
    with suppress(OSError, ValueError):
        places = [_folder(Path(named))] if named else [_folder(f / "file") for f in folders]
        free, folder = min((shutil.disk_usage(place).free, str(place)) for place in places)
        return (
            f"{_name(folder)}: its disk is full ({free / 1e6:.1f} MB are free now); free some "
            f"space there, or use another disk; {COMPLETE}"
        )
    return f"a disk is full; free some space and run again; {COMPLETE}"


def _closed(named: str, reason: str) -> str:
    return (
        f"{named}: {reason}; this program must be able to read and write in "
        f"{_name(str(_folder(Path(named))))}: change its owner or mode, or use another folder; "
        f"{COMPLETE}"
    )


def _name(folder: str) -> str:
    with suppress(OSError):
        if folder == tempfile.gettempdir():
            return f"{folder} (TMPDIR)"
    return folder


def _folder(path: Path) -> Path:
    """The folder that exists of a file that may not."""
    return next((p for p in path.absolute().parents if p.is_dir()), Path("/"))
