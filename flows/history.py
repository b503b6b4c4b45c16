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


@contextmanager
def up_to_date(
    root: Path,
    archive: Archive,
    snapshots: Sequence[Snapshot],
    con: duckdb.DuckDBPyConnection | None = None,
    loaded: Collection[str] = (),
) -> Iterator[History | None]:
    """The history of these snapshots, with all of them applied and no other run writing.

    Those of the ids `loaded` are taken from raw.hub_models of `con`; the others are parsed aside.
    None where no snapshot is of the Hub.
    """
    by_id = {s.snapshot_id: s for s in snapshots if s.source == SOURCE}
    if not by_id:
        yield None
        return
    history = History(root, [sweep_of(archive, s) for s in by_id.values()])
    with history.locked():
        for sweep in history.missing():
            if con is not None and sweep.snapshot_id in loaded:
                history.apply(con, sweep)
            else:
                with _parsed_aside(archive, by_id[sweep.snapshot_id]) as aside:
                    history.apply(aside, sweep)
            log.info("history: applied %s", sweep.snapshot_id)
        yield history


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
