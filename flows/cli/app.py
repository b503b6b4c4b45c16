"""`observatory`: assembles the command line from its groups of commands."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from flows.cli import archive, claims, explore, history, lazy, mcp, registry, releases, run, staging
from flows.cli.groups import ARCHIVE, EXPLORE, REGISTRY, RELEASES, RUN, Commands
from flows.cli.libraries import quiet_libraries
from flows.cli.options import flag
from flows.cli.output import log_to_stderr

HELP = """Where open AI models come from and how they rank.

`observatory run` downloads from the sources into an archive, builds a validated DuckDB warehouse \
and publishes a release: Parquet files, the DuckDB file and a manifest. `observatory replay` does \
the same from the archive, without network access.

Start with `observatory run --sample`. The other commands then read the sample, unless an archive \
is configured.

Settings come from the command line, then from environment variables (OBSERVATORY_ARCHIVE, \
HF_TOKEN, ...), then from `.env`. S3 credentials come from the usual AWS sources.

Exit codes: 0 success, 1 unexpected error, 2 usage error, 3 a source failed, 4 validation failed, \
5 archive or warehouse missing or damaged, 6 publishing failed, 130 interrupted. On any failure \
the previous warehouse and release remain in place.
"""

app = typer.Typer(
    cls=Commands,
    help=HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        try:
            typer.echo(f"observatory {version('origin-observatory')}")
        except PackageNotFoundError:
            typer.echo("observatory (not installed as a package)")
        raise typer.Exit


Version = Annotated[
    bool,
    flag("--version", help="Show the version and exit.", callback=_print_version, is_eager=True),
]


@app.callback()
def prepare(version: Version = False) -> None:
    """Runs before every command."""
    log_to_stderr()
    lazy.environment.prepare_environment()
    quiet_libraries()


PANELS: dict[str, tuple[Callable[..., None], ...]] = {
    RUN: (run.run, run.observe, run.replay, run.validate, run.publish, run.backfill),
    EXPLORE: (explore.status, explore.tables, explore.trace),
    RELEASES: (staging.page,),
    ARCHIVE: (archive.backup, archive.restore, archive.exclude),
}
for panel, commands in PANELS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)
app.command(rich_help_panel=EXPLORE)(mcp.mcp)
app.command("as-of", rich_help_panel=EXPLORE)(explore.as_of_day)
app.add_typer(claims.app, name="claims", rich_help_panel=EXPLORE)
app.add_typer(history.app, name="history", rich_help_panel=EXPLORE)
app.add_typer(releases.app, name="releases", rich_help_panel=RELEASES)
app.command("publish-hub", rich_help_panel=RELEASES)(staging.publish_hub)
app.add_typer(registry.app, name="registry", rich_help_panel=REGISTRY)


def main() -> None:
    """Entry point of the console script."""
    app()


if __name__ == "__main__":
    main()
