"""Objects of somebody else in a place that releases are published to, and what becomes of them."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.s3_places import carry, reader_sees
from warehouse.publishing.catalog import releases
from warehouse.publishing.channels import set_pointer
from warehouse.publishing.leases import acquire
from warehouse.publishing.retention import clean
from warehouse.releases.manifest import Manifest, ReleaseError
from warehouse.storage.protocol import Storage

RESOLUTION = 1.1  # seconds; of the times of S3
UPLOAD_THAT_DIED = "2026-08-15-aaaaaaaaaaaa"
FOREIGN = (
    *("latest/other_team.csv", "stable/other_team.csv", "latest/deep/other.parquet"),
    *("releases/notes.txt", "releases/v1.2/app.tar.gz", "releases/v1.2/manifest.json"),
    *("leases/contract.pdf", "removals/list.txt", "pins/readme.txt"),
    *("journal/latest/notes.txt", "hub_history/notes.txt", "elsewhere/x.csv"),
    f"releases/{UPLOAD_THAT_DIED}/theirs.csv",
    "releases/2026-08-15-bbbbbbbbbbbb/nobody-of-us-began-this.csv",
)


def assert_foreign_objects_stay(
    storage: Storage, old: tuple[Path, Manifest], new: tuple[Path, Manifest], scratch: Path
) -> None:
    """Publishes twice, promotes and cleans up everything that may be: only our objects go."""
    for key in FOREIGN:
        storage.put_bytes(key, b"theirs")
    for number, release in enumerate((old, new)):
        carry(storage, *release, scratch / f"back{number}")
        storage.put_bytes(f"releases/{release[1].release_id}/theirs.csv", b"theirs")
        time.sleep(RESOLUTION)
    set_pointer(storage, new[1].release_id, "stable", action="promote")
    acquire(storage, UPLOAD_THAT_DIED, ["core.counts.parquet"])
    storage.put_bytes(f"releases/{UPLOAD_THAT_DIED}/core.counts.parquet", b"half")
    time.sleep(RESOLUTION)
    gone = clean(storage, keep=1, grace=timedelta(0))
    assert [r.release_id for r in gone.expired] == [old[1].release_id]
    assert [r.release_id for r in gone.unfinished] == [UPLOAD_THAT_DIED]
    left = set(storage.keys(""))
    assert left >= {*FOREIGN, f"releases/{old[1].release_id}/theirs.csv"}
    assert {k for k in left if k.startswith(f"releases/{old[1].release_id}/")} == {
        f"releases/{old[1].release_id}/theirs.csv"
    }
    assert f"releases/{UPLOAD_THAT_DIED}/core.counts.parquet" not in left
    assert reader_sees(storage) == new[1].release_id
    assert "v1.2" not in [r.release_id for r in releases(storage)]


def assert_foreign_copies_are_not_replaced(
    storage: Storage, release: tuple[Path, Manifest], scratch: Path
) -> None:
    """An object of somebody else with the name of one of our copies: nothing is published."""
    for key in ("latest/manifest.json", "latest/core.counts.parquet"):
        storage.put_bytes(key, b"theirs")
        with pytest.raises(ReleaseError, match="was not published by this program"):
            carry(storage, *release, scratch / "back")
        assert storage.get_bytes(key) == b"theirs"
        assert storage.get_version("latest.json") is None
        storage.delete(key)
