"""Damage in bytes from outside, told apart from faults of this machine and of the archive.

Readers of CSV, JSON, Parquet, zip and pickle raise whatever their libraries raise, and a panic of
Polars is not even an Exception. So damage is not a list of types: it is everything but the errors
that bytes cannot cause.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import polars as pl

from warehouse.archive.snapshot import ArchiveError
from warehouse.database.own_disk import DiskError, own_fault

# A full memory is the machine's fault; Ctrl-C reaches a query of DuckDB as an error of its own.
_OURS = (
    *(ArchiveError, DiskError, MemoryError),
    *(duckdb.OutOfMemoryException, duckdb.InterruptException),
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]+")
LONGEST = 600  # characters of a library's message


class DamagedFileError(ValueError):
    """A file that cannot be read; the message begins with its name."""


def is_damage(error: BaseException) -> bool:
    """Whether bytes can have caused an error; False for Ctrl-C, full memory and full disks."""
    if not isinstance(error, Exception | pl.exceptions.PanicException) or isinstance(error, _OURS):
        return False
    if isinstance(error, OSError):  # decoders raise it, too, but without a number
        return error.errno is None
    return own_fault(error) is None


def describe(error: BaseException) -> str:
    """An error in one line that is safe to show; with its type if the message alone says little."""
    text = _CONTROL.sub(" ", str(error)).strip()
    shown = f"{text[:LONGEST]}…" if len(text) > LONGEST else text
    is_ours = type(error).__module__.split(".")[0] in ("flows", "transforms", "warehouse")
    is_clear = type(error) is ValueError or is_ours or isinstance(error, duckdb.Error)
    return shown if is_clear and shown else f"{type(error).__name__}: {shown}"


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Turns everything that damage in a file causes into a DamagedFileError with its name."""
    try:
        yield
    except DamagedFileError:
        raise
    except BaseException as error:
        if not is_damage(error):
            raise
        text = describe(error)
        raise DamagedFileError(text if text.startswith(name) else f"{name}: {text}") from error
