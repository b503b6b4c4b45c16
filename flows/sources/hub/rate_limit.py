"""How fast a source may be asked: the operator's budget, and what its answers say is left."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

from huggingface_hub.utils import parse_ratelimit_headers  # type: ignore[attr-defined]  # lazy

from flows.settings import Settings
from flows.sources.http import LONGEST_WAIT, SourceError
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
        self.left: int | None = None  # requests, by the last answer

    def wait(self, where: str) -> None:
        """Sleeps until the next request is due. Raises SourceError where the time is used up."""
        now = time.monotonic()
        due = max(self._next, now)
        if self.deadline is not None and due >= self.deadline:
            raise SourceError(
                self.source,
                f"the run's {(self.deadline - self.begun) / 60:g} minutes are used up",
                where,
                "run again: what was kept stays and the sweep goes on here; or give it more by "
                "OBSERVATORY_HUB_MAX_MINUTES",
            )
        time.sleep(due - now)
        self._next = time.monotonic() + self._interval

    def heed(self, headers: Mapping[str, str]) -> None:
        """Takes an answer's RateLimit: spreads the last 5 % over the window, stops at our share."""
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
        self._next = max(self._next, time.monotonic() + min(pause, LONGEST_WAIT))


class Progress:
    """One line a while: how far a sweep is, how fast, how long still (by the sweep before)."""

    def __init__(self, source: str, what: str, pace: Pace, before: Snapshot | None) -> None:
        self.source, self.what, self.pace, self.before = source, what, pace, before
        self._pages = self._rows = 0  # of this run
        self._logged = time.monotonic()

    def kept(self, rows: int) -> None:
        """Counts a page of this run."""
        self._pages, self._rows = self._pages + 1, self._rows + rows

    def tell(self, pages: int, rows: int, *, is_last: bool) -> None:
        """Logs pages and rows of the whole sweep, if it is time to."""
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
            self._still_to_go(rows, spent),
            "" if self.pace.left is None else f"; quota left {self.pace.left}",
        )

    def _still_to_go(self, rows: int, spent: float) -> str:
        if self.before is None or not self._rows:
            return ""
        left = max(self.before.rows_seen - rows, 0) * spent / self._rows
        return f"; about {left / 60:.0f} min left" if left >= 60 else f"; about {left:.0f} s left"
