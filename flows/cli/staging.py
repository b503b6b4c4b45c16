"""Commands that make a release outside a published place: a local folder, a Hub dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli import lazy
from flows.cli.options import (
    AsJson,
    ForAudience,
    WarehouseFile,
    Yes,
    settings_from,
    settings_to_read,
)
from flows.cli.output import print_json, print_line, progress
from flows.reports.text import size


def _repository(text: str) -> str:
    owner, _, name = text.partition("/")
    if not owner or not name or "/" in name:
        raise typer.BadParameter(f"{text!r} is not a repository; write OWNER/NAME")
    return text


Repository = Annotated[
    str, typer.Argument(metavar="OWNER/NAME", parser=_repository, help="Dataset on Hugging Face.")
]
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="New or empty folder.")]


def publish_hub(
    repo: Repository,
    yes: Yes = False,
    warehouse: WarehouseFile = None,
    as_json: AsJson = False,
) -> None:
    """Publish the public release as a dataset on Hugging Face.

    Makes one commit, or none if the repository already has this release. The token is read from
    HF_TOKEN.
    """
    settings = settings_to_read(warehouse=warehouse)
    with (
        progress("staging the release"),
        lazy.scratch.scratch_folder("hub") as scratch,
    ):
        folder = scratch / "release"
        manifest = lazy.sequence.stage(settings, folder, "public")
        change = lazy.publish_to_huggingface.publish_to_hub(
            settings, repo, folder, manifest, commit=yes
        )
    if as_json:
        print_json(vars(change) | {"is_empty": change.is_empty})
        return
    if change.is_empty:
        print_line(f"{repo} already has release {change.release_id}; no commit")
        return
    done = f"commit {change.commit}" if change.commit else "dry run; --yes commits it"
    kind = "new repository" if change.is_new else "existing repository"
    print_line(
        f"{repo} ({kind}): release {change.release_id}, {len(change.adds)} files to write "
        f"({size(change.bytes)}), {len(change.deletes)} to delete; {done}"
    )
    for path in (*change.adds, *(f"delete {p}" for p in change.deletes)):
        print_line(f"  {path}")


def page(
    out: Out,
    warehouse: WarehouseFile = None,
    audience: ForAudience = "internal",
    as_json: AsJson = False,
) -> None:
    """Build the release and its web page in a local folder.

    Nothing is published.
    """
    settings = settings_from(warehouse=warehouse)
    with progress("building the page"):
        manifest = lazy.sequence.stage(settings, out, audience)
    pages = {language: str(out / name) for language, name in lazy.i18n.FILES.items()}
    if as_json:
        print_json({"release_id": manifest.release_id, "pages": pages})
        return
    for language, path in pages.items():
        print_line(f"{language}  {path}")
