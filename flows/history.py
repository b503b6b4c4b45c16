"""The history of the Hub's counters, brought up to the archive."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from flows.sources import SOURCES
from warehouse import database
from warehouse.archive import Archive, Snapshot, file_sha256
from warehouse.cards import card
from warehouse.history.ledger import Sweep
from warehouse.history.store import History

log = logging.getLogger("observatory.history")

SOURCE = "hub"


def is_whole_sweep(snapshot: Snapshot) -> bool:
    """Whether a model that the snapshot lacks is gone: a sweep of the whole Hub, to its end.

    Sidecars written before a sweep could be incomplete say so in their notes alone.
    """
    short = any("not reached" in note for note in snapshot.notes)
    enough = snapshot.rows_seen >= (card(snapshot.source).whole_records or 0)
    return snapshot.is_complete and not snapshot.is_sample and not short and enough


def sweep_of(archive: Archive, snapshot: Snapshot) -> Sweep:
    """A snapshot as the history looks at it."""
    sidecar = (
        archive.folder(snapshot.source, snapshot.snapshot_date, snapshot.slot) / "snapshot.json"
    )
    return Sweep(
        snapshot_id=snapshot.snapshot_id,
        snapshot_date=snapshot.snapshot_date,
        sidecar_sha256=file_sha256(sidecar),
        is_whole=is_whole_sweep(snapshot),
    )


def history_of(root: Path, archive: Archive, snapshots: Sequence[Snapshot]) -> History | None:
    """The history of these snapshots of the Hub; None where there are none."""
    sweeps = [sweep_of(archive, s) for s in snapshots if s.source == SOURCE]
    return History(root, sweeps) if sweeps else None


def bring_up_to_date(
    history: History,
    archive: Archive,
    snapshots: Sequence[Snapshot],
    con: duckdb.DuckDBPyConnection | None = None,
    loaded: Collection[str] = (),
) -> int:
    """Applies every snapshot that the history lacks. Returns how many.

    Those of the ids `loaded` are taken from raw.hub_models of `con`; the others are parsed aside.
    """
    by_id = {s.snapshot_id: s for s in snapshots}
    with history.locked():
        missing = history.missing()
        for sweep in missing:
            if con is not None and sweep.snapshot_id in loaded:
                history.apply(con, sweep)
            else:
                with _parsed_aside(archive, by_id[sweep.snapshot_id]) as aside:
                    history.apply(aside, sweep)
            log.info("history: applied %s", sweep.snapshot_id)
    return len(missing)


@contextmanager
def _parsed_aside(archive: Archive, snapshot: Snapshot) -> Iterator[duckdb.DuckDBPyConnection]:
    """The raw tables of one snapshot in a scratch file, on disk: it may be a whole sweep."""
    with TemporaryDirectory(prefix="observatory-history-") as folder:
        con = database.create(Path(folder) / "scratch.duckdb")
        try:
            SOURCES[SOURCE].parse(con, archive, snapshot)
            yield con
        finally:
            con.close()
