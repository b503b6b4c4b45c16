"""Every recorded day of the Hub and every recorded strip, sealed as if it had been observed.

The stand-in would take seconds per day, and it makes up the object ids that were not recorded: by
those an old and a new name of one repository are two.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import orjson
import polars as pl
import zstandard

from flows.steps.observe import observe
from infra.sample.tops import recorded_tops
from tests.conftest import DAY, settings_for
from tests.standin import StandIn
from warehouse.archive.archive import Archive
from warehouse.archive.draft import open_draft
from warehouse.contracts.source import card

PAGE_ROWS = 1000


def write_days(recordings: Path, observed: Path, into: Path) -> None:
    """Writes an archive with every Hub day and strip, and the other sources of `observed`."""
    for source in observed.iterdir():
        if source.name not in ("hub", "hub_trending", "hub_namespaces"):
            shutil.copytree(source, into / source.name)
    archive = Archive(into)
    for path in sorted((recordings / "hub").glob("*/models.ndjson.zst")):
        models = [orjson.loads(line) for line in _lines(path)]
        models.sort(key=lambda model: str(model.get("createdAt", "")), reverse=True)
        pages = [models[at : at + PAGE_ROWS] for at in range(0, len(models), PAGE_ROWS)]
        named = {f"pages/{n:06d}.json": page for n, page in enumerate(pages, 1)}
        _seal(archive, "hub", path.parent.name, named, _tops(path))
    for path in sorted((recordings / "hub" / "trending").glob("*.json")):
        strip = orjson.loads(path.read_bytes())
        _seal(archive, "hub_trending", path.stem, {"trending.json": strip})


def _lines(path: Path) -> list[bytes]:
    with path.open("rb") as file:
        return zstandard.ZstdDecompressor().stream_reader(file).read().splitlines()


def _tops(path: Path) -> dict[str, int] | None:
    """The August days are the first models by likes and by downloads; the others are selections.

    2025-11-10 is a list by likes of which at least one model is missing: pyannote's, which nine
    months later had fewer likes than the twentieth had then.
    """
    if path.parent.name == "2025-11-10":
        return {"likes": 20}
    if not path.parent.name.startswith("2026-08"):
        return None
    counters = [orjson.loads(line) for line in _lines(path)]
    keys = ("id", "likes", "downloads")
    return recorded_tops(pl.DataFrame([{key: model[key] for key in keys} for model in counters]))


def _seal(
    archive: Archive,
    source: str,
    moment: str,
    files: Mapping[str, object],
    tops: dict[str, int] | None = None,
) -> None:
    terms, day = card(source), date.fromisoformat(moment[:10])
    with open_draft(archive, source, day, moment[11:] or None) as draft:
        for name, document in files.items():
            rows = len(document) if isinstance(document, list) else 10
            data = orjson.dumps(document)
            draft.add_file(name, data, url=f"recorded:{name}", rows_seen=rows, compress=True)
        draft.tops = tops
        draft.seal(**terms.sidecar_terms())


def add_histories(recordings: Path, more: Path, archive: Archive) -> None:
    """Adds what `write_days` leaves out: every vintage of Epoch, and third parties' histories.

    The study's file is filed under the day of the newest Hub listing before it was read.
    """
    for folder in sorted((recordings / "epoch").iterdir()):
        with open_draft(archive, "epoch", date.fromisoformat(folder.name)) as draft:
            for path in sorted(folder.glob("*.csv")):
                rows = len(path.read_bytes().splitlines()) - 1
                draft.add_file(path.name, path.read_bytes(), url=f"recorded:{path}", rows_seen=rows)
            draft.seal(**card("epoch").sidecar_terms())
    with StandIn(more) as server:
        settings = settings_for(server, archive.root.parent).model_copy(
            update={"archive": archive.root}
        )
        observe("hub_evolution", settings, DAY)
        for commit in server.feed.commits():
            if commit.models:
                observe("hub_trending_feed", settings, date.fromisoformat(commit.observed_at[:10]))
