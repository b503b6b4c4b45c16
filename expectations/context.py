"""Great Expectations without telemetry, progress bars, log lines and warnings."""

from __future__ import annotations

import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import LazyLoader, find_spec, module_from_spec
from typing import Any, TypeAlias

# Its own types do not allow all that it accepts: engine settings, progress bars, sites.
GxObject: TypeAlias = Any

_ONE_AT_A_TIME = threading.Lock()
_UNUSED = "scipy.stats"  # of expectations about distributions: a third of the import


@contextmanager
def ephemeral_context() -> Iterator[GxObject]:
    """A context in memory, without telemetry, progress bars, log lines and warnings.

    One at a time: Great Expectations keeps the newest context in a global of the process.
    """
    with _ONE_AT_A_TIME, _quiet():
        gx = _library()
        context: GxObject = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False, "metric_calculations": False}
        yield context


def load_library() -> None:
    """Imports Great Expectations, for a program that has to wait for something else anyway."""
    with _ONE_AT_A_TIME, _quiet():
        _library()


def _library() -> GxObject:
    _postpone(_UNUSED)
    import great_expectations  # noqa: PLC0415 - takes 2 to 4 s; `--help` must not wait

    return great_expectations


def _postpone(name: str) -> None:
    """Lets a module be imported when something of it is used, and not before."""
    parent, _, child = name.rpartition(".")
    if name in sys.modules or (spec := find_spec(name)) is None or spec.loader is None:
        return
    spec.loader = LazyLoader(spec.loader)
    sys.modules[name] = module = module_from_spec(spec)
    setattr(sys.modules[parent], child, module)  # `from scipy import stats` would load it
    spec.loader.exec_module(module)


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
