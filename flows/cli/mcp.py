"""`observatory mcp`: a release for language models."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from flows.cli import lazy


def mcp(
    address: Annotated[
        str | None,
        typer.Argument(
            metavar="ADDRESS",
            help="https://…, s3://bucket/prefix or a folder. Default: the first published place.",
        ),
    ] = None,
    channel: Annotated[
        Literal["latest", "stable"], typer.Option(help="The pointer to follow.")
    ] = "latest",
    release: Annotated[
        str | None, typer.Option(metavar="RELEASE", help="Id of an older release.")
    ] = None,
) -> None:
    """Answer read-only questions of language models (MCP on standard input and output).

    Tables, definitions, shares with their doubt, statements with verdicts, and one SELECT at a time
    within limits of rows, time and memory; no files are read but those of the release. Needs the
    extra `mcp`.
    """
    from observatory import mcp_server  # noqa: PLC0415  imports Polars

    place = address or lazy.settings.Settings().publish_to[0]
    raise typer.Exit(mcp_server.run(place, channel, release))
