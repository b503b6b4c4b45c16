"""`observatory`: the command line."""

from __future__ import annotations

import os
import tempfile
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

import warehouse
from flows.cli import (
    backfill,
    backup,
    claims,
    history,
    observe,
    page,
    publish_hub,
    registry,
    releases,
    trace,
)
from flows.cli.terminal import (
    QUIET,
    AllowShrink,
    ArchiveDir,
    AsJson,
    AsOf,
    Audience,
    ForAudience,
    PublishTo,
    Sample,
    Sources,
    WarehouseFile,
    day_of,
    guarded,
    out,
    print_json,
    print_line,
    print_rows,
    print_table,
    settings_given,
    today,
)
from flows.reports.sanitize import inert
from flows.settings import ALL_SOURCES, Settings

SAMPLE = Path(warehouse.__file__).parent / "sample"

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
    with guarded(as_json):
        overrides = settings_given(archive, warehouse, publish_to, sources)
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
    with guarded(as_json):
        settings = Settings(**settings_given(archive, warehouse, publish_to, sources))
        from flows.steps import sequence  # noqa: PLC0415

        sequence.build(settings, as_of or today())
        published = sequence.publish(
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
    with guarded(as_json):
        settings = Settings(**settings_given(None, warehouse, publish_to, None))
        from flows.steps import sequence  # noqa: PLC0415

        published = sequence.publish(
            settings, settings.publish_to, audience.value, allow_shrink=allow_shrink
        )
        _print_published([vars(p) for p in published], as_json)


@app.command()
def validate(warehouse: WarehouseFile = None, as_json: AsJson = False) -> None:
    """Ask every expectation of the warehouse again, and print what does not hold."""
    with guarded(as_json):
        settings = Settings(**settings_given(None, warehouse, None, None))
        from expectations.report import Report  # noqa: PLC0415
        from flows.steps import sequence  # noqa: PLC0415
        from warehouse.database.duckdb_file import open_read_only  # noqa: PLC0415

        with open_read_only(settings.warehouse):
            pass  # nothing to ask is another error than a wrong answer
        report = Report(())
        for layer in ("raw", "core", "mart"):
            report += sequence.validate(settings.warehouse, layer)
        found = [vars(r) for r in (*report.failures("critical"), *report.failures("warning"))]
        if as_json:
            print_json({"summary": report.summary(), "failures": found})
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
    with guarded(as_json):
        settings = Settings(**settings_given(archive, warehouse, publish_to, None))
        from flows.reports.status import status_of  # noqa: PLC0415

        found = status_of(settings)
        if as_json:
            print_json(found)
            return
        print_rows("archive " + str(settings.archive), found["archive"])
        for name, reason in found["refused"].items():
            print_line(inert(f"refused, no build reads it: {name} ({reason})"))
        for name, reason in found["refused_at_arrival"].items():
            print_line(inert(f"refused at arrival, the next run asks again: {name} ({reason})"))
        for folder in found["unfinished"]:
            print_line(f"unfinished observation, the next run goes on with it: {folder}")
        print_line(f"warehouse {settings.warehouse}: {found['warehouse'] or 'none yet'}")
        print_rows("published", found["published"])


def _snapshot_id(text: str) -> tuple[str, date, str | None]:
    source, _, day = text.partition("/")
    if source not in ALL_SOURCES:
        raise typer.BadParameter(f"{text!r}: write SOURCE/DATE, SOURCE of {', '.join(ALL_SOURCES)}")
    day, separator, slot = day.partition("T")
    return source, day_of(day), slot if separator else None


@app.command()
def refuse(
    snapshot: Annotated[str, typer.Argument(metavar="SOURCE/DATE")],
    reason: Annotated[str, typer.Option(help="Why; kept in the archive, shown by status.")] = "",
    undo: Annotated[bool, typer.Option("--undo", help="Take the refusal back.")] = False,
    archive: ArchiveDir = None,
) -> None:
    """Leave a sealed snapshot, such as hub/2026-08-15, out of every build; its bytes stay."""
    with guarded(as_json=False):
        from warehouse.archive.archive import Archive  # noqa: PLC0415

        source, day, slot = _snapshot_id(snapshot)
        kept = Archive(Settings(**settings_given(archive, None, None, None)).archive)
        if undo:
            kept.include(source, day, slot)
        elif not reason.strip():
            raise typer.BadParameter("say why: --reason TEXT")
        else:
            kept.exclude(source, day, reason, slot)
        print_line(f"{snapshot} is {'readmitted' if undo else 'refused'}")


@app.command()
def tables(warehouse: WarehouseFile = None, as_json: AsJson = False) -> None:
    """List every table: rows, grain and what it holds."""
    with guarded(as_json):
        settings = Settings(**settings_given(None, warehouse, None, None))
        from flows.reports.status import tables_of  # noqa: PLC0415

        rows = tables_of(settings.warehouse)
        if as_json:
            print_json(rows)
        else:
            print_rows(str(settings.warehouse), rows)


app.add_typer(history.app, name="history")
app.add_typer(registry.app, name="registry")
app.command()(trace.why)
app.command("publish-hub")(publish_hub.publish_hub)
app.command()(observe.observe)
app.command()(backfill.backfill)
app.command()(backup.backup)
app.command()(backup.restore)
releases.register(app)
app.command()(page.page)
app.command()(claims.claims)


@app.command("as-of")
def as_of_day(
    day: Annotated[date, typer.Argument(parser=day_of, metavar="DATE")],
    archive: ArchiveDir = None,
    sources: Sources = None,
    as_json: AsJson = False,
) -> None:
    """Answer with what was known on DATE: snapshots and registry as they stood then.

    Builds from the archive in a scratch folder; warehouse and releases stay as they are.
    """
    with guarded(as_json), tempfile.TemporaryDirectory() as scratch:
        overrides = settings_given(archive, Path(scratch) / "then.duckdb", None, sources)
        overrides["history"] = str(Settings().history)
        settings = Settings(**overrides)
        from flows.steps import sequence  # noqa: PLC0415

        sequence.build(
            settings, day, known_at=day, past_days=False
        )  # the headline is of the newest
        _tell_headline(settings, [], as_json)


def _newest(archive: Path) -> date:
    from warehouse.archive.archive import Archive  # noqa: PLC0415

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
    from flows.reports import headline  # noqa: PLC0415

    told = headline.headline(settings.warehouse)
    if as_json:
        print_json({**told, "published": published, "warehouse": settings.warehouse})
        return
    if banner := headline.sample_banner(told):
        out.print(banner, style="bold yellow")
    print_rows("read", told["read"])
    if told["refused"]:
        print_rows("refused, kept in raw.quarantine", told["refused"])
    for title, header, cells in headline.tables(told):
        out.print()
        print_table(title, header, cells)


def _print_published(published: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json({"published": published})
        return
    out.print()
    for p in published:
        how = "was there already, reused" if p["is_reused"] else f"{p['uploaded_bytes']:,} bytes"
        out.print(
            f"release      {p['release_id']} ({p['audience']}, {p['n_tables']} tables, "
            f"{p['n_left_out']} left out for their license; {how})\n"
            f"             {p['url']}/latest.json\n"
            f"             {p['url']}/latest/index.html",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


def main() -> None:
    """Entry point of the console script."""
    app()


if __name__ == "__main__":
    main()
