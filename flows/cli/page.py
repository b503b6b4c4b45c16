"""`observatory page`: a release in a folder, to look at its page before it is published."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.terminal import (
    AsJson,
    Audience,
    ForAudience,
    WarehouseFile,
    guarded,
    print_json,
    print_line,
    settings_given,
)
from flows.settings import Settings


def page(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Empty folder for it.")],
    warehouse: WarehouseFile = None,
    audience: ForAudience = Audience.internal,
    as_json: AsJson = False,
) -> None:
    """Stage the warehouse as a release in DIR and name its page; nothing is published."""
    with guarded(as_json):
        settings = Settings(**settings_given(None, warehouse, None, None))
        from flows.steps import sequence  # noqa: PLC0415
        from warehouse.site.i18n import FILES  # noqa: PLC0415

        manifest = sequence.stage(settings, out, audience.value)
        pages = {language: str(out / name) for language, name in FILES.items()}
        if as_json:
            print_json({"release_id": manifest.release_id, "pages": pages})
            return
        for language, path in pages.items():
            print_line(f"{language}  {path}")
