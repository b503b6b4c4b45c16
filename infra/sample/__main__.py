"""`python -m infra.sample --recordings DIR --into DIR`: makes the bundled sample archive.

It selects dated public figures from a folder of recordings (MANIFEST.csv lists the origin of each)
and stores them in an archive, so that a first run needs no network. No file is copied completely.
The same recordings and the same code give the same bytes. The rules of selection are constants of
the other modules; the sidecars repeat them with the origin of every figure.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from infra.sample.arena import write_arena
from infra.sample.epoch import write_epoch
from infra.sample.evolution import write_evolution
from infra.sample.hub import write_hub
from infra.sample.recordings import Recordings, SampleError
from infra.sample.trending import write_trending, write_trending_feed
from warehouse.archive.archive import Archive
from warehouse.archive.snapshot import ArchiveError, Snapshot


def make_sample(recordings: Path, into: Path, histories: Path | None = None) -> list[Snapshot]:
    """Builds the sample in a temporary folder and renames it. Returns its snapshots.

    `histories` is a second folder, by default the one whose name has a 2 behind it. Raises
    SampleError if the recordings do not match their list, or if `into` contains anything
    but an earlier sample, which would be lost.
    """
    _check_replaceable(into)
    into.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".sample-", dir=into.parent) as scratch:
        archive = Archive(Path(scratch) / "sample")
        for write in (write_hub, write_trending, write_arena, write_epoch):
            write(Recordings(recordings), archive)
        histories = histories or recordings.with_name(f"{recordings.name}2")
        for write_history in (write_evolution, write_trending_feed):
            write_history(Recordings(histories), archive)
        if into.exists():
            shutil.rmtree(into)
        archive.root.rename(into)
    return Archive(into).snapshots()


def _check_replaceable(into: Path) -> None:
    if not into.exists():
        return
    try:
        snapshots = Archive(into).snapshots() if into.is_dir() else []
    except ArchiveError as error:
        raise SampleError(f"{into} is not a sample: {error}; use another folder") from error
    sources = {s.source for s in snapshots if s.is_sample}
    others = {p.name for p in into.iterdir()} - sources if into.is_dir() else {into.name}
    if others or not all(s.is_sample for s in snapshots):
        raise SampleError(
            f"{into} contains more than a sample ({sorted(others)}) and was not replaced; use "
            "another folder"
        )


def main(arguments: list[str] | None = None) -> int:
    """Makes the sample and prints its snapshots. Returns 1 if it cannot be made."""
    parser = argparse.ArgumentParser(prog="python -m infra.sample", description=__doc__)
    default = Path(os.environ.get("OBSERVATORY_RECORDINGS", "../shared/archive"))
    parser.add_argument("--recordings", type=Path, default=default, help="folder with MANIFEST.csv")
    parser.add_argument("--histories", type=Path, help="second folder, of third parties' histories")
    parser.add_argument("--into", type=Path, default=Path("warehouse/sample"), help="target folder")
    chosen = parser.parse_args(arguments)
    try:
        snapshots = make_sample(chosen.recordings, chosen.into, chosen.histories)
    except SampleError as error:
        print(error, file=sys.stderr)
        return 1
    for snapshot in snapshots:
        print(f"{snapshot.snapshot_id}: {snapshot.rows_seen} records, {snapshot.bytes:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
