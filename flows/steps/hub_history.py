"""Updates the history of the Hub's counters from the archive."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from flows.settings import Settings
from flows.sources.parse import parse_snapshot
from warehouse.archive.archive import Archive
from warehouse.archive.snapshot import ArchiveError, Snapshot
from warehouse.contracts.source import card
from warehouse.database import duckdb_file
from warehouse.hub_history.ledger import DAILY, HistoryError, Sweep
from warehouse.hub_history.series import series
from warehouse.hub_history.store import History
from warehouse.releases.hub_history_export import LIST, list_json, shared_files
from warehouse.releases.manifest import Audience, FileEntry
from warehouse.storage.files import file_sha256
from warehouse.storage.scratch import scratch_folder

log = logging.getLogger("observatory.history")

SOURCE = "hub"


def is_whole_sweep(snapshot: Snapshot) -> bool:
    """Whether the snapshot is a complete sweep of the Hub: a model that it lacks was removed.

    Old sidecars, from before a sweep could be incomplete, say so only in their notes.
    """
    short = any("not reached" in note for note in snapshot.notes)
    enough = snapshot.rows_seen >= (card(snapshot.source).whole_records or 0)
    return snapshot.is_complete and not snapshot.is_sample and not short and enough


def sweep_of(archive: Archive, snapshot: Snapshot) -> Sweep:
    """A snapshot as a sweep of the history."""
    return Sweep(
        snapshot_id=snapshot.snapshot_id,
        snapshot_date=snapshot.snapshot_date,
        sidecar_sha256=file_sha256(archive.sidecar(snapshot)),
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
    """The history of these snapshots with all of them applied, locked for other runs.

    Snapshots whose ids are in `loaded` are read from raw.hub_models of `con`; others are parsed
    into a temporary file. None if no snapshot is of the Hub.
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
                with _parsed(archive, by_id[sweep.snapshot_id]) as parsed:
                    history.apply(parsed, sweep)
            log.info("history: applied %s", sweep.snapshot_id)
        yield history


@contextmanager
def _parsed(archive: Archive, snapshot: Snapshot) -> Iterator[duckdb.DuckDBPyConnection]:
    """The raw tables of one snapshot, in a temporary file: they may be large."""
    with scratch_folder("history") as folder:
        con = duckdb_file.create(folder / "scratch.duckdb")
        try:
            parse_snapshot(con, archive, snapshot)
            yield con
        finally:
            con.close()


def shared_with_releases(
    settings: Settings, until: date, audience: Audience
) -> tuple[dict[str, bytes], list[tuple[FileEntry, Path]]]:
    """The documents and shared files with which a release includes the history up to a day.

    Empty if the warehouse has no snapshot of the Hub, or the history does not match the archive.
    Raises ArchiveError if the archive is not the one that the warehouse was built from.
    """
    archive = Archive(settings.archive)
    built_from = _built_from(settings.warehouse)
    if not built_from or not (audience == "internal" or card(SOURCE).may_share_derived):
        return {}, []
    snapshots = [s for s in archive.snapshots(SOURCE) if s.snapshot_date <= until]
    known = {
        sidecar.parent.relative_to(archive.root).as_posix(): file_sha256(sidecar)
        for sidecar in archive.sidecars([SOURCE])
    }
    if lacking := sorted(i for i, sidecar in built_from.items() if known.get(i) != sidecar):
        raise ArchiveError(
            f"{archive.root} lacks {lacking[0]}, from which {settings.warehouse} was built "
            f"({len(lacking)} of {len(built_from)} snapshots of the Hub), so the release would not "
            "include the Hub's history; give the archive of that build with --archive"
        )
    if not snapshots:
        log.warning("every snapshot of the Hub in %s is excluded from releases", archive.root)
        return {}, []
    history = History(settings.history, [sweep_of(archive, s) for s in snapshots])
    entries = history.ledger.until(until)
    if [e.sweep for e in entries] != list(history.sweeps) or not history.is_whole(entries):
        log.warning(
            "%s does not match the snapshots of %s, so the release does not include the Hub's "
            "history; update it with `observatory history update`",
            history.folder,
            archive.root,
        )
        return {}, []
    return {LIST: list_json(entries)}, shared_files(history, entries)


def _built_from(warehouse: Path) -> dict[str, str]:
    """The Hub's snapshots that a warehouse was built from, with the digests of their sidecars."""
    with duckdb_file.open_read_only(warehouse) as con:
        query = "SELECT snapshot_id, sidecar_sha256 FROM meta.snapshots WHERE source = ?"
        return dict(con.execute(query, [SOURCE]).fetchall())


def _opened(settings: Settings) -> tuple[Archive, list[Snapshot], History]:
    """The archive's snapshots of the Hub and their history as stored."""
    archive = Archive(settings.archive)
    snapshots = archive.snapshots(SOURCE)
    if not snapshots:
        raise HistoryError(
            f"{archive.root} has no snapshot of the Hub; fetch one with `observatory run`, "
            "or check --archive"
        )
    return archive, snapshots, History(settings.history, [sweep_of(archive, s) for s in snapshots])


def summary(settings: Settings) -> dict[str, Any]:
    """Content of the history: a record per applied snapshot, missing snapshots, sizes in bytes."""
    _, _, history = _opened(settings)
    entries = history.ledger.entries
    applied = {e.sweep for e in entries}
    changed = sum(e.counts["models_changed"] for e in entries)
    change_bytes = sum(e.files["counters"].bytes for e in entries)
    immutable = sum(f.bytes for e in entries for f in e.immutable.values())
    return {
        "folder": str(history.folder),
        "days": [
            {
                "day": e.day,
                "whole sweep": e.sweep.is_whole,
                "models": e.counts["models"],
                **{c: e.counts[f"models_{c}"] for c in ("changed", "new", "left")},
                "bytes": sum(e.files[kind].bytes for kind in DAILY),
                "checkpoint": e.is_checkpoint,
            }
            for e in entries
        ],
        "models": entries[-1].counts["keys"] if entries else 0,
        "bytes": immutable,
        "state_bytes": sum(f.bytes for f in history.files()) - immutable,
        "bytes_per_change": change_bytes / changed if changed else 0.0,
        "missing": [s.snapshot_id for s in history.sweeps if s not in applied],
    }


def update(settings: Settings, *, rebuild: bool = False) -> int:
    """Applies missing snapshots, after deleting the history if `rebuild`. Returns their number."""
    archive, snapshots, history = _opened(settings)
    if rebuild:
        with history.locked():
            history.clear()
    before = {e.sweep for e in history.ledger.entries}
    with up_to_date(settings.history, archive, snapshots) as now:
        return len({e.sweep for e in now.ledger.entries} - before) if now else 0


def verify(settings: Settings) -> int:
    """Number of files, if all match the ledger. Raises HistoryError."""
    _, _, history = _opened(settings)
    if wrong := history.verify():
        raise HistoryError(
            f"{history.folder}: these files do not match the ledger: {', '.join(wrong)}\n"
            "  make them again from the archive with `observatory history rebuild`"
        )
    return len(history.files())


def model_series(settings: Settings, model: str, until: date) -> list[dict[str, Any]]:
    """One model's counters, one record per snapshot day from its first."""
    _, _, history = _opened(settings)
    with duckdb_file.connect() as con:
        return [point._asdict() for point in series(con, history, model, until)]
