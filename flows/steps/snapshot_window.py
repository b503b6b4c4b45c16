"""Which snapshots of a source are loaded into the raw tables, and when others last were."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from warehouse.archive.snapshot import Snapshot
from warehouse.contracts.source import card


def recent(snapshots: Sequence[Snapshot], records: int | None) -> list[Snapshot]:
    """The newest snapshots that together have at most this many records; at least the last one."""
    newest: list[Snapshot] = []
    total = 0
    for snapshot in reversed(snapshots):
        total += snapshot.rows_seen
        if newest and records is not None and total > records:
            break
        newest.append(snapshot)
    return newest[::-1]


def loaded(snapshots: Sequence[Snapshot]) -> list[Snapshot]:
    """The snapshots of a build whose records are loaded, according to their source cards."""
    chosen: list[Snapshot] = []
    for source in dict.fromkeys(s.source for s in snapshots):
        of_source = [s for s in snapshots if s.source == source]
        about = card(source)
        is_windowed = about.loads == "recent_snapshots"
        chosen += recent(of_source, about.recent_records) if is_windowed else of_source
    return chosen


def last_loaded_days(snapshots: Sequence[Snapshot]) -> dict[date, date]:
    """Day of each snapshot that is no longer loaded -> the last day on which it was loaded.

    The figures of that last build remain valid for the day. Both days follow from the archive and
    the source card.
    """
    records = card(snapshots[0].source).recent_records if snapshots else None
    oldest = [recent(snapshots[: i + 1], records)[0].snapshot_date for i in range(len(snapshots))]
    found: dict[date, date] = {}
    for snapshot in snapshots:
        if snapshot.snapshot_date < oldest[-1]:
            last = [
                later.snapshot_date
                for later, first in zip(snapshots, oldest, strict=True)
                if first <= snapshot.snapshot_date <= later.snapshot_date
            ]
            found[snapshot.snapshot_date] = max(last)
    return found
