"""Hosts that cannot be reached, so that a run without a network ends soon.

A host is tried for `PATIENCE` seconds. Later sources of the same host try once, or not at all if it
let us wait for long. If no host has answered yet, the others are tried once, too.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from urllib.parse import urlsplit

PATIENCE = 20.0  # s
CONNECT_SECONDS = 10.0
SLOW = 2.0  # s: a refused connection is quick, a lost one is not
REMEMBERED = 120.0  # s


@dataclass
class Failing:
    """A host that does not accept connections."""

    since: float
    last: float
    is_slow: bool


_failing: dict[str, Failing] = {}
_answered: set[str] = set()


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2].lower()


def record_answer(url: str) -> None:
    """The host has answered, with whatever status."""
    _failing.pop(_host(url), None)
    _answered.add(_host(url))


def record_failure(url: str, seconds: float) -> None:
    """No connection came about; the attempt lasted some seconds."""
    now, found = time.monotonic(), _failing.get(_host(url))
    since = found.since if found and now - found.last < REMEMBERED else now
    _failing[_host(url)] = Failing(since, now, seconds > SLOW)


def is_failing(url: str) -> bool:
    """Whether the last attempt to connect to this host failed."""
    return _host(url) in _failing


def is_lost(url: str) -> bool:
    """Whether another attempt would only wait again."""
    found = _failing.get(_host(url))
    return bool(
        found
        and found.is_slow
        and found.last - found.since >= PATIENCE
        and time.monotonic() - found.last < REMEMBERED
    )


def is_given_up(url: str) -> bool:
    """Whether a failed attempt was the last one for this source."""
    found = _failing.get(_host(url))
    if found is None:
        return False
    others = any(host != _host(url) for host in _failing)
    return found.last - found.since >= PATIENCE or (others and not _answered)
