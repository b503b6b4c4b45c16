"""The end of a run in which sources failed: one error for all of them."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from flows.sources.http import SourceError

log = logging.getLogger("observatory.observe")


class SourcesFailedError(SourceError):
    """Several sources of one run failed."""

    def __init__(self, failures: Sequence[SourceError], n_sources: int) -> None:
        lost = all(f.is_unreachable for f in failures)
        super().__init__(
            "run",
            f"{len(failures)} of {n_sources} sources failed, so nothing was built\n"
            + "\n".join(f"  {f.source}: {f.what}" for f in failures),
            "the log has the address of each",
            "check the network, then run again; what was received is kept"
            if lost
            else "see the log for each, then run again; what was received is kept",
        )


def failure_of_run(failures: Sequence[BaseException], n_sources: int) -> BaseException:
    """The error to raise: the only one, one that no source is to blame for, or their summary."""
    if len(failures) == 1:
        return failures[0]
    for failure in failures:
        log.error("%s", failure)
    of_sources = [f for f in failures if isinstance(f, SourceError)]
    own = next((f for f in failures if not isinstance(f, SourceError)), None)
    return own or SourcesFailedError(of_sources, n_sources)
