"""Commands on the archive: back up, restore, exclude a snapshot from builds."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli import lazy
from flows.cli.options import (
    ArchiveDir,
    AsJson,
    Reason,
    Sources,
    Undo,
    date_of,
    require_reason,
    settings_from,
    source_of,
)
from flows.cli.output import print_json, print_line, progress
from flows.reports.text import size
from warehouse.storage.protocol import StorageError

if TYPE_CHECKING:
    from warehouse.archive.copy_report import CopyReport

Place = Annotated[str, typer.Argument(metavar="URL", help="Folder or s3://bucket/prefix.")]
SnapshotId = Annotated[
    str, typer.Argument(metavar="SOURCE/DATE", help="A snapshot, such as hub/2026-08-15.")
]


def backup(
    url: Place, archive: ArchiveDir = None, sources: Sources = None, as_json: AsJson = False
) -> None:
    """Copy sealed snapshots to a folder or bucket.

    Snapshots that are already there are not copied again.
    """
    _copy("push", url, archive, sources, as_json)


def restore(
    url: Place, archive: ArchiveDir = None, sources: Sources = None, as_json: AsJson = False
) -> None:
    """Copy missing snapshots and damaged files back from a backup; every file is verified.

    A sealed snapshot of the archive is never changed: differences are reported.
    """
    _copy("pull", url, archive, sources, as_json)


def _copy(direction: str, url: str, archive: ArchiveDir, sources: Sources, as_json: bool) -> None:
    settings = settings_from(archive=archive, sources=sources)
    copy = lazy.backup.push if direction == "push" else lazy.backup.pull
    with progress("copying snapshots"):
        done = copy(
            lazy.archive.Archive(settings.archive),
            lazy.open.open_storage(url),
            settings.sources if sources else None,
        )
    if not done.found:
        raise _empty_copy(url, sources)
    if as_json:
        print_json(vars(done))
    else:
        _print_report(done)
    done.raise_for_problems()


def _empty_copy(url: str, sources: Sources) -> StorageError:
    named = f" of {sources}" if sources else ""
    return StorageError(
        lazy.open.open_storage(url).url,
        f"the copy has no snapshot{named}",
        "Check the address: a copy has its snapshots below archive/.",
    )


def _print_report(done: CopyReport) -> None:
    if not (done.snapshots or done.repaired or done.problems):
        print_line("nothing to copy: the destination has every snapshot of the origin")
        return
    print_line(f"{len(done.snapshots)} snapshots copied, {done.files} files, {size(done.bytes)}")
    for name in done.snapshots:
        print_line(f"  {name}")
    for path in done.repaired:
        print_line(f"  repaired: {path}")


def exclude(
    snapshot: SnapshotId,
    reason: Reason = "",
    undo: Undo = False,
    archive: ArchiveDir = None,
) -> None:
    """Exclude a snapshot from builds (its files are kept)."""
    source, day, slot = _parse_snapshot_id(snapshot)
    found = lazy.archive.Archive(settings_from(archive=archive).archive)
    if undo:
        found.include(source, day, slot)
        print_line(f"{snapshot} is used in builds again")
    else:
        found.exclude(source, day, require_reason(reason), slot)
        print_line(f"{snapshot} is excluded from builds; --undo reverses this")


def _parse_snapshot_id(text: str) -> tuple[str, date, str | None]:
    source, slash, moment = text.partition("/")
    if not slash:
        raise typer.BadParameter(f"{text!r} is not a snapshot; write SOURCE/DATE")
    day, separator, slot = moment.partition("T")
    return source_of(source), date_of(day), slot if separator else None
