"""Temporary folders. What a killed process leaves, the next one removes."""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

PREFIX, LOCK, FILES = "observatory-", "lock", "files"
NEW_SECONDS = 60  # a folder may be this old before its maker holds its lock
# What a process leaves that is killed before it has the lock.
_UNLOCKED = re.compile(rf"{PREFIX}\w+-[a-z0-9_]{{8}}")


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
        files = Path(folder, FILES)
        files.mkdir()
        try:
            yield files
        finally:
            shutil.rmtree(files, ignore_errors=True)  # before the lock, which says whose they are


def _remove_dead(root: Path) -> None:
    """Removes the folders of processes that have ended; those of other users stay."""
    before = time.time() - NEW_SECONDS
    for folder in root.glob(f"{PREFIX}*"):
        with suppress(OSError):  # removed by another process meanwhile
            found = folder.lstat()
            is_ours = found.st_uid == os.getuid() and stat.S_ISDIR(found.st_mode)
            if is_ours and found.st_mtime < before:
                _remove_if_free(folder)


def _remove_if_free(folder: Path) -> None:
    if not (folder / LOCK).exists():
        if _UNLOCKED.fullmatch(folder.name):
            folder.rmdir()  # fails if there is anything in it
        return
    with suppress(Timeout), FileLock(folder / LOCK, timeout=0):
        shutil.rmtree(folder / FILES, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
