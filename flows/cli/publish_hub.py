"""`observatory publish-hub`: the public release as a data set on the Hub."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.terminal import (
    AsJson,
    WarehouseFile,
    guarded,
    print_json,
    print_line,
    settings_given,
)
from flows.settings import Settings


def _repo(text: str) -> str:
    owner, _, name = text.partition("/")
    if not owner or not name or "/" in name:
        raise typer.BadParameter(f"{text!r}: write OWNER/NAME")
    return text


def publish_hub(
    repo: Annotated[str, typer.Argument(metavar="OWNER/NAME", parser=_repo)],
    really: Annotated[
        bool, typer.Option("--really", help="Commit; without it only say what would be done.")
    ] = False,
    warehouse: WarehouseFile = None,
    as_json: AsJson = False,
) -> None:
    """Make a data set repository of the Hub equal to the warehouse's public release.

    One commit, or none where the release is there already. The token comes from HF_TOKEN alone.
    """
    with guarded(as_json), tempfile.TemporaryDirectory(prefix="observatory-hub-") as scratch:
        settings = Settings(**settings_given(None, warehouse, None, None))
        from flows.steps import sequence  # noqa: PLC0415
        from flows.steps.publish_to_huggingface import publish_to_hub  # noqa: PLC0415

        folder = Path(scratch) / "release"
        manifest = sequence.stage(settings, folder, "public")
        change = publish_to_hub(settings, repo, folder, manifest, really=really)
        if as_json:
            print_json(vars(change) | {"is_empty": change.is_empty})
        elif change.is_empty:
            print_line(f"{repo} holds release {change.release_id} already; no commit")
        else:
            done = f"commit {change.commit}" if change.commit else "dry run, --really commits it"
            kind = "a new repository" if change.is_new else "the repository"
            print_line(
                f"{repo}, {kind}: release {change.release_id}, {len(change.adds)} files to write "
                f"({change.bytes:,} bytes), {len(change.deletes)} to delete; {done}"
            )
            for path in (*change.adds, *(f"delete {p}" for p in change.deletes)):
                print_line(f"  {path}")
