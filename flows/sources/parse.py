"""Parsing one stored snapshot, with one error for everything that damage can cause."""

from __future__ import annotations

import duckdb

from flows.sources import SOURCES
from flows.sources.formats.damage import describe, is_damage
from flows.sources.http import SourceError
from warehouse.archive.archive import Archive
from warehouse.archive.snapshot import Snapshot


def parse_snapshot(con: duckdb.DuckDBPyConnection, archive: Archive, snapshot: Snapshot) -> None:
    """Loads the raw tables of a snapshot. Raises SourceError naming the file, or ArchiveError."""
    try:
        SOURCES[snapshot.source].parse(con, archive, snapshot)
    except BaseException as error:
        if not is_damage(error):
            raise
        raise SourceError(
            snapshot.source,
            f"{snapshot.snapshot_id} cannot be read: {describe(error)}",
            str(archive.folder(snapshot.source, snapshot.snapshot_date, snapshot.slot)),
            "if the source changed its format, adapt the parser and its contract; to build without "
            f"it, run `observatory exclude {snapshot.snapshot_id}`",
        ) from error
