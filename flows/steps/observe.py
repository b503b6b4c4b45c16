"""Observe: fetch one source and seal its responses as a snapshot of the archive."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from filelock import FileLock

from flows.settings import Settings
from flows.sources import SOURCES
from flows.sources.http import SourceError
from warehouse.archive.archive import Archive
from warehouse.archive.draft import open_draft
from warehouse.archive.snapshot import ArchiveError, Snapshot, moment
from warehouse.contracts.source import card
from warehouse.database.own_disk import DiskError, disk_errors

log = logging.getLogger("observatory.observe")

ON_TIME = timedelta(hours=1)  # a run that starts later than this files under the real minute
CLOCK_SKEW = timedelta(minutes=5)  # between a server that plans and a worker that runs


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


class Moment(NamedTuple):
    """Day and slot of an observation, and whether its run is late."""

    day: date
    slot: str
    is_late: bool


def moment_of(planned: datetime, now: datetime) -> Moment:
    """When a scheduled run observes: the planned minute, or the real one if the run is late.

    A retry within `ON_TIME` has the same minute. A snapshot belongs to the day of its bytes.
    """
    is_late = planned.date() != now.date() or not -CLOCK_SKEW <= now - planned <= ON_TIME
    at = now if is_late else planned
    if is_late:
        times = (f"{t:%Y-%m-%d %H:%M}" for t in (planned, now))
        log.warning("planned for %s, filed under the real time, %s UTC", *times)
    return Moment(at.date(), at.strftime("%H%M"), is_late)


def observe(
    source: str,
    settings: Settings,
    as_of: date,
    slot: str | None = None,
    *,
    is_late: bool = False,
) -> Observation:
    """The snapshot of one source for the day; fetched only if the archive has none.

    With a `slot` (HHMM, UTC) it is one of several of that day. If `is_late`, an observation of the
    last hour is reused: of many late runs that start together one fetches.

    A snapshot is sealed once it is complete and looks sound. Until then another call continues
    where this one stopped. Raises SourceError; the archive keeps the files that were sound.
    """
    if is_late:
        return _observe_late(source, settings, as_of, slot)
    archive, terms = Archive(settings.archive), card(source)
    if slot is not None and not terms.several_a_day:
        raise ArchiveError(f"{source} is observed once a day; do not give the time of day {slot}")
    with disk_errors(DiskError, archive.root), open_draft(archive, source, as_of, slot) as draft:
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


def _observe_late(source: str, settings: Settings, as_of: date, slot: str | None) -> Observation:
    folder = settings.archive / source
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".late.lock"):
        if recent := _recent(Archive(settings.archive), source):
            return _log_observation(Observation(recent, is_reused=True))
        return observe(source, settings, as_of, slot)


def _recent(archive: Archive, source: str) -> Snapshot | None:
    """The newest snapshot, if its bytes were received within the last hour."""
    newest = archive.newest(source)
    age = datetime.now(UTC) - newest.retrieved_at if newest else ON_TIME
    return newest if age < ON_TIME else None


def _log_observation(observation: Observation) -> Observation:
    log.info("%s", observation)
    for note in observation.snapshot.notes:
        log.info("%s: %s", observation.snapshot.source, note)
    return observation
