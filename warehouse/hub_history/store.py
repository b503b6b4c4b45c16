"""The history of the Hub's counters: what changed with every snapshot, over years.

It depends only on the archive's snapshots of the Hub, in the order of their days, and on the code.
It is a cache: if it is deleted, the next build recreates it. The cost of a snapshot does not depend
on how many came before it.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path

import duckdb
from filelock import FileLock

from warehouse.hub_history.apply import OutputPaths, PreviousState, apply
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

    The folder is named after the first snapshot, so another archive has another folder. Call
    `missing` and `apply` inside `locked()`.
    """

    def __init__(self, root: Path, sweeps: Sequence[Sweep]) -> None:
        self.sweeps = tuple(sweeps)
        self.folder = root / sweeps[0].sidecar_sha256[:16]
        self.ledger = read_ledger(self.folder)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock for writing and reread the ledger; a second run waits."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / ".lock"):
            self.ledger = read_ledger(self.folder)
            yield

    def missing(self) -> tuple[Sweep, ...]:
        """The snapshots still to apply, in order, after discarding outdated entries.

        A snapshot that was excluded, included again or archived late changes all later entries: the
        history goes back to the last checkpoint before it.
        """
        entries, sizes = self.ledger.until(self.sweeps[-1].snapshot_date), self._sizes()
        same = 0
        for entry, sweep in zip(entries, self.sweeps, strict=False):
            if entry.sweep != sweep or not _are_there(sizes, entry):
                break
            same += 1
        if same < len(entries) or self._lacks_newest_state():
            same = self._go_back(same)
        self._remove_unlisted_files()
        return self.sweeps[same:]

    def is_whole(self, entries: Iterable[Entry]) -> bool:
        """Whether the immutable files of these snapshots are all there."""
        sizes = self._sizes()
        return all(_are_there(sizes, entry) for entry in entries)

    def _sizes(self) -> dict[str, int]:
        """Bytes of every immutable file by path; listed at once, since there may be thousands."""
        sizes: dict[str, int] = {}
        for kind in ("changes", "models"):
            if (self.folder / kind).is_dir():
                with os.scandir(self.folder / kind) as files:
                    for file in files:
                        with suppress(FileNotFoundError):  # a temporary file of another run
                            sizes[f"{kind}/{file.name}"] = file.stat().st_size
        return sizes

    def _lacks_newest_state(self) -> bool:
        """Whether the newest state is missing, without which nothing can be applied."""
        entries = self.ledger.entries
        return bool(entries) and not all(self._is_there(f) for f in entries[-1].state)

    def _is_there(self, file: HistoryFile) -> bool:
        path = self.folder / file.path
        return path.is_file() and path.stat().st_size == file.bytes

    def _go_back(self, same: int) -> int:
        """Shorten the ledger to the newest state within its first entries; returns its length."""
        kept = self.ledger.entries[:same]
        while kept and not (kept[-1].state and all(map(self._is_there, kept[-1].state))):
            kept = kept[:-1]
        log.warning(
            "history: %d of %d snapshots are outdated and will be applied again",
            len(self.ledger.entries) - len(kept),
            len(self.ledger.entries),
        )
        self._commit(kept)
        return len(kept)

    def _commit(self, entries: tuple[Entry, ...]) -> None:
        self.ledger = Ledger(code=self.ledger.code, entries=entries)
        write_ledger(self.folder, self.ledger)

    def _remove_unlisted_files(self) -> None:
        """Remove files that the ledger does not list, left over from a run that was killed."""
        named = {f.path for f in self.files()}
        for path in self._sizes().keys() - named:
            (self.folder / path).unlink()
        listed = {f.path for e in self.ledger.entries for f in e.state}
        for file in (self.folder / "state").rglob("*"):
            if file.is_file() and file.relative_to(self.folder).as_posix() not in listed:
                file.unlink()

    def apply(self, con: duckdb.DuckDBPyConnection, sweep: Sweep) -> Entry:
        """Apply the rows of raw.hub_models of one snapshot and commit.

        On any failure before the commit the history is unchanged. A snapshot is applied only once.
        """
        if done := [e for e in self.ledger.entries if e.sweep == sweep]:
            return done[0]
        if self.ledger.entries and self.ledger.entries[-1].day >= sweep.snapshot_date:
            raise HistoryError(
                f"{sweep.snapshot_id} is not later than the last snapshot of the history; apply "
                "snapshots in the order of their days"
            )
        last = self.ledger.entries[-1] if self.ledger.entries else None
        after = self._paths(sweep.snapshot_date)
        counts = apply(con, sweep, self._before(last), after)
        entry = self._entry(sweep, counts, after)
        self._commit((*self._without_old_state(entry.day), entry))
        self._remove_old_states()
        return entry

    def _paths(self, day: date) -> OutputPaths:
        state = self.folder / "state" / str(day)
        return OutputPaths(
            self.folder / "changes" / f"{day}.parquet",
            self.folder / "models" / f"{day}.parquet",
            *(state / f"{name}.parquet" for name in STATE),
        )

    def _before(self, last: Entry | None) -> PreviousState:
        if last is None:
            return PreviousState(None, 0)
        paths = [(self.folder / f.path,) for f in last.state]
        return PreviousState(last.day, last.counts["keys"], *paths)

    def _entry(self, sweep: Sweep, counts: dict[str, int], after: OutputPaths) -> Entry:
        state = (after.models, after.counters, after.absences)
        return Entry(
            sweep=sweep,
            counts=counts,
            changes=describe(self.folder, after.changes),
            models=describe(self.folder, after.changed_models),
            state=tuple(describe(self.folder, path) for path in state),
        )

    def _without_old_state(self, day: date) -> tuple[Entry, ...]:
        """The entries so far; the last one keeps its state only if it is the last of its month."""
        entries = self.ledger.entries
        if not entries or entries[-1].day.replace(day=1) != day.replace(day=1):
            return entries
        return (*entries[:-1], entries[-1].model_copy(update={"state": ()}))

    def _remove_old_states(self) -> None:
        days = {str(e.day) for e in self.ledger.entries if e.state}
        for folder in (self.folder / "state").iterdir():
            if folder.name not in days:
                shutil.rmtree(folder)

    def clear(self) -> None:
        """Delete everything; it can be recreated from the archive."""
        self._commit(())
        self._remove_unlisted_files()
        shutil.rmtree(self.folder / "shares", ignore_errors=True)

    def entry(self, day: date) -> Entry | None:
        """The entry of one day."""
        return next((e for e in self.ledger.entries if e.day == day), None)

    def files(self) -> tuple[HistoryFile, ...]:
        """The immutable files, oldest first; once published they need no second upload."""
        return tuple(f for e in self.ledger.entries for f in (e.changes, e.models))

    def verify(self) -> list[str]:
        """Paths of files that differ from the ledger; [] if there are none."""
        named = [*self.files(), *(f for e in self.ledger.entries for f in e.state)]
        return [f.path for f in named if not self._is_unchanged(f)]

    def _is_unchanged(self, file: HistoryFile) -> bool:
        return self._is_there(file) and file_sha256(self.folder / file.path) == file.sha256


def _are_there(sizes: Mapping[str, int], entry: Entry) -> bool:
    return all(sizes.get(file.path) == file.bytes for file in (entry.changes, entry.models))
