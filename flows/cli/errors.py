"""Errors as one message and an exit code; a traceback only where someone asks for it."""

from __future__ import annotations

import atexit
import io
import os
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from errno import EPIPE

import typer

from flows.cli import lazy
from flows.cli.libraries import EnvironmentFaultError, proxy_problem
from flows.cli.output import print_error, stop_progress
from flows.reports.text import printable
from warehouse.storage.redact import redact

DEBUG = "OBSERVATORY_DEBUG"
CTRL_C = 130
EXIT_SECONDS = 10  # for what must be cleaned up after Ctrl-C
INTERRUPTED = (
    "interrupted. Kept: all sealed snapshots and the finished pages of an unfinished observation, "
    "which the next run resumes. The warehouse and the published releases are complete."
)


@contextmanager
def errors_reported() -> Iterator[None]:
    """Turns every exception of a command into a message on stderr and an exit code."""
    try:
        with _on_signals(_interrupt, "SIGTERM", "SIGHUP"):
            yield
    except (typer.Exit, typer.Abort, typer.TyperException):
        raise
    except (KeyboardInterrupt, Exception) as error:
        if getattr(error, "errno", None) == EPIPE:  # `| head`: Typer ends quietly
            raise
        # Within a query DuckDB turns Ctrl-C into an error of its own.
        if isinstance(error, KeyboardInterrupt) or str(error) == "Query interrupted":
            print_error(INTERRUPTED)
            raise typer.Exit(CTRL_C) from None
        raise typer.Exit(_report(error)) from error


@contextmanager
def _on_signals(handler: Callable[..., object], *names: str) -> Iterator[None]:
    """Within it these signals are handled so, unless they are ignored (`nohup`)."""
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        numbers = []
    before = {n: signal.getsignal(n) for n in numbers if signal.getsignal(n) != signal.SIG_IGN}
    for number in before:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def _interrupt(*_: object) -> None:
    """SIGTERM and SIGHUP end a command as Ctrl-C does: scratch and children go first."""
    raise KeyboardInterrupt


@contextmanager
def ends_at_once() -> Iterator[None]:
    """Within it Ctrl-C, SIGTERM and SIGHUP end the process without unwinding the stack.

    An exception that unwinds through Prefect's engine would be reported to a server that may have
    ended, with minutes of retries. Nothing needs the unwinding: a build or an upload may be killed
    at any point.
    """
    with _on_signals(_end_at_once, "SIGINT", "SIGTERM", "SIGHUP"):
        yield


def _end_at_once(*_: object) -> None:
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if number := getattr(signal, name, None):
            signal.signal(number, signal.SIG_IGN)
    stop_progress()
    print_error(INTERRUPTED)
    sys.stderr = io.StringIO()  # for log handlers that report to a server that has ended
    watchdog = threading.Timer(EXIT_SECONDS, os._exit, (CTRL_C,))
    watchdog.daemon = True
    watchdog.start()
    atexit._run_exitfuncs()  # scratch folders, and a local server that did not get the signal
    os._exit(CTRL_C)


def _report(error: Exception) -> int:
    """Prints the message of an error and returns its exit code."""
    if isinstance(error, EnvironmentFaultError):
        print_error(str(error))
        return 2
    if problems := lazy.exit_codes.settings_problems(error):
        for problem in problems:
            print_error(problem)
        return 2
    if fault := lazy.exit_codes.own_disk_fault(error):
        print_error(fault)
        return 5
    code = lazy.exit_codes.exit_code(error)
    if code is not None:
        print_error(str(error))
        return code
    if advice := lazy.exit_codes.advice_on_duckdb(error):
        print_error(f"{error}\n  what to do: {advice} (`observatory replay`)")
        return 5
    if isinstance(error, OSError) and error.strerror:
        print_error(f"{error.filename or 'operating system'}: {error.strerror}")
        return 1
    if isinstance(error, ImportError | ValueError) and (proxy := proxy_problem()):
        print_error(proxy)
        return 2
    print_error(_unexpected(error))
    return 1


def _unexpected(error: Exception) -> str:
    text = printable(redact("".join(traceback.format_exception(error))))
    what = f"unexpected {type(error).__name__}: {error}".splitlines()[0]
    if os.environ.get(DEBUG):
        return f"{what}\n{text}"
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="observatory-error-", suffix=".log", delete=False, encoding="utf-8"
        ) as file:
            file.write(text)
    except OSError:  # a full disk
        return f"{what}. {DEBUG}=1 prints the traceback; please report it"
    return f"{what}. The traceback is in {file.name}; please report it ({DEBUG}=1 prints it)"
