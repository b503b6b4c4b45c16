"""`observatory`: the command line."""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError as SettingsError
from rich.console import Console
from rich.logging import RichHandler
from rich.table import Table
from rich.text import Text

from flows.inert import inert
from flows.settings import ALL_SOURCES, Settings

# Prefect and the Hub client read these when they are imported, and both would call home.
QUIET = {
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",  # an error is told once, by ourselves
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
}
SAMPLE = Path(__file__).parent.parent / "warehouse" / "sample"

HELP = """Where open AI models come from and how they rank.

`run` asks the sources, keeps their bytes in an archive, builds a validated DuckDB warehouse from
it and publishes a release: one Parquet file a table, the DuckDB file and a manifest. `replay` does
the same from the archive alone, without any network.

Settings also come from the environment (OBSERVATORY_ARCHIVE, HF_ENDPOINT, HF_TOKEN, ...) and from
`.env`; storage credentials from the AWS chain.

Exit codes: 0 done, 2 the call was wrong, 3 a source failed, 4 validation failed, 5 the archive or
warehouse lacks something or is damaged, 6 publishing failed, 1 anything else. Whatever fails, the
published release and the warehouse stay as they were.
"""

app = typer.Typer(
    help=HELP, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)
# Piped into a file or a log there is no terminal to fit into, and wrapped tables cannot be read.
WIDTH = None if sys.stdout.isatty() else 130
out, err = Console(width=WIDTH), Console(stderr=True, width=WIDTH)


class Audience(StrEnum):
    """Who may see a release."""

    internal = "internal"
    public = "public"


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a day; write YYYY-MM-DD") from None


ArchiveDir = Annotated[
    Path | None, typer.Option("--archive", metavar="DIR", help="Folder of the kept bytes.")
]
WarehouseFile = Annotated[
    Path | None, typer.Option("--warehouse", metavar="FILE", help="The DuckDB file to build.")
]
PublishTo = Annotated[
    list[str] | None,
    typer.Option(
        "--publish-to",
        metavar="URL",
        help="Folder or s3://bucket/prefix; may be given several times.",
    ),
]
AsOf = Annotated[
    date | None,
    typer.Option(
        "--as-of",
        parser=_day,
        metavar="DATE",
        help="The run's clock: live answers are filed under this day, and it is the last day "
        "that a build looks at. Default: today, UTC.",
    ),
]
Sources = Annotated[
    str | None,
    typer.Option(
        "--sources", metavar="A,B", help=f"Only these sources, of {','.join(ALL_SOURCES)}."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, for scripts.")]
ForAudience = Annotated[
    Audience,
    typer.Option(
        help="internal: every table. public: without what a licence does not let us share in "
        "adapted form (AI Index, CC BY-ND; arena-catalog, no licence stated)."
    ),
]
AllowShrink = Annotated[
    bool,
    typer.Option("--allow-shrink", help="Publish although tables fell behind the last release."),
]
Sample = Annotated[
    bool,
    typer.Option("--sample", help="Use the bundled sample of dated public figures: no network."),
]


@app.command()
def run(
    archive: ArchiveDir = None,
    warehouse: WarehouseFile = None,
    publish_to: PublishTo = None,
    as_of: AsOf = None,
    sources: Sources = None,
    audience: ForAudience = Audience.internal,
    allow_shrink: AllowShrink = False,
    sample: Sample = False,
    as_json: AsJson = False,
) -> None:
    """Ask the sources, build, validate and publish, as a Prefect flow."""
    with _guarded(as_json):
        overrides = _overrides(archive, warehouse, publish_to, sources)
        if sample:
            overrides |= {"archive": str(SAMPLE)}
            as_of = as_of or _newest(SAMPLE)
        settings = Settings(**overrides)
        os.environ.update({k: os.environ.get(k, v) for k, v in QUIET.items()})
        from flows.pipeline import observatory  # noqa: PLC0415  Prefect takes seconds to import

        published = observatory(as_of, audience.value, allow_shrink, not sample, overrides)
        _tell(settings, published, as_json)


@app.command()
def replay(
    archive: ArchiveDir = None,
    warehouse: WarehouseFile = None,
    publish_to: PublishTo = None,
    as_of: AsOf = None,
    sources: Sources = None,
    audience: ForAudience = Audience.internal,
    allow_shrink: AllowShrink = False,
    as_json: AsJson = False,
) -> None:
    """Build, validate and publish from the archive alone: no network, no server."""
    with _guarded(as_json):
        settings = Settings(**_overrides(archive, warehouse, publish_to, sources))
        from flows import stages  # noqa: PLC0415

        stages.build(settings, as_of or _today())
        published = stages.publish(
            settings, settings.publish_to, audience.value, allow_shrink=allow_shrink
        )
        _tell(settings, [vars(p) for p in published], as_json)


@app.command()
def publish(
    warehouse: WarehouseFile = None,
    publish_to: PublishTo = None,
    audience: ForAudience = Audience.internal,
    allow_shrink: AllowShrink = False,
    as_json: AsJson = False,
) -> None:
    """Publish the warehouse as it is."""
    with _guarded(as_json):
        settings = Settings(**_overrides(None, warehouse, publish_to, None))
        from flows import stages  # noqa: PLC0415

        published = stages.publish(
            settings, settings.publish_to, audience.value, allow_shrink=allow_shrink
        )
        _print_published([vars(p) for p in published], as_json)


@app.command()
def validate(warehouse: WarehouseFile = None, as_json: AsJson = False) -> None:
    """Ask every expectation of the warehouse again, and print what does not hold."""
    with _guarded(as_json):
        settings = Settings(**_overrides(None, warehouse, None, None))
        from expectations.report import Report  # noqa: PLC0415
        from flows import stages  # noqa: PLC0415
        from warehouse.database import open_read_only  # noqa: PLC0415

        with open_read_only(settings.warehouse):
            pass  # nothing to ask is another error than a wrong answer
        report = Report(())
        for layer in ("raw", "core", "mart"):
            report += stages.validate(settings.warehouse, layer)
        found = [vars(r) for r in (*report.failures("critical"), *report.failures("warning"))]
        if as_json:
            _print_json({"summary": report.summary(), "failures": found})
        else:
            out.print(", ".join(f"{v} {k}" for k, v in report.summary().items()))
        report.raise_for_critical()


@app.command()
def status(
    archive: ArchiveDir = None,
    warehouse: WarehouseFile = None,
    publish_to: PublishTo = None,
    as_json: AsJson = False,
) -> None:
    """Show what the archive, the warehouse and the published places hold."""
    with _guarded(as_json):
        settings = Settings(**_overrides(archive, warehouse, publish_to, None))
        from flows.status import status_of  # noqa: PLC0415

        found = status_of(settings)
        if as_json:
            _print_json(found)
            return
        _print_rows("archive " + str(settings.archive), found["archive"])
        for name, reason in found["refused"].items():
            _print_line(inert(f"refused, no build reads it: {name} ({reason})"))
        for folder in found["unfinished"]:
            _print_line(f"unfinished observation, the next run goes on with it: {folder}")
        _print_line(f"warehouse {settings.warehouse}: {found['warehouse'] or 'none yet'}")
        _print_rows("published", found["published"])


def _snapshot_id(text: str) -> tuple[str, date]:
    source, _, day = text.partition("/")
    if source not in ALL_SOURCES:
        raise typer.BadParameter(f"{text!r}: write SOURCE/DATE, SOURCE of {', '.join(ALL_SOURCES)}")
    return source, _day(day)


@app.command()
def refuse(
    snapshot: Annotated[str, typer.Argument(metavar="SOURCE/DATE")],
    reason: Annotated[str, typer.Option(help="Why; kept in the archive, shown by status.")] = "",
    undo: Annotated[bool, typer.Option("--undo", help="Take the refusal back.")] = False,
    archive: ArchiveDir = None,
) -> None:
    """Leave a sealed snapshot, such as hub/2026-08-15, out of every build; its bytes stay."""
    with _guarded(as_json=False):
        from warehouse.archive import Archive  # noqa: PLC0415

        source, day = _snapshot_id(snapshot)
        kept = Archive(Settings(**_overrides(archive, None, None, None)).archive)
        if undo:
            kept.readmit(source, day)
        elif not reason.strip():
            raise typer.BadParameter("say why: --reason TEXT")
        else:
            kept.refuse(source, day, reason)
        _print_line(f"{source}/{day} is {'readmitted' if undo else 'refused'}")


@app.command()
def tables(warehouse: WarehouseFile = None, as_json: AsJson = False) -> None:
    """List every table: rows, grain and what it holds."""
    with _guarded(as_json):
        settings = Settings(**_overrides(None, warehouse, None, None))
        from flows.status import tables_of  # noqa: PLC0415

        rows = tables_of(settings.warehouse)
        if as_json:
            _print_json(rows)
        else:
            _print_rows(str(settings.warehouse), rows)


registry = typer.Typer(help="Look after warehouse/registry: who is behind a name, and where.")
app.add_typer(registry, name="registry")
Limit = Annotated[int, typer.Option(min=1, help="Names per system.")]


@registry.command()
def check() -> None:
    """Hold the registry to its rules; prints file and line of every breach."""
    with _guarded(as_json=False):
        import duckdb  # noqa: PLC0415

        from warehouse.database import create_tables  # noqa: PLC0415
        from warehouse.reference import load_reference  # noqa: PLC0415

        with duckdb.connect() as con:
            create_tables(con)
            load_reference(con)
            rows = con.execute("SELECT count(*) FROM raw.registry_namespaces").fetchall()
        out.print(f"the registry keeps its rules; {rows[0][0]:,} names")


@registry.command()
def gaps(warehouse: WarehouseFile = None, limit: Limit = 25, as_json: AsJson = False) -> None:
    """List unexamined names by the weight they carry."""
    with _guarded(as_json):
        settings = Settings(**_overrides(None, warehouse, None, None))
        from flows.registry import gaps as find_gaps  # noqa: PLC0415

        summary, names = find_gaps(settings.warehouse, limit)
        if as_json:
            _print_json({"coverage": summary.to_dicts(), "unexamined": names.to_dicts()})
            return
        _print_rows("examined, by weight", summary.to_dicts())
        _print_rows("heaviest unexamined names", names.to_dicts())


@registry.command()
def propose(warehouse: WarehouseFile = None, limit: Limit = 25, as_json: AsJson = False) -> None:
    """Propose known names that look alike. A person decides; nothing is taken over."""
    with _guarded(as_json):
        settings = Settings(**_overrides(None, warehouse, None, None))
        from flows.registry import propose as find_proposals  # noqa: PLC0415

        rows = find_proposals(settings.warehouse, limit).to_dicts()
        if as_json:
            _print_json(rows)
        else:
            _print_rows("proposals for review", rows)


@app.command("as-of")
def as_of_day(
    day: Annotated[date, typer.Argument(parser=_day, metavar="DATE")],
    archive: ArchiveDir = None,
    sources: Sources = None,
    as_json: AsJson = False,
) -> None:
    """Answer with what was known on DATE: snapshots and registry as they stood then.

    Builds from the archive in a scratch folder; warehouse and releases stay as they are.
    """
    with _guarded(as_json), tempfile.TemporaryDirectory() as scratch:
        overrides = _overrides(archive, Path(scratch) / "then.duckdb", None, sources)
        settings = Settings(**overrides)
        from flows import stages  # noqa: PLC0415

        stages.build(settings, day, known_at=day)
        _tell_headline(settings, [], as_json)


VoteFiles = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE", exists=True, dir_okay=False, help="Parquet, CSV, JSON or NDJSON."
    ),
]
Beside = Annotated[
    Path | None,
    typer.Option(
        "--warehouse", metavar="FILE", help="Hold the ratings against a board of this warehouse."
    ),
]
Board = Annotated[str | None, typer.Option(help="Which board of the warehouse; default: text.")]
Category = Annotated[str | None, typer.Option(help="Which category of it; default: overall.")]
BoardDay = Annotated[
    date | None,
    typer.Option(
        "--date", parser=_day, metavar="DATE", help="The board as last published up to DATE."
    ),
]
Reweighted = Annotated[
    bool, typer.Option(help="Weigh pairs down that met often, as boards do since 2025-07-23.")
]
MinPairCount = Annotated[
    int, typer.Option(min=1, help="Re-weighted, rarer pairs weigh as if met so often.")
]
Anchor = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL=POINTS",
        help="Fixes the scale. Default: mixtral-8x7b-instruct-v0.1=1114 as the boards; the "
        "mean of all = 1000 where that was not rated.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Write the ratings there, .parquet or .csv."),
]
SetAside = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Write damaged records there, .parquet or .csv, and go on without them. Without "
        "this one damaged record is an error.",
    ),
]


@app.command()
def votes(
    files: VoteFiles,
    warehouse: Beside = None,
    board: Board = None,
    category: Category = None,
    day: BoardDay = None,
    reweighted: Reweighted = True,
    min_pair_count: MinPairCount = 50,
    anchor: Anchor = None,
    table: Out = None,
    set_aside: SetAside = None,
    as_json: AsJson = False,
) -> None:
    """Rate models from public votes, with arena-rank: a plausibility check, never a source.

    Winner labels that nobody has reviewed are refused, never taken for ties.
    """
    with _guarded(as_json):
        from flows.votes import Method, board_of, parse_anchor, rate_files  # noqa: PLC0415

        method = Method(reweighted, min_pair_count, parse_anchor(anchor))
        beside = board_of(warehouse, board, category, day)
        told = rate_files(files, method, beside, table, set_aside)
        if as_json:
            _print_json(told)
        else:
            _tell_ratings(told)


def _tell_ratings(told: dict[str, Any]) -> None:
    _print_line(f"{told['records']:,} records, {told['counted']:,} battles counted")
    if told["not_counted"]:
        _print_rows("not counted", told["not_counted"])
    _print_line(", ".join(f"{k} {v}" for k, v in told["method"].items()))
    rows = [
        {k: f"{v:.1f}" if isinstance(v, float) else v for k, v in row.items() if k != "why_unrated"}
        for row in told["ratings"]
        if row["why_unrated"] is None
    ]
    _print_rows("ratings", rows)
    if unrated := [r for r in told["ratings"] if r["why_unrated"]]:
        _print_rows(
            "not rated", [{k: r[k] for k in ("model", "n_battles", "why_unrated")} for r in unrated]
        )
    if told["board"]:
        _print_rows("beside the board", [told["board"]])


def _overrides(
    archive: Path | None,
    warehouse: Path | None,
    publish_to: list[str] | None,
    sources: str | None,
) -> dict[str, Any]:
    """What the command line says, by the names of the settings; JSON-safe for Prefect."""
    given = {
        "archive": archive and str(archive),
        "warehouse": warehouse and str(warehouse),
        "docs": warehouse and str(warehouse.parent / f"{warehouse.stem}.validation"),
        "publish_to": publish_to,
        "sources": sources,
    }
    return {name: value for name, value in given.items() if value is not None}


@contextmanager
def _guarded(as_json: bool) -> Iterator[None]:
    """Turns every known error into a message and an exit code."""
    _log_to_stderr(quiet=as_json)
    from flows.errors import exit_code  # noqa: PLC0415

    try:
        yield
    except SettingsError as error:
        for problem in error.errors():
            where = ".".join(map(str, problem["loc"])) or "settings"
            text = problem["msg"].removeprefix("Value error, ")
            _print_error(f"{where}: {text}")
        raise typer.Exit(2) from error
    except typer.Exit:
        raise
    except Exception as error:
        code = exit_code(error)
        if code is None:
            raise
        _print_error(str(error))
        raise typer.Exit(code) from error


def _print_error(text: str) -> None:
    err.print(Text(f"error: {inert(text)}", style="red"), soft_wrap=True)


class _Inert(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return inert(super().format(record))


def _log_to_stderr(*, quiet: bool) -> None:
    handler = RichHandler(console=err, show_path=False, show_level=False, markup=False)
    handler.setFormatter(_Inert("%(message)s", datefmt="[%X]"))
    log = logging.getLogger("observatory")
    log.handlers[:] = [handler]
    log.propagate = False
    log.setLevel(logging.WARNING if quiet else logging.INFO)


def _today() -> date:
    return datetime.now(UTC).date()


def _newest(archive: Path) -> date:
    from warehouse.archive import Archive  # noqa: PLC0415

    return max(s.snapshot_date for s in Archive(archive).snapshots())


def _tell(settings: Settings, published: list[dict[str, Any]], as_json: bool) -> None:
    _tell_headline(settings, published, as_json)
    if as_json:
        return
    _print_published(published, as_json)
    out.print(
        f"\nwarehouse    {settings.warehouse}   duckdb {settings.warehouse} "
        '-c "from mart.country_share_daily limit 5"\n'
        f"validation   {settings.docs / 'index.html'}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _tell_headline(settings: Settings, published: list[dict[str, Any]], as_json: bool) -> None:
    from flows import summary  # noqa: PLC0415

    told = summary.headline(settings.warehouse)
    if as_json:
        _print_json({**told, "published": published, "warehouse": settings.warehouse})
        return
    if banner := summary.sample_banner(told):
        out.print(banner, style="bold yellow")
    _print_rows("read", told["read"])
    if told["refused"]:
        _print_rows("refused, kept in raw.quarantine", told["refused"])
    for title, header, cells in summary.tables(told):
        out.print()
        _print_table(title, header, cells)


def _print_published(published: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        _print_json({"published": published})
        return
    out.print()
    for p in published:
        how = "was there already, reused" if p["is_reused"] else f"{p['uploaded_bytes']:,} bytes"
        out.print(
            f"release      {p['release_id']} ({p['audience']}, {p['n_tables']} tables, "
            f"{p['n_left_out']} left out for their licence; {how})\n"
            f"             {p['url']}/latest.json",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


def _print_rows(title: str, rows: list[dict[str, Any]]) -> None:
    header = list(rows[0]) if rows else []
    cells = [["–" if v is None else str(v) for v in row.values()] for row in rows]
    _print_table(title if rows else f"{title}: nothing", header, cells)


def _print_line(text: str) -> None:
    out.print(text, markup=False, highlight=False, soft_wrap=True)


def _print_table(title: str, header: list[str], cells: list[list[str]]) -> None:
    out.print(inert(title), markup=False, highlight=False)
    if not header:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in header:
        table.add_column(name, overflow="fold")
    for row in cells:
        table.add_row(*(Text(inert(c)) for c in row))  # names from outside are no markup
    out.print(table)


def _print_json(document: object) -> None:
    sys.stdout.write(json.dumps(document, default=str, ensure_ascii=False, indent=1) + "\n")


def main() -> None:
    """Entry point of the console script."""
    app()


if __name__ == "__main__":
    main()
