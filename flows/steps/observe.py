"""Observe: fetch one source and seal its responses as a snapshot of the archive."""

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
    """The snapshot of one source for the day, and whether the archive had it already."""

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
    """The snapshot of one source for the day; fetched only if the archive has none.

    With a `slot` (HHMM, UTC) it is one of several of that day.

    A snapshot is sealed once it is complete and looks sound. Until then another call continues
    where this one stopped. Raises SourceError; the archive keeps the files that were sound.
    """
    archive, terms = Archive(settings.archive), card(source)
    if slot is not None and not terms.several_a_day:
        raise ArchiveError(f"{source} is observed once a day; do not give the time of day {slot}")
    with open_draft(archive, source, as_of, slot) as draft:
        sealed = archive.snapshot(source, as_of, slot)
        if terms.several_a_day and slot is None:  # any snapshot of the day will do
            last = archive.newest(source, before=as_of + timedelta(days=1))
            sealed = last if last and last.snapshot_date == as_of else sealed
        if sealed:
            if exclusion := archive.exclusion(source, as_of, slot):
                log.warning("%s is excluded from builds (%s)", sealed.snapshot_id, exclusion.reason)
            return _log_observation(Observation(sealed, is_reused=True))
        log.info("%s: fetching %s", source, moment(as_of, slot))
        try:
            SOURCES[source].fetch(settings, archive, draft)
        except SourceError as error:
            draft.record_rejection(error.what)
            raise
        sealed = draft.seal(**terms.sidecar_terms())
    return _log_observation(Observation(sealed, is_reused=False))


def _log_observation(observation: Observation) -> Observation:
    log.info("%s", observation)
    for note in observation.snapshot.notes:
        log.info("%s: %s", observation.snapshot.source, note)
    return observation
