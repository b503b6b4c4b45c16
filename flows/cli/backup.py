"""`observatory backup` and `restore`: the archive's copy in storage."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.cli.terminal import ArchiveDir, AsJson, Sources, guarded, print_json, print_line
from flows.cli.terminal import settings_given as given
from flows.settings import Settings

Place = Annotated[str, typer.Argument(metavar="URL", help="Folder or s3://bucket/prefix.")]


def backup(
    url: Place, archive: ArchiveDir = None, sources: Sources = None, as_json: AsJson = False
) -> None:
    """Copy every sealed snapshot into storage; what is there already is not sent again."""
    _copy("push", url, archive, sources, as_json)


def restore(
    url: Place, archive: ArchiveDir = None, sources: Sources = None, as_json: AsJson = False
) -> None:
    """Bring the snapshots that the copy holds and this archive lacks; every byte is verified."""
    _copy("pull", url, archive, sources, as_json)


def _copy(direction: str, url: str, archive: ArchiveDir, sources: Sources, as_json: bool) -> None:
    with guarded(as_json):
        from warehouse.archive import backup as mirror  # noqa: PLC0415
        from warehouse.archive.archive import Archive  # noqa: PLC0415
        from warehouse.storage.open import open_storage  # noqa: PLC0415

        settings = Settings(**given(archive, None, None, sources))
        done = getattr(mirror, direction)(
            Archive(settings.archive), open_storage(url), settings.sources if sources else None
        )
        if as_json:
            print_json(vars(done))
        else:
            print_line(f"{len(done.snapshots)} snapshots, {done.files} files, {done.bytes:,} bytes")
            for name in done.snapshots:
                print_line(f"  {name}")
