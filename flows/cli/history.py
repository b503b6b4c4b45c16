"""`observatory history`: the counters of every Hub snapshot."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from flows.cli import lazy
from flows.cli.options import (
    ArchiveDir,
    AsJson,
    AsOf,
    HistoryDir,
    settings_to_read,
)
from flows.cli.output import print_json, print_line, print_rows, progress
from flows.reports.text import size

app = typer.Typer(
    help="Show and maintain the daily history of Hub counters.\n\n"
    "The history is derived from the archive. Builds update it, and it can be deleted at any time.",
    no_args_is_help=True,
)


@app.command()
def status(archive: ArchiveDir = None, history: HistoryDir = None, as_json: AsJson = False) -> None:
    """Show the days in the history and the snapshots that are missing."""
    found = lazy.hub_history.summary(settings_to_read(archive=archive, history=history))
    if as_json:
        print_json(found)
        return
    print_rows(f"history {found['folder']}", found["days"])
    print_line(
        f"{found['models']:,} models in total; {size(found['bytes'])} in files of days, "
        f"{size(found['state_bytes'])} for the next update; "
        f"{found['bytes_per_change']:.1f} bytes per change"
    )
    if found["missing"]:
        print_line(f"missing; the next build adds them: {', '.join(found['missing'])}")


@app.command()
def update(archive: ArchiveDir = None, history: HistoryDir = None) -> None:
    """Add the snapshots that are missing."""
    _apply(archive, history, rebuild=False)


@app.command()
def rebuild(archive: ArchiveDir = None, history: HistoryDir = None) -> None:
    """Delete the history of this archive and build it again."""
    _apply(archive, history, rebuild=True)


def _apply(archive: ArchiveDir, history: HistoryDir, *, rebuild: bool) -> None:
    settings = settings_to_read(archive=archive, history=history)
    with progress("reading snapshots"):
        applied = lazy.hub_history.update(settings, rebuild=rebuild)
    print_line(f"{applied} snapshots added")


@app.command()
def verify(archive: ArchiveDir = None, history: HistoryDir = None) -> None:
    """Check every file of the history against its ledger."""
    settings = settings_to_read(archive=archive, history=history)
    with progress("verifying the history"):
        files = lazy.hub_history.verify(settings)
    print_line(f"{files} files verified")


@app.command()
def show(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="An id such as Qwen/Qwen3-8B.")],
    archive: ArchiveDir = None,
    history: HistoryDir = None,
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> None:
    """Show the counters of one model on every snapshot day.

    The current id or any older id of the model can be given.
    """
    settings = settings_to_read(archive=archive, history=history)
    rows: list[dict[str, Any]] = lazy.hub_history.model_series(
        settings, model, as_of or lazy.settings.today()
    )
    if as_json:
        print_json({"model": model, "days": rows})
    else:
        print_rows(model, rows)
