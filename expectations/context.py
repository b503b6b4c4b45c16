"""Great Expectations, kept quiet and to itself."""

from __future__ import annotations

import logging
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias
from unittest.mock import patch

# What Great Expectations accepts (engine settings, progress bars, sites) its own types refuse.
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
def remembered() -> Iterator[None]:
    """Lets a suite's expectations be translated into their configurations, and back, only once.

    Great Expectations does so 75 times for each expectation, a third of a small table's time. The
    objects are kept to the end, since they are known by their address.
    """
    from great_expectations.expectations import expectation  # noqa: PLC0415 - see ephemeral_context
    from great_expectations.expectations import expectation_configuration as config  # noqa: PLC0415

    asked: GxObject = expectation.Expectation
    configuration = property(_once(asked.configuration.fget))
    to_domain_obj = _once(config.ExpectationConfiguration.to_domain_obj)
    with (
        patch.object(asked, "configuration", configuration),
        patch.object(config.ExpectationConfiguration, "to_domain_obj", to_domain_obj),
    ):
        yield


def _once(method: GxObject) -> Callable[[GxObject], GxObject]:
    """A method without arguments that answers from memory from the second time on."""
    known: dict[int, tuple[GxObject, GxObject]] = {}

    def answer(self: GxObject) -> GxObject:
        if id(self) not in known:
            known[id(self)] = (self, method(self))
        return known[id(self)][1]

    return answer


@contextmanager
def _quiet() -> Iterator[None]:
    """Its loggers set levels of their own, so what they say is stopped on its way up."""
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
