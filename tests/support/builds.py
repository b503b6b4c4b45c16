"""Complete builds without validation, for tests that recompute every number."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from flows.settings import Settings
from flows.steps import build
from infra.bench import generate
from warehouse.archive.archive import Archive

LATER = date(2026, 10, 15)  # the last recorded day
GENERATED = date(2026, 8, 3)  # the last day of the generated Hub
MODELS, DAYS = 20_000, 3


def build_tables(archive: Path, as_of: date, path: Path, history: Path) -> None:
    """Every table of a build, in a file of its own."""
    held, clocks = Archive(archive), build.Clocks(as_of)
    snapshots = build.chosen_snapshots(held, Settings(archive=archive).archived_sources, as_of)
    build.load_raw(path, held, snapshots, history)
    build.transform(path, "core", clocks)
    build.compute_past_shares(path, held, snapshots, clocks, history)
    for layer in ("mart", "meta"):
        build.transform(path, layer, clocks)


def generate_hub(folder: Path) -> None:
    """An archive with three days of a made-up Hub."""
    asked = ["--models", MODELS, "--days", DAYS, "--into", folder]
    assert not generate.main([str(word) for word in asked])
