"""The bundled sample in the stand-in's layout: a small set of real records for tests."""

from __future__ import annotations

from pathlib import Path

import orjson
import zstandard

from tests.conftest import ROOT
from warehouse.archive.archive import Archive
from warehouse.archive.snapshot import Snapshot

SAMPLE = ROOT / "warehouse" / "sample"
SOURCES = ("hub", "lmarena", "epoch")
DAY = "2026-08-15"  # of its newest Hub listing


def write_recordings(folder: Path) -> Path:
    """Writes the sample as recordings of the Hub's listing, LMArena and Epoch's newest file."""
    archive = Archive(SAMPLE)
    chosen = [s for source in SOURCES for s in archive.snapshots(source)]
    for snapshot in (s for s in chosen if s.source != "epoch" or s == archive.newest("epoch")):
        for name, data in _recordings(archive, snapshot).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    return folder


def _recordings(archive: Archive, snapshot: Snapshot) -> dict[str, bytes]:
    files = {file.name: archive.read(file) for file in snapshot.files}
    if snapshot.source == "lmarena":
        return {f"lmarena/leaderboard-dataset/{name}": data for name, data in files.items()}
    if snapshot.source == "hub":
        models = [model for page in files.values() for model in orjson.loads(page)]
        lines = b"\n".join(map(orjson.dumps, models)) + b"\n"
        return {f"{snapshot.snapshot_id}/models.ndjson.zst": zstandard.compress(lines)}
    return {f"{snapshot.snapshot_id}/{name}": data for name, data in files.items()}
