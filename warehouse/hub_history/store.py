"""The history of the Hub's counters: what changed with every snapshot, over years.

It depends only on the archive's snapshots of the Hub, in the order of their days, and on the code.
It is a cache: if it is deleted, the next build recreates it. The cost of a snapshot does not depend
on how many came before the last monthly checkpoint.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path

import duckdb
from filelock import FileLock

from warehouse.hub_history.ledger import (
    CHECKPOINT,
    DAILY,
    NEWEST,
    Entry,
    HistoryError,
    HistoryFile,
    Ledger,
    Sweep,
    code_digest,
    describe,
    read_ledger,
    write_ledger,
)
from warehouse.hub_history.update import PreviousState, update
from warehouse.storage.files import file_sha256

log = logging.getLogger("observatory.history")

SHARES = "shares"  # a folder of flows.steps.past_shares


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
        if self.ledger.code != code_digest():
            log.info(
                "history: other code made %s, so it is made again from the archive", self.folder
            )
            self._delete_files()
        entries, sizes = self.ledger.until(self.sweeps[-1].snapshot_date), self._sizes()
        same = 0
        for entry, sweep in zip(entries, self.sweeps, strict=False):
            if entry.sweep != sweep or not _are_there(sizes, entry.immutable.values()):
                break
            same += 1
        newest = self.ledger.entries[-1:]
        if same < len(entries) or not all(_is_usable(sizes, entry) for entry in newest):
            same = self._go_back(same, sizes)
        self._remove_unlisted_files()
        return self.sweeps[same:]

    def is_whole(self, entries: Iterable[Entry]) -> bool:
        """Whether the immutable files of these snapshots are all there."""
        sizes = self._sizes()
        return all(_are_there(sizes, entry.immutable.values()) for entry in entries)

    def _sizes(self) -> dict[str, int]:
        """Bytes of every file by path, also of those that the ledger does not list."""
        sizes: dict[str, int] = {}
        for folder in self.folder.iterdir() if self.folder.is_dir() else ():
            if folder.is_dir() and folder.name != SHARES:
                for file in folder.rglob("*"):
                    with suppress(FileNotFoundError):  # a temporary file of another run
                        if file.is_file():
                            path = file.relative_to(self.folder).as_posix()
                            sizes[path] = file.stat().st_size
        return sizes

    def _go_back(self, same: int, sizes: Mapping[str, int]) -> int:
        """Shorten the ledger to the newest usable entry of its first ones; returns its length."""
        kept = self.ledger.entries[:same]
        while kept and not _is_usable(sizes, kept[-1]):
            kept = kept[:-1]
        log.warning(
            "history: %d of %d snapshots are outdated and will be applied again",
            len(self.ledger.entries) - len(kept),
            len(self.ledger.entries),
        )
        self._commit(kept)
        return len(kept)

    def _commit(self, entries: tuple[Entry, ...]) -> None:
        self.ledger = Ledger(code=code_digest(), entries=entries)
        write_ledger(self.folder, self.ledger)

    def _remove_unlisted_files(self) -> None:
        """Remove files that the ledger does not list, of a killed run or an older format."""
        for path in self._sizes().keys() - {f.path for f in self.files()}:
            (self.folder / path).unlink()

    def apply(self, con: duckdb.DuckDBPyConnection, sweep: Sweep) -> Entry:
        """Apply the rows of raw.hub_models of one snapshot and commit.

        On any failure before the commit the history is unchanged. A snapshot is applied only once.
        """
        entries = self.ledger.entries
        if done := [e for e in entries if e.sweep == sweep]:
            return done[0]
        if entries and entries[-1].day >= sweep.snapshot_date:
            raise HistoryError(
                f"{sweep.snapshot_id} is not later than the last snapshot of the history; apply "
                "snapshots in the order of their days"
            )
        day = sweep.snapshot_date
        is_first_of_month = bool(entries) and f"{entries[-1].day:%Y%m}" != f"{day:%Y%m}"
        kinds = (*DAILY, *NEWEST, *(CHECKPOINT if is_first_of_month else ()))
        after = {kind: self.folder / kind / f"{day}.parquet" for kind in kinds}
        counts = update(con, sweep, self._previous(), after)
        files = {kind: describe(self.folder, path) for kind, path in after.items()}
        entry = Entry(sweep=sweep, counts=counts, files=files)
        self._commit((*entries[:-1], *(e.superseded() for e in entries[-1:]), entry))
        self._remove_unlisted_files()
        return entry

    def _previous(self) -> PreviousState:
        if not self.ledger.entries:
            return PreviousState(None, 0)
        last = self.ledger.entries[-1]
        files = {kind: self.folder / file.path for kind, file in last.files.items()}
        return PreviousState(
            day=last.day,
            keys=last.counts["keys"],
            models=self.paths("models", last.day),
            state=files.get("state"),
            checkpoint=files.get("counters_checkpoint"),
            absences=(files["absences"],),
        )

    def paths(self, kind: str, day: date) -> tuple[Path, ...]:
        """The files with the rows of a day: of the last checkpoint, and of the days after it."""
        entries = self.ledger.until(day)
        at = max((n for n, e in enumerate(entries) if e.is_checkpoint), default=0)
        files = [e.files.get(f"{kind}_checkpoint", e.files[kind]) for e in entries[at:]]
        return tuple(self.folder / file.path for file in files)

    def clear(self) -> None:
        """Delete everything; it can be recreated from the archive."""
        self._delete_files()
        shutil.rmtree(self.folder / SHARES, ignore_errors=True)

    def _delete_files(self) -> None:
        self._commit(())
        for folder in self.folder.iterdir():
            if folder.is_dir() and folder.name != SHARES:
                shutil.rmtree(folder)

    def entry(self, day: date) -> Entry | None:
        """The entry of one day."""
        return next((e for e in self.ledger.entries if e.day == day), None)

    def files(self) -> tuple[HistoryFile, ...]:
        """Every file, oldest first."""
        return tuple(f for e in self.ledger.entries for f in e.files.values())

    def verify(self) -> list[str]:
        """Paths of files that differ from the ledger; [] if there are none."""
        return [f.path for f in self.files() if not self._is_unchanged(f)]

    def _is_unchanged(self, file: HistoryFile) -> bool:
        path = self.folder / file.path
        return path.is_file() and file_sha256(path) == file.sha256


def _are_there(sizes: Mapping[str, int], files: Iterable[HistoryFile]) -> bool:
    return all(sizes.get(file.path) == file.bytes for file in files)


def _is_usable(sizes: Mapping[str, int], entry: Entry) -> bool:
    """Whether the next snapshot can be applied to the files of this one."""
    return "absences" in entry.files and _are_there(sizes, entry.files.values())
