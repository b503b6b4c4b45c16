"""`observatory registry`: check and extend the registry of labs and namespaces."""

from __future__ import annotations

import typer

from flows.cli import lazy
from flows.cli.options import AsJson, Limit, WarehouseFile, settings_from
from flows.cli.output import print_json, print_line, print_rows, progress

app = typer.Typer(
    help="Check and extend the registry of labs and namespaces.", no_args_is_help=True
)


@app.command()
def check() -> None:
    """Check the registry against its rules; lists file and line of every violation."""
    with progress("checking the registry"):
        names = lazy.load.reference_tables()["raw.registry_namespaces"].height
    print_line(f"the registry is valid: {names:,} names")


@app.command()
def gaps(warehouse: WarehouseFile = None, limit: Limit = 25, as_json: AsJson = False) -> None:
    """List names that nobody has examined yet, heaviest first."""
    summary, names = lazy.registry_gaps.gaps(settings_from(warehouse=warehouse).warehouse, limit)
    if as_json:
        print_json({"coverage": summary.to_dicts(), "unexamined": names.to_dicts()})
        return
    print_rows("examined share of the weight, by system", summary.to_dicts())
    print_rows("heaviest unexamined names", names.to_dicts())


@app.command()
def propose(warehouse: WarehouseFile = None, limit: Limit = 25, as_json: AsJson = False) -> None:
    """Propose known names that look similar.

    The proposals are for review; the registry is not changed.
    """
    rows = lazy.registry_gaps.propose(settings_from(warehouse=warehouse).warehouse, limit)
    if as_json:
        print_json(rows.to_dicts())
    else:
        print_rows("proposals for review", rows.to_dicts())
