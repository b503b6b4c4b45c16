"""Great Expectations without telemetry, progress bars, log lines and warnings."""

from __future__ import annotations

import logging
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

# Its own types do not allow all that it accepts: engine settings, progress bars, sites.
GxObject: TypeAlias = Any

_ONE_AT_A_TIME = threading.Lock()


@contextmanager
def ephemeral_context() -> Iterator[GxObject]:
    """A context in memory, without telemetry, progress bars, log lines and warnings.

    One at a time: Great Expectations keeps the newest context in a global of the process.
    """
    with _ONE_AT_A_TIME, _quiet():
        import great_expectations as gx  # noqa: PLC0415 - takes 3 to 5 s; `--help` must not wait

        context: GxObject = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False, "metric_calculations": False}
        yield context


@contextmanager
def _quiet() -> Iterator[None]:
    """Its loggers set their own levels, so their messages are stopped before they propagate."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    logger, silence = logging.getLogger("great_expectations"), logging.NullHandler()
    logger.addHandler(silence)
    logger.propagate, before = False, logger.propagate
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.propagate = before
        logger.removeHandler(silence)
