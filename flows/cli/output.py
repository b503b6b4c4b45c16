"""What commands print: results on stdout; errors, the log and progress on stderr."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.reports.text import display, json_printable, printable
from warehouse.storage.redact import redact

if TYPE_CHECKING:
    from rich.progress import Progress

for stream in (sys.stdout, sys.stderr):
    if isinstance(stream, io.TextIOWrapper):  # a terminal that is not UTF-8 must not end a run
        stream.reconfigure(errors="backslashreplace")

# A file or a log has no width to fit into, and wrapped tables are hard to read there.
WIDTH = None if sys.stdout.isatty() else 130
out, err = Console(width=WIDTH), Console(stderr=True, width=WIDTH)

log = logging.getLogger("observatory")
_bars: list[Progress] = []


class _Printable(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def log_to_stderr() -> None:
    """Show the log of the steps on stderr as they run."""
    from rich.logging import RichHandler  # noqa: PLC0415  `--help` logs nothing

    handler = RichHandler(console=err, show_path=False, show_level=False, markup=False)
    handler.setFormatter(_Printable("%(message)s", datefmt="[%X]"))
    log.handlers[:] = [handler]
    log.propagate = False
    log.setLevel(logging.INFO)


def only_json(as_json: bool) -> bool:
    """Callback of --json: nothing but warnings on stderr."""
    if as_json:
        log.setLevel(logging.WARNING)
    return as_json


@contextmanager
def progress(text: str) -> Iterator[None]:
    """A spinner with the elapsed time on a terminal, else a log line; nothing with --json."""
    if err.is_terminal and log.isEnabledFor(logging.INFO):
        from rich.progress import (  # noqa: PLC0415  slow, and for terminals only
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
        )

        columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
        with Progress(*columns, console=err, transient=True, redirect_stdout=False) as bar:
            bar.add_task(text, total=None)
            _bars.append(bar)
            yield
            _bars.remove(bar)
    else:
        log.info("%s ...", text)
        yield


def stop_progress() -> None:
    """Removes the spinner, before the process ends without unwinding."""
    for bar in _bars:
        bar.stop()


def print_error(text: str) -> None:
    """One error, on stderr."""
    err.print(Text(f"error: {printable(redact(text))}", style="red"), soft_wrap=True)


def print_notice(text: str) -> None:
    """One line about the call itself, on stderr."""
    err.print(Text(printable(text), style="yellow"), soft_wrap=True)


def print_line(text: str = "") -> None:
    """One line of text, without control characters."""
    out.print(printable(text), markup=False, highlight=False, soft_wrap=True)


def print_rows(title: str, rows: list[dict[str, Any]]) -> None:
    """Records as a table under a title."""
    header = list(rows[0]) if rows else []
    cells = [[display(value, name) for name, value in row.items()] for row in rows]
    print_table(title if rows else f"{title}: none", header, cells)


def print_fields(title: str, fields: dict[str, Any]) -> None:
    """One record as lines of name and value; fields without a value are left out."""
    out.print(printable(title), markup=False, highlight=False, style="bold")
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in fields.items():
        if value is not None:
            table.add_row(Text(name), Text(printable(display(value, name))))
    out.print(table)


def print_table(title: str, header: list[str], cells: list[list[str]]) -> None:
    """Cells as a table under a title; names from outside are neither markup nor escapes."""
    if title:
        out.print(printable(title), markup=False, highlight=False)
    if not header:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in header:
        table.add_column(Text(printable(name)), overflow="fold")
    for row in cells:
        table.add_row(*(Text(printable(c)) for c in row))
    out.print(table)


def print_json(document: object) -> None:
    """One JSON document on stdout; characters that steer a terminal are escaped in it."""
    is_utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    text = json.dumps(document, default=str, ensure_ascii=not is_utf8, indent=1)
    sys.stdout.write(json_printable(text) + "\n")
