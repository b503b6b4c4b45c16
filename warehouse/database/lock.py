"""One run at a time for a warehouse: its file, its Data Docs, its alerts, and their publication."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from filelock import FileLock, Timeout

from warehouse.database.duckdb_file import WarehouseError, real_path

log = logging.getLogger("observatory.lock")

WAIT = 2 * 3600.0  # seconds; longer than a build of every source
POLL = 0.2


@contextmanager
def alone(warehouse: Path) -> Iterator[None]:
    """Holds the warehouse for one run; another run on it waits, and says so.

    The system releases the lock if the process dies. A thread that holds it may take it again.
    Raises WarehouseError after `WAIT` seconds.
    """
    real = real_path(warehouse)
    real.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(lock_path(real), is_singleton=True)
    try:
        held: AbstractContextManager[object] = lock.acquire(timeout=0)
    except Timeout:
        log.warning("%s is used by another run; waiting until that run has ended", warehouse)
        held = _wait(lock, warehouse)
    with held:
        yield


def _wait(lock: FileLock, warehouse: Path) -> AbstractContextManager[object]:
    try:
        return lock.acquire(timeout=WAIT, poll_interval=POLL)
    except Timeout:
        raise WarehouseError(
            f"{warehouse} has been used by another run for {WAIT / 3600:.0f} hours; end that run, "
            "or use another --warehouse"
        ) from None


@contextmanager
def unchanged(warehouse: Path) -> Iterator[None]:
    """Keeps other runs from replacing the warehouse while it is read in several steps.

    In a folder without write permission nothing is locked: nothing is replaced there either.
    """
    real = real_path(warehouse)
    with alone(warehouse) if os.access(real.parent, os.W_OK) else nullcontext():
        yield


def lock_path(real: Path) -> Path:
    """The lock file of a warehouse. It stays: removing it would split the waiting processes."""
    return real.with_name(f".{real.name}.lock")
