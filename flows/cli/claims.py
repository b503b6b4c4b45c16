"""`observatory claims`: the published statements with their verdicts, and new ones."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.cli import lazy
from flows.cli.claims_add import add
from flows.cli.claims_output import print_all, print_statement
from flows.cli.options import AsJson, WarehouseFile, settings_from
from flows.cli.output import print_json

app = typer.Typer(invoke_without_command=True)
app.command()(add)

ClaimId = Annotated[
    str | None, typer.Option("--id", metavar="ID", help="Show one statement with all its tests.")
]


@app.callback()
def claims(
    ctx: typer.Context,
    warehouse: WarehouseFile = None,
    claim_id: ClaimId = None,
    as_json: AsJson = False,
) -> None:
    """List published statements and whether the data support them.

    Each has two verdicts: with the data of the time when it was published, and with today's.
    """
    if ctx.invoked_subcommand is not None:
        return
    settings = settings_from(warehouse=warehouse)
    if claim_id:
        found = lazy.claims.statement(settings.warehouse, claim_id)
    else:
        found = lazy.claims.ledger(settings.warehouse)
    if as_json:
        print_json(found)
    elif claim_id:
        print_statement(claim_id, found)
    else:
        print_all(found)
