"""The private file of a build, `.<warehouse>.<pid>.build`, and how it replaces the warehouse.

Readers that have the old warehouse open keep it.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from warehouse.contracts.table import UNPUBLISHED
from warehouse.database.duckdb_file import (
    WarehouseError,
    files_of,
    open_read_only,
    real_path,
    unpublished_path,
)
from warehouse.storage.files import sync_file


def build_path(warehouse: Path) -> Path:
    """The private file of this process, in the same folder so that swapping is a rename."""
    real = real_path(warehouse)
    return real.with_name(f".{real.name}.{os.getpid()}.build")


def require_own(warehouse: Path) -> None:
    """Raises WarehouseError if a file is there that no build wrote: it would be replaced."""
    if not warehouse.exists():
        return
    try:
        with open_read_only(warehouse):
            return
    except WarehouseError as error:
        raise WarehouseError(
            f"{error}\n  nothing was built, since a build replaces this file: move it elsewhere, "
            "or use another --warehouse"
        ) from error


def remove_dead_builds(warehouse: Path) -> list[Path]:
    """Removes what killed builds of this warehouse left. Returns it.

    The caller holds the warehouse's lock (`warehouse.database.lock`), so no other build is alive,
    whatever the process ids in the names mean: they may be those of another container.
    """
    real, own = real_path(warehouse), build_path(warehouse).name
    name = re.compile(rf"\.{re.escape(real.name)}\.\d+\.build(\.{UNPUBLISHED})?(\.wal|\.tmp)?")
    dead = [p for p in real.parent.iterdir() if name.fullmatch(p.name) and p.name != own]
    for path in dead:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return dead


def move(path: Path, target: Path) -> None:
    """Renames a closed warehouse file and the file of its unpublished tables."""
    unpublished_path(path).replace(unpublished_path(target))
    path.replace(target)


def swap_in(built: Path, warehouse: Path) -> None:
    """Replaces the warehouse by a closed, checkpointed build, atomically.

    The file of the unpublished tables is replaced first; if the process is killed after it,
    `connect` does not attach it to the old warehouse.
    """
    if left := [file.name for file in files_of(built)[2:] if file.exists()]:
        raise WarehouseError(f"{built} was not checkpointed ({left[0]} exists); build it again")
    sync_file(built)
    sync_file(unpublished_path(built))
    try:
        move(built, real_path(warehouse))
    except OSError as error:
        raise WarehouseError(
            f"{warehouse} cannot be replaced ({error.strerror}); if the file itself is a mount "
            "point, mount its folder instead"
        ) from error
