"""The history of the Hub's counters: what changed with every snapshot, kept for years.

A pure function of the archive's snapshots of the Hub in the order of their days, and of the code:
a cache that can be deleted and is then made anew, never a source of truth. The cost of a snapshot
does not depend on how many came before it.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path

import duckdb

from warehouse.hub_history.apply import After, Before, apply
from warehouse.hub_history.ledger import (
    Entry,
    HistoryError,
    HistoryFile,
    Ledger,
    Sweep,
    describe,
    read_ledger,
    write_ledger,
)
from warehouse.storage.files import file_sha256

log = logging.getLogger("observatory.history")

STATE = ("models", "counters", "absences")


class History:
    """The history of one archive, in a folder of its own below `root`.

    The folder is named after the first snapshot: another archive gets another folder. Hold
    `locked()` while you plan and apply.
    """

    def __init__(self, root: Path, sweeps: Sequence[Sweep]) -> None:
        self.sweeps = tuple(sweeps)
        self.folder = root / sweeps[0].sidecar_sha256[:16]
        self.ledger = read_ledger(self.folder)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """The right to write; a second run waits. Reads the ledger anew."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.ledger = read_ledger(self.folder)
            yield

    def missing(self) -> tuple[Sweep, ...]:
        """The snapshots still to apply, in order, once what no longer holds is taken back.

        A snapshot that was refused, readmitted or filed late changes all that follows it: the
        history goes back to the last checkpoint before it.
        """
        held, sizes = self.ledger.until(self.sweeps[-1].snapshot_date), self._sizes()
        same = 0
        for entry, sweep in zip(held, self.sweeps, strict=False):
            if entry.sweep != sweep or not _are_there(sizes, entry):
                break
            same += 1
        if same < len(held) or self._is_torn():
            same = self._take_back(same)
        self._sweep_up()
        return self.sweeps[same:]

    def is_whole(self, entries: Iterable[Entry]) -> bool:
        """Whether the immutable files of these snapshots are all there."""
        sizes = self._sizes()
        return all(_are_there(sizes, entry) for entry in entries)

    def _sizes(self) -> dict[str, int]:
        """Bytes of every file of the days by its path: listed at once, for they may be of years."""
        sizes: dict[str, int] = {}
        for kind in ("changes", "models"):
            if (self.folder / kind).is_dir():
                with os.scandir(self.folder / kind) as files:
                    for file in files:
                        with suppress(FileNotFoundError):  # another run was writing it
                            sizes[f"{kind}/{file.name}"] = file.stat().st_size
        return sizes

    def _is_torn(self) -> bool:
        """Whether the newest state, without which nothing can be applied, is not there."""
        entries = self.ledger.entries
        return bool(entries) and not all(self._is_there(f) for f in entries[-1].state)

    def _is_there(self, file: HistoryFile) -> bool:
        path = self.folder / file.path
        return path.is_file() and path.stat().st_size == file.bytes

    def _take_back(self, same: int) -> int:
        """Shortens the ledger to the newest state within its first entries. Returns its length."""
        kept = self.ledger.entries[:same]
        while kept and not (kept[-1].state and all(map(self._is_there, kept[-1].state))):
            kept = kept[:-1]
        log.warning(
            "history: %d of %d snapshots no longer hold, applying them anew",
            len(self.ledger.entries) - len(kept),
            len(self.ledger.entries),
        )
        self._commit(kept)
        return len(kept)

    def _commit(self, entries: tuple[Entry, ...]) -> None:
        self.ledger = Ledger(code=self.ledger.code, entries=entries)
        write_ledger(self.folder, self.ledger)

    def _sweep_up(self) -> None:
        """Removes what the ledger does not name: left over from a run that was killed."""
        named = {f.path for f in self.files()}
        for path in self._sizes().keys() - named:
            (self.folder / path).unlink()
        kept = {f.path for e in self.ledger.entries for f in e.state}
        for file in (self.folder / "state").rglob("*"):
            if file.is_file() and file.relative_to(self.folder).as_posix() not in kept:
                file.unlink()

    def apply(self, con: duckdb.DuckDBPyConnection, sweep: Sweep) -> Entry:
        """Applies the rows of raw.hub_models of one snapshot and commits.

        Whatever happens before the commit, the history stays as it was. A snapshot that was
        applied is not applied again.
        """
        if done := [e for e in self.ledger.entries if e.sweep == sweep]:
            return done[0]
        if self.ledger.entries and self.ledger.entries[-1].day >= sweep.snapshot_date:
            raise HistoryError(f"{sweep.snapshot_id} comes before what the history holds")
        last = self.ledger.entries[-1] if self.ledger.entries else None
        after = self._paths(sweep.snapshot_date)
        counts = apply(con, sweep, self._before(last), after)
        entry = self._entry(sweep, counts, after)
        self._commit((*self._thinned(entry.day), entry))
        self._sweep_up_states()
        return entry

    def _paths(self, day: date) -> After:
        state = self.folder / "state" / str(day)
        return After(
            self.folder / "changes" / f"{day}.parquet",
            self.folder / "models" / f"{day}.parquet",
            *(state / f"{name}.parquet" for name in STATE),
        )

    def _before(self, last: Entry | None) -> Before:
        if last is None:
            return Before(None, 0)
        paths = [(self.folder / f.path,) for f in last.state]
        return Before(last.day, last.counts["keys"], *paths)

    def _entry(self, sweep: Sweep, counts: dict[str, int], after: After) -> Entry:
        state = (after.models, after.counters, after.absences)
        return Entry(
            sweep=sweep,
            counts=counts,
            changes=describe(self.folder, after.changes),
            models=describe(self.folder, after.changed_models),
            state=tuple(describe(self.folder, path) for path in state),
        )

    def _thinned(self, day: date) -> tuple[Entry, ...]:
        """The entries so far; the last one keeps its state only as the last of its month."""
        entries = self.ledger.entries
        if not entries or entries[-1].day.replace(day=1) != day.replace(day=1):
            return entries
        return (*entries[:-1], entries[-1].model_copy(update={"state": ()}))

    def _sweep_up_states(self) -> None:
        held = {str(e.day) for e in self.ledger.entries if e.state}
        for folder in (self.folder / "state").iterdir():
            if folder.name not in held:
                shutil.rmtree(folder)

    def clear(self) -> None:
        """Forgets everything; the archive has it all."""
        self._commit(())
        self._sweep_up()
        shutil.rmtree(self.folder / "shares", ignore_errors=True)

    def entry(self, day: date) -> Entry | None:
        """The entry of one day."""
        return next((e for e in self.ledger.entries if e.day == day), None)

    def files(self) -> tuple[HistoryFile, ...]:
        """The immutable files, oldest first: a published one never needs to be sent again."""
        return tuple(f for e in self.ledger.entries for f in (e.changes, e.models))

    def verify(self) -> list[str]:
        """What is not as the ledger says, by path; [] where all is sound."""
        named = [*self.files(), *(f for e in self.ledger.entries for f in e.state)]
        return [f.path for f in named if not self._is_sound(f)]

    def _is_sound(self, file: HistoryFile) -> bool:
        return self._is_there(file) and file_sha256(self.folder / file.path) == file.sha256


def _are_there(sizes: Mapping[str, int], entry: Entry) -> bool:
    return all(sizes.get(file.path) == file.bytes for file in (entry.changes, entry.models))
