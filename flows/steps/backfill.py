"""Days of the past side by side: what a build would compute one after another.

The shares of a day that is no longer loaded follow from archive, history and registry alone, and
from no other such day. So they can be computed anywhere that sees the same folders, in any order,
and twice; the next build finds them kept and is the same as without.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from flows.settings import Settings
from flows.steps import build as steps
from flows.steps.hub_history import SOURCE, sweep_of
from flows.steps.past_shares import Settled, settle_day, settling
from flows.steps.snapshot_window import settled_on
from warehouse.archive.archive import Archive
from warehouse.database.duckdb_file import open_built
from warehouse.hub_history.ledger import Sweep
from warehouse.hub_history.store import History
from warehouse.storage.files import write_atomically


@dataclass(frozen=True)
class Backfill:
    """What a worker needs, whichever process or machine it is on: paths that all of them see."""

    build: Path  # a private build file with its core tables; workers only read it
    history: Path
    sweeps: tuple[Sweep, ...]  # of the snapshots up to `as_of`
    as_of: date
    known_at: date
    days: tuple[Settled, ...]


@contextmanager
def prepared(settings: Settings, first: date, last: date, as_of: date) -> Iterator[Backfill]:
    """Registry and history brought up to date, and the days from `first` to `last` to settle.

    Days that a build has loaded need none of it and are left out. Raises NothingToBuildError,
    ArchiveError, SourceError.
    """
    archive, clocks = Archive(settings.archive), steps.Clocks(as_of)
    snapshots = steps.chosen_snapshots(archive, (SOURCE,), as_of)
    settled = settled_on(snapshots)
    days = tuple(Settled(d, on) for d, on in settled.items() if first <= d <= last)
    settings.warehouse.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".backfill-", dir=settings.warehouse.parent) as folder:
        path = Path(folder).resolve() / "build.duckdb"
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


def backfill_day(given: Backfill, one: Settled) -> bool:
    """Settles one day, in whatever process. False where its shares were kept already."""
    history = History(given.history, given.sweeps)
    clocks = {"as_of": given.as_of, "known_at": given.known_at}
    with open_built(given.build) as con:
        return settle_day(settling(con, history, clocks), one)


def record(path: Path, entry: dict[str, Any]) -> None:
    """Appends an entry to the record of backfills; two that end at once both stand there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = path.read_text("utf-8") if path.exists() else ""
        text = yaml.safe_dump([entry], sort_keys=False, allow_unicode=True)
        write_atomically(path, (before + text).encode())
