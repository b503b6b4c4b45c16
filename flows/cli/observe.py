"""`observatory observe`: file one source's answer, and nothing else."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

from flows.cli.terminal import (
    ArchiveDir,
    AsJson,
    AsOf,
    guarded,
    print_json,
    print_line,
    settings_given,
    today,
)
from flows.settings import ALL_SOURCES, Settings


def _source(text: str) -> str:
    if text not in ALL_SOURCES:
        raise typer.BadParameter(f"{text!r} is none of {', '.join(ALL_SOURCES)}")
    return text


def observe(
    source: Annotated[str, typer.Argument(parser=_source, metavar="SOURCE")],
    archive: ArchiveDir = None,
    as_of: AsOf = None,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="HHMM",
            help="UTC minute of one of several observations of a day, e.g. of the trending strip.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask one source and file its answer in the archive; goes on where an earlier run stopped."""
    with guarded(as_json):
        settings = Settings(**settings_given(archive, None, None, None))
        from flows.steps.observe import observe as ask  # noqa: PLC0415

        day: date = as_of or today()
        observation = ask(source, settings, day, at)
        if as_json:
            told = observation.snapshot.model_dump(mode="json", exclude={"files"})
            print_json(told | {"is_reused": observation.is_reused})
        else:
            print_line(str(observation))
