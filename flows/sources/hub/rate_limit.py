"""How fast the Hub may be queried: the operator's budget, and the quota that responses report."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

from huggingface_hub.utils import parse_ratelimit_headers  # type: ignore[attr-defined]  # lazy

from flows.settings import Settings
from flows.sources.http import MAX_WAIT, SourceError
from warehouse.archive.snapshot import Snapshot

log = logging.getLogger("observatory.hub")

WINDOW = 300  # s, the Hub's
LOG_EVERY = 30.0  # s
SLOW_BELOW = 0.05  # of the quota


class Pace:
    """The clock of one run against one source. Times are of the monotonic clock, in seconds."""

    def __init__(self, source: str, settings: Settings) -> None:
        self.source, self.begun = source, time.monotonic()
        self._share = settings.hub_quota_share
        budget = settings.hub_requests_per_5_minutes
        self._interval = WINDOW / budget if budget else 0.0
        self._next = self.begun
        minutes = settings.hub_max_minutes
        self.deadline = None if minutes is None else self.begun + minutes * 60
        self.left: int | None = None  # requests, by the last response

    def wait(self, where: str) -> None:
        """Sleeps until the next request is due. Raises SourceError if the time is used up."""
        now = time.monotonic()
        due = max(self._next, now)
        if self.deadline is not None and due >= self.deadline:
            raise SourceError(
                self.source,
                f"the time limit of {(self.deadline - self.begun) / 60:g} minutes is used up",
                where,
                "run again: the sweep continues from the last stored page; or raise "
                "OBSERVATORY_HUB_MAX_MINUTES",
            )
        time.sleep(due - now)
        self._next = time.monotonic() + self._interval

    def update(self, headers: Mapping[str, str]) -> None:
        """Reads RateLimit: spreads the last 5 % over the window, and stops at our share."""
        quota = parse_ratelimit_headers(headers)
        if quota is None:
            return
        self.left = quota.remaining
        limit = quota.limit or 0
        usable = quota.remaining - int(limit * (1 - self._share))
        pause = 0.0
        if usable <= 0:
            pause = quota.reset_in_seconds
        elif quota.remaining < SLOW_BELOW * limit:
            pause = quota.reset_in_seconds / usable
        self._next = max(self._next, time.monotonic() + min(pause, MAX_WAIT))


class Progress:
    """Logs at intervals how far a sweep is, its speed, and the time left (by the last sweep)."""

    def __init__(self, source: str, what: str, pace: Pace, before: Snapshot | None) -> None:
        self.source, self.what, self.pace, self.before = source, what, pace, before
        self._pages = self._rows = 0  # of this run
        self._logged = time.monotonic()

    def count(self, rows: int) -> None:
        """Counts a page of this run."""
        self._pages, self._rows = self._pages + 1, self._rows + rows

    def report(self, pages: int, rows: int, *, is_last: bool) -> None:
        """Logs pages and rows of the whole sweep, if enough time has passed."""
        now = time.monotonic()
        if now - self._logged < LOG_EVERY and not is_last:
            return
        self._logged, spent = now, now - self.pace.begun
        log.info(
            "%s: %d pages, %s %s; %.1f pages/s%s%s",
            self.source,
            pages,
            f"{rows:,}",
            self.what,
            self._pages / max(spent, 1e-9),
            self._time_left(rows, spent),
            "" if self.pace.left is None else f"; {self.pace.left} requests left in the quota",
        )

    def _time_left(self, rows: int, spent: float) -> str:
        if self.before is None or not self._rows:
            return ""
        left = max(self.before.rows_seen - rows, 0) * spent / self._rows
        return f"; about {left / 60:.0f} min left" if left >= 60 else f"; about {left:.0f} s left"
