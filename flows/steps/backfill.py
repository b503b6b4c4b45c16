"""Computes the shares of past days in parallel, which a build computes one after another.

The shares of a day that is no longer loaded follow from archive, history and registry, not from
other such days. So any process that has access to the same folders can compute them, in any order
and more than once. The next build reuses them, with the same result as without a backfill.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock

from flows.settings import Settings
from flows.steps import build as steps
from flows.steps.hub_history import SOURCE, sweep_of
from flows.steps.past_shares import PastDay, compute_day, read_inputs
from flows.steps.snapshot_window import last_loaded_days
from warehouse.archive.archive import Archive
from warehouse.database.duckdb_file import open_built
from warehouse.hub_history.ledger import Sweep
from warehouse.hub_history.store import History
from warehouse.storage.files import write_atomically
from warehouse.storage.scratch import scratch_folder


@dataclass(frozen=True)
class Backfill:
    """The input of a worker, with paths that are the same for all workers."""

    build: Path  # a private build file with its core tables, which workers only read
    history: Path
    sweeps: tuple[Sweep, ...]  # of the snapshots up to `as_of`
    as_of: date
    known_at: date
    days: tuple[PastDay, ...]


@contextmanager
def prepare(settings: Settings, first: date, last: date, as_of: date) -> Iterator[Backfill]:
    """Updates registry and history, and finds the days from `first` to `last` to compute.

    Days that a build loads are left out. Raises NothingToBuildError, ArchiveError, SourceError.
    """
    archive, clocks = Archive(settings.archive), steps.Clocks(as_of)
    snapshots = steps.chosen_snapshots(archive, (SOURCE,), as_of)
    found = last_loaded_days(snapshots).items()
    days = tuple(PastDay(day, loaded) for day, loaded in found if first <= day <= last)
    settings.warehouse.parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder("backfill", settings.warehouse.parent) as folder:
        path = folder.resolve() / "build.duckdb"
        if days:
            steps.load_raw(path, archive, snapshots, settings.history)
            steps.transform(path, "core", clocks)
        yield Backfill(
            path,
            settings.history.resolve(),
            tuple(sweep_of(archive, s) for s in snapshots),
            clocks.as_of,
            clocks.known_at,
            days,
        )


def backfill_day(given: Backfill, one: PastDay) -> bool:
    """Computes one day, in any process. False if its shares were stored already."""
    history = History(given.history, given.sweeps)
    clocks = {"as_of": given.as_of, "known_at": given.known_at}
    with open_built(given.build) as con:
        return compute_day(read_inputs(con, history, clocks), one)


def record(path: Path, entry: dict[str, Any]) -> None:
    """Appends an entry to the record of backfills, under a lock for concurrent ones."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock")):
        before = path.read_text("utf-8") if path.exists() else ""
        text = yaml.safe_dump([entry], sort_keys=False, allow_unicode=True)
        write_atomically(path, (before + text).encode())
