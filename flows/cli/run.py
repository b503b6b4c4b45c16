"""Commands that download, build, validate and publish."""

from __future__ import annotations

from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from flows.cli import lazy
from flows.cli.errors import ends_at_once
from flows.cli.libraries import require_usable_proxies
from flows.cli.options import (
    ALL_SOURCES,
    SAMPLE,
    AllowOlder,
    AllowSample,
    AllowShrink,
    ArchiveDir,
    AsJson,
    AsOf,
    ForAudience,
    PublishTo,
    Reason,
    Sources,
    WarehouseFile,
    date_of,
    flag,
    overrides,
    require_reason,
    settings_from,
    settings_to_read,
    source_of,
)
from flows.cli.output import print_json, print_line, progress
from flows.cli.prefect_server import provide_server
from flows.cli.summary import print_published, print_summary
from flows.reports.text import display

Sample = Annotated[
    bool, flag("--sample", help="Use the bundled sample instead of the sources; no network.")
]
Source = Annotated[
    str,
    typer.Argument(parser=source_of, metavar="SOURCE", help=f"One of {', '.join(ALL_SOURCES)}."),
]
Minute = Annotated[
    str | None,
    typer.Option(
        metavar="HHMM", help="UTC time, for a source that is observed several times a day."
    ),
]
FirstDay = Annotated[date, typer.Argument(parser=date_of, metavar="FROM", help="First day.")]
LastDay = Annotated[date, typer.Argument(parser=date_of, metavar="TO", help="Last day.")]
Workers = Annotated[int, typer.Option(min=1, metavar="N", help="Processes of the local cluster.")]
Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Dask scheduler whose workers see the same folders, such as tcp://host:8786.",
    ),
]


def run(
    archive: ArchiveDir = None,
    warehouse: WarehouseFile = None,
    publish_to: PublishTo = None,
    as_of: AsOf = None,
    sources: Sources = None,
    audience: ForAudience = "internal",
    allow_shrink: AllowShrink = False,
    allow_older: AllowOlder = False,
    allow_sample: AllowSample = False,
    sample: Sample = False,
    as_json: AsJson = False,
) -> None:
    """Download, build, validate and publish.

    Runs as a Prefect flow. A source that fails does not stop the download of the others, but then
    nothing is built. A Hub sweep that was interrupted continues at its last page. With --sample
    nothing runs if the same code has already built and published it.
    """
    given = overrides(
        archive=archive, warehouse=warehouse, publish_to=publish_to, sources=sources
    ) | ({"archive": str(SAMPLE)} if sample else {})
    settings = lazy.settings.Settings(**given)
    require_usable_proxies()
    if sample:
        as_of = as_of or _newest_date(SAMPLE)
        allowed = lazy.publish.Allowed(allow_shrink, allow_older, allow_sample)
        lazy.own_places.require_own_places(settings, as_of, audience, allowed)
        if reused := lazy.reuse.already_published(settings, as_of, audience):
            print_summary(settings, [vars(p) for p in reused], as_json=as_json)
            return
    with ends_at_once(), progress("running the Prefect flow (its local server starts first)"):
        provide_server(settings.warehouse.parent / "prefect", meanwhile=_import_libraries)
        published = lazy.pipeline.observatory(
            as_of, audience, allow_shrink, not sample, given, allow_older, allow_sample
        )
    print_summary(settings, published, as_json=as_json)


def observe(
    source: Source,
    archive: ArchiveDir = None,
    as_of: AsOf = None,
    at: Minute = None,
    as_json: AsJson = False,
) -> None:
    """Download one source into the archive.

    Continues where an interrupted run stopped. An existing snapshot is reused.
    """
    settings = settings_from(archive=archive)
    require_usable_proxies()
    with progress(f"downloading {source}"):
        observation = lazy.observe.observe(source, settings, as_of or lazy.settings.today(), at)
    if as_json:
        found = observation.snapshot.model_dump(mode="json", exclude={"files"})
        print_json(found | {"is_reused": observation.is_reused})
    else:
        print_line(str(observation))


def replay(
    archive: ArchiveDir = None,
    warehouse: WarehouseFile = None,
    publish_to: PublishTo = None,
    as_of: AsOf = None,
    sources: Sources = None,
    audience: ForAudience = "internal",
    allow_shrink: AllowShrink = False,
    allow_older: AllowOlder = False,
    allow_sample: AllowSample = False,
    as_json: AsJson = False,
) -> None:
    """Build, validate and publish from the archive alone.

    Needs no network and no Prefect server. The same archive gives the same bytes.
    """
    settings = settings_from(
        archive=archive, warehouse=warehouse, publish_to=publish_to, sources=sources
    )
    day, places = as_of or lazy.settings.today(), settings.publish_to
    lazy.sequence.require_snapshots(settings, day)
    allowed = lazy.publish.Allowed(allow_shrink, allow_older, allow_sample)
    lazy.own_places.require_own_places(settings, day, audience, allowed)
    with progress("building and publishing"), lazy.lock.alone(settings.warehouse):
        lazy.sequence.build(settings, day, allowed=allowed)
        published = lazy.sequence.publish(
            settings, places, audience, allowed=allowed, just_built=True
        )
    print_summary(settings, [vars(p) for p in published], as_json=as_json)


def publish(
    archive: ArchiveDir = None,
    warehouse: WarehouseFile = None,
    publish_to: PublishTo = None,
    audience: ForAudience = "internal",
    allow_shrink: AllowShrink = False,
    allow_older: AllowOlder = False,
    allow_sample: AllowSample = False,
    as_json: AsJson = False,
) -> None:
    """Publish the existing warehouse as a release.

    The release includes the history of the Hub, so --archive is the one the warehouse was built
    from.
    """
    settings = settings_to_read(archive=archive, warehouse=warehouse, publish_to=publish_to)
    allowed = lazy.publish.Allowed(allow_shrink, allow_older, allow_sample)
    with progress("publishing"):
        published = lazy.sequence.publish(settings, settings.publish_to, audience, allowed=allowed)
    print_published([vars(p) for p in published], as_json=as_json)


def validate(warehouse: WarehouseFile = None, as_json: AsJson = False) -> None:
    """Re-run all expectations and list the failures."""
    settings = settings_from(warehouse=warehouse)
    with lazy.duckdb_file.open_read_only(settings.warehouse):
        pass  # a missing warehouse is reported as such, not as failed expectations
    with progress("validating"):
        raw, core, mart = (
            lazy.sequence.validate(settings.warehouse, layer) for layer in ("raw", "core", "mart")
        )
    report = raw + core + mart
    failures = [vars(r) for r in (*report.failures("critical"), *report.failures("warning"))]
    if as_json:
        print_json({"summary": report.summary(), "failures": failures})
    else:
        counts = report.summary()
        print_line(f"{counts['expectations']:,} expectations, {lazy.validation.outcome(counts)}")
    report.raise_for_critical()


def backfill(
    first: FirstDay,
    last: LastDay,
    reason: Reason,
    workers: Workers = 2,
    scheduler: Scheduler = None,
    archive: ArchiveDir = None,
    warehouse: WarehouseFile = None,
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> None:
    """Compute the shares of past Hub days in parallel.

    Optional: the next build uses the results and would otherwise compute them one by one. Needs
    the extra `scale` (Dask). Every call is recorded in the file of the setting `backfills`.
    """
    if find_spec("prefect_dask") is None:
        raise typer.BadParameter("needs Dask: pip install 'origin-observatory[scale]'")
    require_reason(reason)
    if last < first:
        raise typer.BadParameter(f"{last} is before {first}; give the earlier date first")
    given = overrides(archive=archive, warehouse=warehouse)
    require_usable_proxies()
    with ends_at_once(), progress("running the Prefect flow on Dask"):
        provide_server(lazy.settings.Settings(**given).warehouse.parent / "prefect")
        entry = lazy.pipeline.backfill(first, last, reason, as_of, workers, scheduler, given)
    if as_json:
        print_json(entry)
    else:
        days, computed = entry["days"], entry["computed"]
        print_line(f"{display(computed)} days computed, {display(days - computed)} already there")


def _import_libraries() -> None:
    """What a run needs in any case: seconds, which the start of a server leaves to another core."""
    _ = lazy.pipeline
    lazy.context.load_library()


def _newest_date(archive: Path) -> date:
    return max(s.snapshot_date for s in lazy.archive.Archive(archive).snapshots())
