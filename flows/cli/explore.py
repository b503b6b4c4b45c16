"""Commands that read what a run left behind: archive, warehouse, releases."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli import lazy
from flows.cli.options import (
    SAMPLE,
    ArchiveDir,
    AsJson,
    Limit,
    PublishTo,
    Sources,
    WarehouseFile,
    date_of,
    overrides,
    settings_from,
    settings_to_read,
)
from flows.cli.output import print_fields, print_json, print_line, print_rows, progress
from flows.cli.summary import print_headline
from flows.cli.trace_output import print_trace
from flows.reports.text import NOTHING, minute

TableName = Annotated[
    str | None,
    typer.Argument(metavar="[TABLE]", help="Describe the columns of this table.", show_default=""),
]
Table = Annotated[
    str, typer.Argument(metavar="TABLE", help="Name of a table, with or without its layer.")
]
Key = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="COLUMN=VALUE...",
        help="Pairs that select one row. Without them, the available values are listed.",
    ),
]
Day = Annotated[date, typer.Argument(parser=date_of, metavar="DATE", help="YYYY-MM-DD.")]


def status(
    archive: ArchiveDir = None,
    warehouse: WarehouseFile = None,
    publish_to: PublishTo = None,
    as_json: AsJson = False,
) -> None:
    """Show the state of archive, warehouse and published places."""
    settings = settings_to_read(archive=archive, warehouse=warehouse, publish_to=publish_to)
    found = lazy.status.status_of(settings)
    if as_json:
        print_json(found)
        return
    note = " (the bundled SAMPLE)" if settings.archive == SAMPLE else ""
    print_rows(f"archive {settings.archive}{note}", [_source(s) for s in found["archive"]])
    for name, reason in found["refused"].items():
        print_line(f"excluded from builds: {name} ({reason})")
    for name, reason in found["refused_at_arrival"].items():
        print_line(f"rejected; the next run downloads it again: {name} ({reason})")
    for folder in found["unfinished"]:
        print_line(f"unfinished; the next run continues it: {folder}")
    print_line()
    _print_warehouse(settings.warehouse, found["warehouse"])
    print_line()
    print_rows("published", found["published"])


def _source(about: dict[str, Any]) -> dict[str, Any]:
    """The line of one source; its state shows in the number of snapshots."""
    shown = {name: value for name, value in about.items() if name != "state"}
    return shown | {"retrieved_at": about["retrieved_at"] and minute(about["retrieved_at"])}


def _print_warehouse(path: Path, about: dict[str, Any] | None) -> None:
    if about is None:
        print_line(f"warehouse {path}: none yet; `observatory run` builds one")
        return
    kind = "SAMPLE, " if about["is_sample"] else ""
    code = f"code {about['code_version']} ({about['code_digest'][:12]})"
    print_line(f"warehouse {path}: {kind}as of {about['as_of']}, built by {code}")


def tables(
    table: TableName = None, warehouse: WarehouseFile = None, as_json: AsJson = False
) -> None:
    """List the tables, or describe the columns of one."""
    settings = settings_from(warehouse=warehouse)
    if table is None:
        rows = lazy.tables.tables_of(settings.warehouse)
        print_json(rows) if as_json else print_rows(str(settings.warehouse), rows)
        return
    found = lazy.tables.describe_table(table)
    if as_json:
        print_json(found)
        return
    print_fields(found["table"], {k: found[k] for k in ("description", "grain", "key", "warnings")})
    print_line()
    print_rows("columns (null: the value may be absent)", [_column(c) for c in found["columns"]])


def _column(about: dict[str, Any]) -> dict[str, Any]:
    """One column on one line."""
    kind = about["type"] + (" or null" if about["nullable"] else "")
    return {
        "column": about["column"],
        "type": kind,
        "unit": about["unit"] or NOTHING,
        "meaning": about["meaning"],
    }


def trace(
    table: Table,
    key: Key = None,
    warehouse: WarehouseFile = None,
    archive: ArchiveDir = None,
    limit: Limit = 5,
    as_json: AsJson = False,
) -> None:
    """Trace one published number back to its source records.

    Shows the rows behind it, the raw records, the archived files and their bytes. For a share it
    sums the models again and lists the largest. --warehouse also accepts a release's DuckDB file.
    """
    settings = settings_to_read(archive=archive, warehouse=warehouse)
    with progress("tracing"):
        found = lazy.trace.trace(settings.warehouse, settings.archive, table, key or [], limit)
    if as_json:
        print_json(found)
    else:
        print_trace(found)


def as_of_day(
    day: Day,
    archive: ArchiveDir = None,
    sources: Sources = None,
    as_json: AsJson = False,
) -> None:
    """Show the headline numbers as known on a past date.

    Uses the snapshots and the registry of that date. Builds in a temporary folder; warehouse and
    releases are unchanged.
    """
    known = settings_to_read(archive=archive)
    with lazy.scratch.scratch_folder("as-of") as scratch:
        given = overrides(
            archive=known.archive,
            warehouse=scratch / "then.duckdb",
            history=known.history if known.history.is_dir() else scratch / "history",
            sources=sources,
        )
        settings = lazy.settings.Settings(**given)
        with progress(f"building as of {day}"):
            lazy.sequence.build(settings, day, known_at=day, past_days=False)
        print_headline(settings, [], as_json=as_json)
