"""Temporary folders. What a killed process leaves, the next one removes."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

PREFIX, LOCK = "observatory-", "lock"
NEW_SECONDS = 60  # a folder may be this old before its maker holds its lock


@contextmanager
def scratch_folder(what: str, parent: Path | None = None) -> Iterator[Path]:
    """An empty folder below `parent` (default: TMPDIR), removed at the end.

    A lock on it, which the kernel releases when the process dies, tells that it is in use.
    """
    root = parent or Path(tempfile.gettempdir())
    _remove_dead(root)
    with (
        tempfile.TemporaryDirectory(prefix=f"{PREFIX}{what}-", dir=root) as folder,
        FileLock(Path(folder, LOCK)),
    ):
        files = Path(folder, "files")
        files.mkdir()
        yield files


def _remove_dead(root: Path) -> None:
    """Removes the folders of processes that have ended; those of other users stay."""
    before = time.time() - NEW_SECONDS
    for lock in root.glob(f"{PREFIX}*/{LOCK}"):
        folder = lock.parent
        found = folder.lstat()
        is_ours = found.st_uid == os.getuid() and not folder.is_symlink()
        if is_ours and found.st_mtime < before:
            _remove_if_free(folder)


def _remove_if_free(folder: Path) -> None:
    try:
        with FileLock(folder / LOCK, timeout=0):
            shutil.rmtree(folder, ignore_errors=True)
    except (Timeout, OSError):  # in use, or removed by another process meanwhile
        return
