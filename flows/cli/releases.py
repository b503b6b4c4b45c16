"""`observatory releases`: list, compare, verify, and manage the releases of a place."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli import lazy
from flows.cli.options import AsJson, PublishTo, Reason, Undo, Yes, require_reason, settings_from
from flows.cli.output import print_json, print_line, print_rows, progress
from flows.reports.text import minute, pairs, size

if TYPE_CHECKING:
    from warehouse.publishing.diff import Comparison
    from warehouse.publishing.pointer import Action, Channel
    from warehouse.publishing.retention import CleanPlan
    from warehouse.publishing.verify import Verification
    from warehouse.storage.protocol import Storage

app = typer.Typer(
    help="List, compare, verify and manage releases.\n\n"
    "A place has two channels, latest and stable. Each has a pointer file that names a release.",
    no_args_is_help=True,
)
ReleaseName = Annotated[
    str, typer.Argument(metavar="RELEASE", help="A release id, or the channel latest or stable.")
]
ChannelName = Annotated[
    str, typer.Option(metavar="NAME", help="The channel to move: latest or stable.")
]
Keep = Annotated[int, typer.Option(min=1, metavar="N", help="Number of newest releases to keep.")]
Grace = Annotated[
    int,
    typer.Option(min=1, metavar="HOURS", help="Nothing newer than this is deleted."),
]


def _places(publish_to: list[str] | None) -> Iterator[Storage]:
    """Every place of the command line or the settings."""
    yield from map(lazy.open.open_storage, settings_from(publish_to=publish_to).publish_to)


@app.command("list")
def list_releases(publish_to: PublishTo = None, as_json: AsJson = False) -> None:
    """List the releases of a place, newest first, with their channels."""
    found = {place.url: _listed(place) for place in _places(publish_to)}
    if as_json:
        print_json(found)
        return
    for url, rows in found.items():
        print_rows(
            url,
            [r | {"published_at": r["published_at"] and minute(r["published_at"])} for r in rows],
        )


def _listed(place: Storage) -> list[dict[str, Any]]:
    found = lazy.catalog.releases(place)
    return [
        {
            "release_id": r.release_id,
            "as_of": about.as_of,
            "audience": about.audience,
            "published_at": r.published_at and r.published_at.isoformat(timespec="seconds"),
            "bytes": r.bytes,
            "tables": about.tables,
            "is_sample": about.is_sample,
            "state": "complete" if r.is_complete else "incomplete: not visible to readers",
            "pointers": ", ".join(r.channels) or None,
            "kept_for": "promoted" if r.promoted else r.pinned and f"pinned: {r.pinned}",
        }
        for r, about in zip(found, lazy.catalog.summarize_all(place, found), strict=True)
    ]


@app.command("log")
def release_log(publish_to: PublishTo = None, as_json: AsJson = False) -> None:
    """List every change of a channel: when, who, from and to which release."""
    found = {
        place.url: [
            {
                "channel": channel,
                "number": move.sequence,
                "moved_at": move.published_at.isoformat(timespec="seconds"),
                "action": move.action,
                "moved_by": move.moved_by,
                "from": move.moved_from,
                "to": move.release_id,
            }
            for channel in lazy.pointer.CHANNELS
            for move in lazy.pointer.release_log(place, channel)
        ]
        for place in _places(publish_to)
    }
    if as_json:
        print_json(found)
        return
    for url, rows in found.items():
        print_rows(
            f"{url}: release log", [r | {"moved_at": minute(str(r["moved_at"]))} for r in rows]
        )


@app.command()
def diff(
    before: ReleaseName, after: ReleaseName, publish_to: PublishTo = None, as_json: AsJson = False
) -> None:
    """Compare two releases: columns, rows, shares and verdicts."""
    resolve = lazy.catalog.resolve
    for place in _places(publish_to):
        with progress("comparing"):
            found = lazy.diff.compare(place, resolve(place, before), resolve(place, after))
        if as_json:
            print_json(vars(found) | {"tables": [vars(t) for t in found.tables]})
        else:
            _print_comparison(found)


def _print_comparison(found: Comparison) -> None:
    print_line(f"{found.before} -> {found.after}: {found.same_tables} tables are identical")
    tables = [{**vars(t), "schema": "; ".join(t.schema) or None} for t in found.tables]
    print_rows("tables that differ", tables)
    for title, changes in (
        ("largest changes of a share", found.shares),
        ("changed verdicts", found.verdicts),
    ):
        print_rows(title, [{**c, "key": pairs(c["key"])} for c in changes])


@app.command()
def verify(
    release: ReleaseName = "latest",
    publish_to: PublishTo = None,
    full: Annotated[
        bool,
        typer.Option(
            "--full",
            help="Also compare the DuckDB file with the Parquet files and re-run all expectations.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read every byte of a release and compare it with the manifest."""
    with progress(f"reading every file of {release}"):
        found = {
            place.url: lazy.verify.verify(place, lazy.catalog.resolve(place, release))
            for place in _places(publish_to)
        }
    if as_json:
        print_json({url: vars(v) | {"is_intact": v.is_intact} for url, v in found.items()})
    else:
        for url, one in found.items():
            _print_verification(url, one)
    if damaged := [url for url, one in found.items() if not one.is_intact]:
        raise lazy.release_objects.DamagedError(
            f"{', '.join(damaged)}: the release differs from what was published\n"
            "  what to do: point readers to a complete release with `observatory releases "
            "rollback`, then publish again; missing files are uploaded again"
        )
    if full:
        _check_again(release, publish_to, is_shown=not as_json)


def _check_again(release: str, publish_to: list[str] | None, *, is_shown: bool) -> None:
    for place in _places(publish_to):
        with progress(f"checking every table of {release}"):
            report = lazy.publish.check_again(place, lazy.catalog.resolve(place, release))
        found = report.summary()
        if is_shown:
            counts = f"{found['passed']} of {found['expectations']} expectations passed"
            print_line(f"{place.url}: {counts}")
        report.raise_for_critical()


def _print_verification(url: str, found: Verification) -> None:
    state = "intact" if found.is_intact else "DAMAGED"
    read = f"{found.objects} files, {size(found.bytes)} read"
    print_line(f"{url}: release {found.release_id} {state}, {read}")
    for what in ("missing", "damaged", "unknown"):
        for key in getattr(found, what):
            print_line(f"  {what}: {key}")


@app.command()
def rollback(
    release: ReleaseName, channel: ChannelName = "latest", publish_to: PublishTo = None
) -> None:
    """Point a channel back to an earlier complete release."""
    _move(publish_to, release, _channel(channel), "rollback")


@app.command()
def promote(release: ReleaseName = "latest", publish_to: PublishTo = None) -> None:
    """Make a release the stable one."""
    _move(publish_to, release, "stable", "promote")


def _channel(text: str) -> Channel:
    for channel in lazy.pointer.CHANNELS:
        if text == channel:
            return channel
    channels = " or ".join(lazy.pointer.CHANNELS)
    raise typer.BadParameter(f"unknown channel {text!r}; choose {channels}")


def _move(publish_to: list[str] | None, release: str, channel: Channel, action: Action) -> None:
    settings = settings_from(publish_to=publish_to)
    for place in _places(publish_to):
        expected = lazy.pointer.read_for_update(place, channel, even_damaged=True)
        release_id = lazy.catalog.resolve(place, release)
        manifest = lazy.channels.require_complete(place, release_id)
        by = settings.signature(manifest.audience)
        lazy.channels.set_pointer(
            place, release_id, channel, expected=expected, action=action, moved_by=by
        )
        before = expected.pointer.release_id if expected.pointer else "nothing"
        print_line(f"{place.url}/{channel}.json: {before} -> {release_id}")


@app.command()
def pin(
    release: ReleaseName, reason: Reason = "", undo: Undo = False, publish_to: PublishTo = None
) -> None:
    """Protect a release from `clean`, for example one that a paper cites."""
    reason = "" if undo else require_reason(reason)
    for place in _places(publish_to):
        release_id = lazy.catalog.resolve(place, release)
        if undo:
            lazy.catalog.unpin(place, release_id)
        else:
            lazy.catalog.pin(place, release_id, reason)
        print_line(f"{place.url}: {release_id} is {'no longer ' if undo else ''}pinned")


@app.command()
def clean(
    keep: Keep = 30,
    grace: Grace = 48,
    yes: Yes = False,
    publish_to: PublishTo = None,
    as_json: AsJson = False,
) -> None:
    """Delete old releases and incomplete uploads.

    Releases that a channel names, promoted and pinned releases are never deleted.
    """
    make = lazy.retention.clean if yes else lazy.retention.plan
    plans = {
        place.url: make(place, keep=keep, grace=timedelta(hours=grace))
        for place in _places(publish_to)
    }
    if as_json:
        print_json({url: _plan(found) for url, found in plans.items()})
        return
    for url, found in plans.items():
        _print_plan(url, found, deleted=yes)


def _plan(found: CleanPlan) -> dict[str, Any]:
    return {
        "expired": [r.release_id for r in found.expired],
        "unfinished": [r.release_id for r in found.unfinished],
        "uploads": [u.key for u in found.uploads],
        "copies": list(found.copies),
        "bytes": found.bytes,
        "kept": found.kept,
    }


def _print_plan(url: str, found: CleanPlan, *, deleted: bool) -> None:
    action = "deleted" if deleted else "would be deleted"
    rows = [{"release_id": name, "action": "kept", "reason": r} for name, r in found.kept.items()]
    for reason, releases in (("expired", found.expired), ("incomplete", found.unfinished)):
        rows += [{"release_id": r.release_id, "action": action, "reason": reason} for r in releases]
    print_rows(url, rows)
    uploads = f"{len(found.uploads)} incomplete uploads, {len(found.copies)} stale copies"
    hint = "" if deleted else "; --yes deletes them"
    print_line(f"{action}: {size(found.bytes)} of releases, {uploads}{hint}")
