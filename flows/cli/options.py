"""The options that several commands share, and the settings that they give."""

from __future__ import annotations

import logging
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

import warehouse as package
from flows import defaults
from flows.cli import lazy
from flows.cli.output import only_json
from warehouse.contracts.source_order import observed_sources

if TYPE_CHECKING:
    from flows.settings import Settings

log = logging.getLogger("observatory.cli")

ALL_SOURCES = observed_sources()
SAMPLE = Path(package.__file__).parent / "sample"  # the archive that comes with the package


def date_of(text: str) -> date:
    """A date of the command line, YYYY-MM-DD. Raises BadParameter."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a date; write YYYY-MM-DD") from None


def source_of(text: str) -> str:
    """The name of a source. Raises BadParameter."""
    if text not in ALL_SOURCES:
        raise typer.BadParameter(f"unknown source {text!r}; choose from {', '.join(ALL_SOURCES)}")
    return text


def flag(*names: str, help: str, **more: Any) -> Any:  # noqa: ANN401  as in typer.Option
    """An option without a value."""
    return typer.Option(*names, metavar="", help=help, **more)


ArchiveDir = Annotated[
    Path | None,
    typer.Option("--archive", metavar="DIR", help=f"Archive folder. Default: {defaults.ARCHIVE}."),
]
WarehouseFile = Annotated[
    Path | None,
    typer.Option(
        "--warehouse", metavar="FILE", help=f"DuckDB warehouse file. Default: {defaults.WAREHOUSE}."
    ),
]
HistoryDir = Annotated[
    Path | None,
    typer.Option(
        "--history", metavar="DIR", help=f"Folder of the Hub history. Default: {defaults.HISTORY}."
    ),
]
PublishTo = Annotated[
    list[str] | None,
    typer.Option(
        "--publish-to",
        metavar="URL",
        help="Published place: a folder or s3://bucket/prefix. Repeat it for several places. "
        f"Default: {', '.join(defaults.PUBLISH_TO)}.",
    ),
]
AsOf = Annotated[
    date | None,
    typer.Option(
        "--as-of",
        parser=date_of,
        metavar="DATE",
        help="Logical date of the run. Live responses are archived under it. "
        "A build ignores later snapshots. Default: today (UTC).",
    ),
]
Sources = Annotated[
    str | None,
    typer.Option(
        "--sources",
        metavar="A,B",
        help=f"Comma-separated list of sources to use. Available: {', '.join(ALL_SOURCES)}.",
    ),
]
AsJson = Annotated[
    bool,
    flag("--json", help="Print one JSON document.", callback=only_json),
]
ForAudience = Annotated[
    Literal["internal", "public"],
    typer.Option(
        metavar="NAME",
        help="internal: all tables. public: only tables whose license allows sharing.",
    ),
]
AllowShrink = Annotated[
    bool, flag("--allow-shrink", help="Publish even if tables shrank since the last release.")
]
AllowOlder = Annotated[
    bool, flag("--allow-older", help="Publish even if the current release is of a later day.")
]
AllowSample = Annotated[
    bool,
    flag(
        "--allow-sample",
        help="Replace a warehouse and releases of real observations even if this is the sample.",
    ),
]
Limit = Annotated[int, typer.Option(min=1, metavar="N", help="Maximum number of rows per group.")]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="Reason; it is recorded.")]
Undo = Annotated[bool, flag("--undo", help="Reverse an earlier call.")]
Yes = Annotated[bool, flag("--yes", help="Make the changes. Default: dry run.")]


def overrides(
    *,
    archive: Path | None = None,
    warehouse: Path | None = None,
    history: Path | None = None,
    publish_to: list[str] | None = None,
    sources: str | None = None,
) -> dict[str, Any]:
    """The settings that the command line gives, by name; JSON-safe for Prefect.

    Data Docs, history and the record of backfills are beside a warehouse that is given, unless
    their own settings name other places.
    """
    given: dict[str, Any] = {
        "archive": archive and str(archive),
        "warehouse": warehouse and str(warehouse),
        "history": history and str(history),
        "publish_to": publish_to,
        "sources": sources,
    }
    given = {name: value for name, value in given.items() if value is not None}
    if warehouse is None:
        return given
    beside = {
        "docs": str(warehouse.parent / f"{warehouse.stem}.validation"),
        "history": str(warehouse.parent / "history"),
        "backfills": str(warehouse.parent / "backfills.yml"),
    }
    configured = lazy.settings.Settings(**given).model_fields_set
    return given | {name: place for name, place in beside.items() if name not in configured}


def settings_from(**given: Any) -> Settings:  # noqa: ANN401  those of `overrides`
    """Settings with the options of the command line."""
    return lazy.settings.Settings(**overrides(**given))


def settings_to_read(**given: Any) -> Settings:  # noqa: ANN401  those of `overrides`
    """Settings of a command that reads what a run left behind.

    A warehouse built from the sample is read with the sample's archive, unless an archive is
    configured: so the plain commands find everything after `run --sample`.
    """
    settings = settings_from(**given)
    if "archive" in settings.model_fields_set or not lazy.status.is_sample(settings.warehouse):
        return settings
    log.info("SAMPLE: %s was built from the bundled sample archive", settings.warehouse)
    return settings.model_copy(update={"archive": SAMPLE})


def require_reason(reason: str) -> str:
    """The reason, if one was given. Raises BadParameter."""
    if not reason.strip():
        raise typer.BadParameter("give a reason: --reason TEXT")
    return reason
