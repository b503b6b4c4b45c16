"""Observe: ask one source and seal what it answered as a snapshot of the archive."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date, timedelta

from flows.settings import Settings
from flows.sources import SOURCES
from flows.sources.http import SourceError
from warehouse.archive.archive import Archive
from warehouse.archive.draft import open_draft
from warehouse.archive.snapshot import ArchiveError, Snapshot, moment
from warehouse.contracts.source import card

log = logging.getLogger("observatory.observe")


@dataclass(frozen=True)
class Observation:
    """What one source gave for the day, and whether the archive had it already."""

    snapshot: Snapshot
    is_reused: bool

    def __str__(self) -> str:
        s = self.snapshot
        verb = "reused" if self.is_reused else "fetched"
        return (
            f"{s.source}: {verb} {s.snapshot_id}, {len(s.files)} files, "
            f"{s.rows_seen:,} records, {s.bytes / 1e6:.1f} MB"
        )


def observe(source: str, settings: Settings, as_of: date, slot: str | None = None) -> Observation:
    """The snapshot of one source for the day; asked for only if the archive has none.

    With a `slot` (HHMM, UTC) it is one of several of that day, and asked for once each.

    A snapshot is sealed when all of it has arrived and looks sound; until then a second call goes
    on where the first one stopped. Raises SourceError, and the archive keeps what was good.
    """
    archive, terms = Archive(settings.archive), card(source)
    if slot is not None and not terms.several_a_day:
        raise ArchiveError(f"{source} is observed once a day: leave the minute {slot} out")
    with open_draft(archive, source, as_of, slot) as draft:
        sealed = archive.snapshot(source, as_of, slot)
        if terms.several_a_day and slot is None:  # any of the day will do
            last = archive.newest(source, before=as_of + timedelta(days=1))
            sealed = last if last and last.snapshot_date == as_of else sealed
        if sealed:
            if refusal := archive.exclusion(source, as_of, slot):
                log.warning("%s was refused (%s): not built from", source, refusal.reason)
            return _told(Observation(sealed, is_reused=True))
        log.info("%s: asking for %s", source, moment(as_of, slot))
        try:
            SOURCES[source].fetch(settings, archive, draft)
        except SourceError as error:
            draft.record_rejection(error.what)
            raise
        sealed = draft.seal(**terms.sidecar_terms())
    return _told(Observation(sealed, is_reused=False))


def _told(observation: Observation) -> Observation:
    log.info("%s", observation)
    for note in observation.snapshot.notes:
        log.info("%s: %s", observation.snapshot.source, note)
    return observation
