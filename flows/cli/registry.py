"""`observatory registry`: look after the registry."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.cli.terminal import (
    AsJson,
    WarehouseFile,
    guarded,
    out,
    print_json,
    print_rows,
    settings_given,
)
from flows.settings import Settings

app = typer.Typer(help="Look after warehouse/registry: who is behind a name, and where.")
Limit = Annotated[int, typer.Option(min=1, help="Names per system.")]


@app.command()
def check() -> None:
    """Hold the registry to its rules; prints file and line of every breach."""
    with guarded(as_json=False):
        from warehouse.registry.load import reference_tables  # noqa: PLC0415

        names = reference_tables()["raw.registry_namespaces"].height
        out.print(f"the registry is valid: {names:,} names")


@app.command()
def gaps(warehouse: WarehouseFile = None, limit: Limit = 25, as_json: AsJson = False) -> None:
    """List unexamined names by the weight they carry."""
    with guarded(as_json):
        settings = Settings(**settings_given(None, warehouse, None, None))
        from flows.reports.registry_gaps import gaps as find_gaps  # noqa: PLC0415

        summary, names = find_gaps(settings.warehouse, limit)
        if as_json:
            print_json({"coverage": summary.to_dicts(), "unexamined": names.to_dicts()})
            return
        print_rows("examined, by weight", summary.to_dicts())
        print_rows("heaviest unexamined names", names.to_dicts())


@app.command()
def propose(warehouse: WarehouseFile = None, limit: Limit = 25, as_json: AsJson = False) -> None:
    """Propose known names that look alike. A person decides; nothing is taken over."""
    with guarded(as_json):
        settings = Settings(**settings_given(None, warehouse, None, None))
        from flows.reports.registry_gaps import propose as find_proposals  # noqa: PLC0415

        rows = find_proposals(settings.warehouse, limit).to_dicts()
        if as_json:
            print_json(rows)
        else:
            print_rows("proposals for review", rows)
