"""`observatory releases` and what one does with releases: compare, verify, point, keep, clean."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.terminal import (
    AsJson,
    PublishTo,
    guarded,
    print_json,
    print_line,
    print_rows,
    settings_given,
)
from flows.settings import Settings

if TYPE_CHECKING:
    from warehouse.publishing.diff import Comparison
    from warehouse.publishing.pointer import Action, Channel
    from warehouse.publishing.retention import CleanPlan
    from warehouse.publishing.verify import Verification
    from warehouse.storage.protocol import Storage

ReleaseName = Annotated[
    str, typer.Argument(metavar="RELEASE", help="A release's id, or the channel latest or stable.")
]
Reason = Annotated[str, typer.Option(help="Why; kept beside the releases.")]
ChannelName = Annotated[str, typer.Option(help="Which pointer to move: latest or stable.")]
Grace = Annotated[
    int,
    typer.Option(min=1, metavar="HOURS", help="Younger things stay: somebody may be at work."),
]


def register(app: typer.Typer) -> None:
    """Adds every command on releases."""
    for command in (releases, journal, diff, verify, rollback, promote, pin, clean):
        app.command()(command)


def _places(publish_to: list[str] | None) -> Iterator[Storage]:
    """Every place of the call or the settings."""
    from warehouse.storage.open import open_storage  # noqa: PLC0415

    yield from map(open_storage, _settings(publish_to).publish_to)


def _settings(publish_to: list[str] | None) -> Settings:
    return Settings(**settings_given(None, None, publish_to, None))


def releases(publish_to: PublishTo = None, as_json: AsJson = False) -> None:
    """List the releases of a place: the newest first, with the pointers that name them."""
    with guarded(as_json):
        told = {place.url: _listed(place) for place in _places(publish_to)}
        if as_json:
            print_json(told)
            return
        for url, rows in told.items():
            print_rows(url, rows)


def _listed(place: Storage) -> list[dict[str, Any]]:
    from warehouse.publishing.catalog import releases as found_in  # noqa: PLC0415
    from warehouse.publishing.catalog import summarize_all  # noqa: PLC0415

    found = found_in(place)
    return [
        {
            "release_id": r.release_id,
            "as_of": about.as_of,
            "audience": about.audience,
            "published_at": r.published_at and r.published_at.isoformat(timespec="seconds"),
            "bytes": r.bytes,
            "tables": about.tables,
            "is_sample": about.is_sample,
            "state": "whole" if r.is_complete else "unfinished: no reader sees it",
            "pointers": ", ".join(r.channels) or None,
            "kept_for": "promoted" if r.promoted else r.pinned and f"pinned: {r.pinned}",
        }
        for r, about in zip(found, summarize_all(place, found), strict=True)
    ]


def journal(publish_to: PublishTo = None, as_json: AsJson = False) -> None:
    """List every move of the pointers: when, by whom, from which release to which."""
    with guarded(as_json):
        from warehouse.publishing.pointer import CHANNELS  # noqa: PLC0415
        from warehouse.publishing.pointer import release_log as moves  # noqa: PLC0415

        told = {
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
                for channel in CHANNELS
                for move in moves(place, channel)
            ]
            for place in _places(publish_to)
        }
        if as_json:
            print_json(told)
            return
        for url, rows in told.items():
            print_rows(f"{url}: moves of the pointers", rows)


def diff(
    before: ReleaseName, after: ReleaseName, publish_to: PublishTo = None, as_json: AsJson = False
) -> None:
    """Compare two releases: columns, rows, changed shares, changed verdicts."""
    with guarded(as_json):
        from warehouse.publishing.catalog import resolve  # noqa: PLC0415
        from warehouse.publishing.diff import compare  # noqa: PLC0415

        for place in _places(publish_to):
            found = compare(place, resolve(place, before), resolve(place, after))
            if as_json:
                print_json(vars(found) | {"tables": [vars(t) for t in found.tables]})
            else:
                _print_comparison(found)


def _print_comparison(found: Comparison) -> None:
    print_line(f"{found.before} -> {found.after}: {found.same_tables} tables are the same bytes")
    tables = [{**vars(t), "schema": "; ".join(t.schema) or None} for t in found.tables]
    print_rows("tables that differ", tables)
    for title, changes in (
        ("largest changes of a share", found.shares),
        ("changed verdicts", found.verdicts),
    ):
        rows = [{**c, "key": ", ".join(f"{k}={v}" for k, v in c["key"].items())} for c in changes]
        print_rows(title, rows)


def verify(
    release: ReleaseName = "latest", publish_to: PublishTo = None, as_json: AsJson = False
) -> None:
    """Read every byte of a release in storage again and hold it against its manifest."""
    with guarded(as_json):
        from warehouse.publishing.catalog import resolve  # noqa: PLC0415
        from warehouse.publishing.release_objects import DamagedError  # noqa: PLC0415
        from warehouse.publishing.verify import verify as verified  # noqa: PLC0415

        found = {p.url: verified(p, resolve(p, release)) for p in _places(publish_to)}
        if as_json:
            print_json({url: vars(v) | {"is_intact": v.is_intact} for url, v in found.items()})
        for url, one in found.items():
            if not as_json:
                _print_verification(url, one)
        if bad := [url for url, one in found.items() if not one.is_intact]:
            raise DamagedError(
                f"{', '.join(bad)}: not what was published; point readers at a whole release with "
                "`observatory rollback`, then publish again: what is lost is sent again"
            )


def _print_verification(url: str, found: Verification) -> None:
    state = "intact" if found.is_intact else "DAMAGED"
    size = f"{found.objects} objects, {found.bytes:,} bytes read"
    print_line(f"{url}: release {found.release_id} {state}, {size}")
    for what in ("missing", "damaged", "unknown"):
        for key in getattr(found, what):
            print_line(f"  {what}: {key}")


def rollback(
    release: ReleaseName,
    channel: Annotated[
        str, typer.Option(help="Which pointer to move: latest or stable.")
    ] = "latest",
    publish_to: PublishTo = None,
) -> None:
    """Point readers back at an earlier whole release; nothing is rebuilt or lost."""
    with guarded(as_json=False):
        _move(publish_to, release, _channel(channel), "rollback")


def promote(release: ReleaseName = "latest", publish_to: PublishTo = None) -> None:
    """Make a nightly release the stable one: stable.json and stable/ lead to it."""
    with guarded(as_json=False):
        _move(publish_to, release, "stable", "promote")


def _channel(text: str) -> Channel:
    from warehouse.publishing.pointer import CHANNELS  # noqa: PLC0415

    for channel in CHANNELS:
        if text == channel:
            return channel
    raise typer.BadParameter(f"{text!r} is no channel; there are {' and '.join(CHANNELS)}")


def _move(publish_to: list[str] | None, release: str, channel: Channel, action: Action) -> None:
    from warehouse.publishing.catalog import resolve  # noqa: PLC0415
    from warehouse.publishing.channels import require_complete, set_pointer  # noqa: PLC0415
    from warehouse.publishing.pointer import read_for_update  # noqa: PLC0415

    settings = _settings(publish_to)
    for place in _places(publish_to):
        expected = read_for_update(place, channel, even_damaged=True)
        release_id = resolve(place, release)
        manifest = require_complete(place, release_id)
        by = settings.signature(manifest.audience)
        set_pointer(place, release_id, channel, expected=expected, action=action, moved_by=by)
        before = expected.pointer.release_id if expected.pointer else "nothing"
        print_line(f"{place.url}/{channel}.json: {before} -> {release_id}")


def pin(
    release: ReleaseName,
    reason: Reason = "",
    undo: Annotated[bool, typer.Option("--undo", help="Take the pin back.")] = False,
    publish_to: PublishTo = None,
) -> None:
    """Keep a release out of every clean-up, such as one that a paper cites."""
    with guarded(as_json=False):
        from warehouse.publishing import catalog  # noqa: PLC0415

        if not undo and not reason.strip():
            raise typer.BadParameter("say why: --reason TEXT")
        for place in _places(publish_to):
            release_id = catalog.resolve(place, release)
            if undo:
                catalog.unpin(place, release_id)
            else:
                catalog.pin(place, release_id, reason)
            print_line(f"{place.url}: {release_id} is {'no longer ' if undo else ''}pinned")


def clean(
    keep: Annotated[int, typer.Option(min=1, help="Newest releases that stay.")] = 30,
    grace: Grace = 48,
    apply: Annotated[
        bool, typer.Option("--apply", help="Do it; without this it is only told.")
    ] = False,
    publish_to: PublishTo = None,
    as_json: AsJson = False,
) -> None:
    """Remove old releases and what died half-way; never what a pointer names."""
    with guarded(as_json):
        from warehouse.publishing import retention  # noqa: PLC0415

        do = retention.clean if apply else retention.plan
        hours = timedelta(hours=grace)
        plans = {place.url: do(place, keep=keep, grace=hours) for place in _places(publish_to)}
        if as_json:
            print_json({url: _plan(found) for url, found in plans.items()})
            return
        for url, found in plans.items():
            _print_plan(url, found, applied=apply)


def _plan(found: CleanPlan) -> dict[str, Any]:
    return {
        "expired": [r.release_id for r in found.expired],
        "unfinished": [r.release_id for r in found.unfinished],
        "uploads": [u.key for u in found.uploads],
        "copies": list(found.copies),
        "bytes": found.bytes,
        "kept": found.kept,
    }


def _print_plan(url: str, found: CleanPlan, *, applied: bool) -> None:
    rows = [{"release_id": name, "why": why, "": "stays"} for name, why in found.kept.items()]
    verb = "removed" if applied else "would go"
    told = (("past its time", found.expired), ("unfinished", found.unfinished))
    rows += [{"release_id": r.release_id, "why": why, "": verb} for why, gone in told for r in gone]
    print_rows(url, rows)
    uploads = f"{len(found.uploads)} unfinished uploads, {len(found.copies)} stale copies"
    hint = "" if applied else "; --apply does it"
    print_line(f"{verb}: {found.bytes:,} bytes of releases, {uploads}{hint}")
