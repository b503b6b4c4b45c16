"""`observatory backfill`: days of the past, side by side on Dask."""

from __future__ import annotations

import os
from datetime import date
from importlib.util import find_spec
from typing import Annotated

import typer

from flows.cli.terminal import (
    QUIET,
    ArchiveDir,
    AsJson,
    AsOf,
    WarehouseFile,
    day_of,
    guarded,
    print_json,
    print_line,
    settings_given,
)

Day = Annotated[date, typer.Argument(parser=day_of, metavar="DATE")]
Reason = Annotated[str, typer.Option(help="Why; stands in warehouse/backfills.yml.")]
Workers = Annotated[int, typer.Option(min=1, help="Processes of the local cluster.")]
Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="A Dask scheduler, e.g. tcp://host:8786, whose workers see the same folders.",
    ),
]


def backfill(
    first: Day,
    last: Day,
    reason: Reason,
    workers: Workers = 2,
    scheduler: Scheduler = None,
    archive: ArchiveDir = None,
    warehouse: WarehouseFile = None,
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> None:
    """Compute the shares of the Hub's days from DATE to DATE, side by side; the next build
    finds them.
    """
    with guarded(as_json):
        if find_spec("prefect_dask") is None:
            raise typer.BadParameter("needs Dask: pip install 'origin-observatory[scale]'")
        if last < first or not reason.strip():
            raise typer.BadParameter("give DATE DATE in order, and say why: --reason TEXT")
        os.environ.update({k: os.environ.get(k, v) for k, v in QUIET.items()})
        from flows.pipeline import backfill as run  # noqa: PLC0415  Prefect takes seconds

        given = settings_given(archive, warehouse, None, None)
        entry = run(first, last, reason, as_of, workers, scheduler, given)
        if as_json:
            print_json(entry)
        else:
            print_line(
                f"{entry['days']} days, {entry['computed']} computed, the others were kept already"
            )
