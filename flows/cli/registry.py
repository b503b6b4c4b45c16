"""`observatory registry`: check and extend the registry of labs and namespaces."""

from __future__ import annotations

import typer

from flows.cli import lazy, registry_add
from flows.cli.options import AsJson, Limit, WarehouseFile, settings_from
from flows.cli.output import print_json, print_line, print_rows, progress

app = typer.Typer(
    help="Check and extend the registry of labs and namespaces.", no_args_is_help=True
)


app.command()(registry_add.add)


@app.command()
def check() -> None:
    """Check the registry against its rules; lists file and line of every violation."""
    with progress("checking the registry"):
        names = lazy.load.reference_tables()["raw.registry_namespaces"].height
    print_line(f"the registry is valid: {names:,} names")


@app.command()
def gaps(warehouse: WarehouseFile = None, limit: Limit = 25, as_json: AsJson = False) -> None:
    """Show how much of the weight is documented, and the heaviest names that are not.

    Weights: 30-day downloads on the newest day, places among the first 50 of each board, notable
    models. A name is as well documented as the weaker of its row and its lab's row.
    """
    found = lazy.registry_gaps.gaps(settings_from(warehouse=warehouse).warehouse, limit)
    summary, unexamined, undocumented = (frame.to_dicts() for frame in found)
    if as_json:
        print_json(
            {
                "coverage": summary,
                "unexamined": unexamined,
                "without_specific_evidence": undocumented,
            }
        )
        return
    print_rows("examined weight, and what that rests on: evidence and confidence", summary)
    print_rows("heaviest names without specific evidence", undocumented)
    print_rows("heaviest unexamined names", unexamined)


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
