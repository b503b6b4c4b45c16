"""The command line's voice: its options, what it prints, and errors as exit codes."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError as SettingsError
from rich.console import Console
from rich.logging import RichHandler
from rich.table import Table
from rich.text import Text

from flows.reports.sanitize import inert
from flows.settings import ALL_SOURCES

# Prefect and the Hub client read these when they are imported, and both would call home.
QUIET = {
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",  # an error is told once, by ourselves
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
}

# Piped into a file or a log there is no terminal to fit into, and wrapped tables cannot be read.
WIDTH = None if sys.stdout.isatty() else 130
out, err = Console(width=WIDTH), Console(stderr=True, width=WIDTH)


class Audience(StrEnum):
    """Who may see a release."""

    internal = "internal"
    public = "public"


def day_of(text: str) -> date:
    """A day of the command line, YYYY-MM-DD. Raises BadParameter."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a day; write YYYY-MM-DD") from None


ArchiveDir = Annotated[
    Path | None, typer.Option("--archive", metavar="DIR", help="Folder of the kept bytes.")
]
WarehouseFile = Annotated[
    Path | None, typer.Option("--warehouse", metavar="FILE", help="The DuckDB file to build.")
]
PublishTo = Annotated[
    list[str] | None,
    typer.Option(
        "--publish-to",
        metavar="URL",
        help="Folder or s3://bucket/prefix; may be given several times.",
    ),
]
AsOf = Annotated[
    date | None,
    typer.Option(
        "--as-of",
        parser=day_of,
        metavar="DATE",
        help="The run's clock: live answers are filed under this day, and it is the last day "
        "that a build looks at. Default: today, UTC.",
    ),
]
Sources = Annotated[
    str | None,
    typer.Option(
        "--sources", metavar="A,B", help=f"Only these sources, of {','.join(ALL_SOURCES)}."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, for scripts.")]
ForAudience = Annotated[
    Audience,
    typer.Option(
        help="internal: every table. public: without what a license does not let us share in "
        "adapted form (AI Index, CC BY-ND; arena-catalog, no license stated)."
    ),
]
AllowShrink = Annotated[
    bool,
    typer.Option("--allow-shrink", help="Publish although tables fell behind the last release."),
]
Sample = Annotated[
    bool,
    typer.Option("--sample", help="Use the bundled sample of dated public figures: no network."),
]


def settings_given(
    archive: Path | None,
    warehouse: Path | None,
    publish_to: list[str] | None,
    sources: str | None,
) -> dict[str, Any]:
    """What the command line says, by the names of the settings; JSON-safe for Prefect."""
    given = {
        "archive": archive and str(archive),
        "warehouse": warehouse and str(warehouse),
        "docs": warehouse and str(warehouse.parent / f"{warehouse.stem}.validation"),
        "history": warehouse and str(warehouse.parent / "history"),
        "publish_to": publish_to,
        "sources": sources,
    }
    return {name: value for name, value in given.items() if value is not None}


@contextmanager
def guarded(as_json: bool) -> Iterator[None]:
    """Turns every known error into a message and an exit code."""
    log_to_stderr(quiet=as_json)
    from flows.cli.exit_codes import exit_code  # noqa: PLC0415

    try:
        yield
    except SettingsError as error:
        for problem in error.errors():
            where = ".".join(map(str, problem["loc"])) or "settings"
            text = problem["msg"].removeprefix("Value error, ")
            print_error(f"{where}: {text}")
        raise typer.Exit(2) from error
    except typer.Exit:
        raise
    except Exception as error:
        code = exit_code(error)
        if code is None:
            raise
        print_error(str(error))
        raise typer.Exit(code) from error


def print_error(text: str) -> None:
    """One error, on stderr."""
    err.print(Text(f"error: {inert(text)}", style="red"), soft_wrap=True)


class _Inert(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return inert(super().format(record))


def log_to_stderr(*, quiet: bool) -> None:
    """What the steps say, told as they go; only warnings where `quiet`."""
    handler = RichHandler(console=err, show_path=False, show_level=False, markup=False)
    handler.setFormatter(_Inert("%(message)s", datefmt="[%X]"))
    log = logging.getLogger("observatory")
    log.handlers[:] = [handler]
    log.propagate = False
    log.setLevel(logging.WARNING if quiet else logging.INFO)


def today() -> date:
    """Today, UTC."""
    return datetime.now(UTC).date()


def print_rows(title: str, rows: list[dict[str, Any]]) -> None:
    """Records as a table under a title."""
    header = list(rows[0]) if rows else []
    cells = [["–" if v is None else str(v) for v in row.values()] for row in rows]
    print_table(title if rows else f"{title}: nothing", header, cells)


def print_line(text: str) -> None:
    """One line as it is."""
    out.print(text, markup=False, highlight=False, soft_wrap=True)


def print_table(title: str, header: list[str], cells: list[list[str]]) -> None:
    """Cells as a table under a title; names from outside stay inert."""
    out.print(inert(title), markup=False, highlight=False)
    if not header:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in header:
        table.add_column(name, overflow="fold")
    for row in cells:
        table.add_row(*(Text(inert(c)) for c in row))  # names from outside are no markup
    out.print(table)


def print_json(document: object) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(document, default=str, ensure_ascii=False, indent=1) + "\n")
