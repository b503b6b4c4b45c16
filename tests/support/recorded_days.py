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
import zstandard

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
        _seal(archive, "hub", path.parent.name, named)
    for path in sorted((recordings / "hub" / "trending").glob("*.json")):
        strip = orjson.loads(path.read_bytes())
        _seal(archive, "hub_trending", path.stem, {"trending.json": strip})


def _lines(path: Path) -> list[bytes]:
    with path.open("rb") as file:
        return zstandard.ZstdDecompressor().stream_reader(file).read().splitlines()


def _seal(archive: Archive, source: str, moment: str, files: Mapping[str, object]) -> None:
    terms, day = card(source), date.fromisoformat(moment[:10])
    with open_draft(archive, source, day, moment[11:] or None) as draft:
        for name, document in files.items():
            rows = len(document) if isinstance(document, list) else 10
            data = orjson.dumps(document)
            draft.add_file(name, data, url=f"recorded:{name}", rows_seen=rows, compress=True)
        draft.seal(**terms.sidecar_terms())
