"""`observatory history`: the counters of every Hub snapshot, kept as changes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli.terminal import (
    ArchiveDir,
    AsJson,
    AsOf,
    guarded,
    out,
    print_json,
    print_line,
    print_rows,
    settings_given,
    today,
)
from flows.settings import Settings

app = typer.Typer(
    help="The Hub's counters of every snapshot, kept as changes: made from the archive alone, so "
    "it may be deleted at any time. A build keeps it up to date by itself.",
    no_args_is_help=True,
)
HistoryDir = Annotated[
    Path | None, typer.Option("--history", metavar="DIR", help="Folder of the history.")
]


def _settings(archive: Path | None, history: Path | None) -> Settings:
    given = settings_given(archive, None, None, None)
    return Settings(**(given | ({"history": str(history)} if history else {})))


@app.command()
def status(archive: ArchiveDir = None, history: HistoryDir = None, as_json: AsJson = False) -> None:
    """Show what the history holds, day by day, and what it lacks."""
    with guarded(as_json):
        from flows.steps.hub_history import told  # noqa: PLC0415

        found = told(_settings(archive, history))
        if as_json:
            print_json(found)
            return
        print_rows(f"history {found['folder']}", found["days"])
        print_line(
            f"{found['models']:,} models ever seen; {found['bytes']:,} bytes in change files, "
            f"{found['state_bytes']:,} in states; {found['bytes_per_change']:.1f} bytes a change"
        )
        if found["missing"]:
            print_line(f"not applied yet, the next build does it: {', '.join(found['missing'])}")


@app.command()
def update(archive: ArchiveDir = None, history: HistoryDir = None) -> None:
    """Apply every snapshot of the archive that the history lacks."""
    with guarded(as_json=False):
        from flows.steps.hub_history import apply_all  # noqa: PLC0415

        out.print(f"{apply_all(_settings(archive, history))} snapshots applied")


@app.command()
def rebuild(archive: ArchiveDir = None, history: HistoryDir = None) -> None:
    """Delete the history of this archive and make it anew from the kept bytes."""
    with guarded(as_json=False):
        from flows.steps.hub_history import apply_all  # noqa: PLC0415

        out.print(f"{apply_all(_settings(archive, history), anew=True)} snapshots applied")


@app.command()
def verify(archive: ArchiveDir = None, history: HistoryDir = None) -> None:
    """Read every file of the history and compare it with the ledger; exit code 5 if one differs."""
    with guarded(as_json=False):
        from flows.steps.hub_history import verified  # noqa: PLC0415

        out.print(f"{verified(_settings(archive, history))} files are what the ledger says")


@app.command()
def show(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="An id such as Qwen/Qwen3-8B.")],
    archive: ArchiveDir = None,
    history: HistoryDir = None,
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> None:
    """Show one model's counters on every snapshot day, by its newest or any older id."""
    with guarded(as_json):
        from flows.steps.hub_history import series_of  # noqa: PLC0415

        rows: list[dict[str, Any]] = series_of(_settings(archive, history), model, as_of or today())
        if as_json:
            print_json({"model": model, "days": rows})
        else:
            print_rows(model, rows)
