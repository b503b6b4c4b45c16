"""What each role may do: `infra/s3/policies`, enforced by a real server."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from flows.cli.options import SAMPLE
from infra.s3 import SeaweedS3
from infra.s3.weed import POLICIES
from tests.support.releases import build_warehouse
from tests.support.s3_places import BUCKET, carry, forget_aws, needs_weed, reader_sees
from tests.warehouse.releases.test_release import stage
from warehouse.archive import backup
from warehouse.archive.archive import Archive
from warehouse.publishing.catalog import pin, releases
from warehouse.publishing.channels import set_pointer
from warehouse.publishing.leases import acquire, lease_key
from warehouse.publishing.pointer import release_log
from warehouse.publishing.retention import clean
from warehouse.publishing.verify import verify
from warehouse.releases.manifest import FileEntry, Manifest
from warehouse.storage.open import open_storage
from warehouse.storage.protocol import RefusedError, Storage

pytestmark = [pytest.mark.integration, needs_weed]

SHARED = "hub_history/changes/2026-08-15.parquet"
BACKUP = "archive/epoch/2026-08-15/snapshot.json"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedS3]:
    with SeaweedS3(tmp_path_factory.mktemp("s3")) as s3:
        s3.create_bucket(BUCKET)
        yield s3


@pytest.fixture
def place(server: SeaweedS3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Storage:
    """The bucket of the test server's roles, empty, with all rights."""
    forget_aws(monkeypatch, tmp_path)
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)
    storage = open_storage(f"s3://{BUCKET}")
    for key in storage.keys(""):
        storage.delete(key)
    return storage


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    """A small release with one file of the Hub's history."""
    folder = tmp_path_factory.mktemp("release")
    path = folder / "day.parquet"
    path.write_bytes(b"changes of a day")
    entry = FileEntry(path=SHARED, bytes=16, sha256=sha256(b"changes of a day").hexdigest())
    database = build_warehouse(folder / "wh.duckdb")
    return folder / "staged", stage(database, folder / "staged", shared=[(entry, path)])


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    root = tmp_path_factory.mktemp("archive")
    shutil.copytree(SAMPLE / "epoch", root / "epoch")
    return Archive(root)


def as_role(server: SeaweedS3, env: pytest.MonkeyPatch, role: str) -> Storage:
    env.setenv("AWS_ACCESS_KEY_ID", f"{server.state.access_key}-{role}")
    return open_storage(f"s3://{BUCKET}")


def test_a_publisher_can_publish_with_history_and_cannot_delete(
    place: Storage,
    server: SeaweedS3,
    monkeypatch: pytest.MonkeyPatch,
    release: tuple[Path, Manifest],
    tmp_path: Path,
) -> None:
    folder, old = release
    new_database = build_warehouse(tmp_path / "new.duckdb", models=60)
    new = stage(new_database, tmp_path / "new", audience="public")  # leaves stale copies behind
    publisher = as_role(server, monkeypatch, "publisher")
    carry(publisher, folder, old, tmp_path / "a")
    assert publisher.get_bytes(SHARED) == b"changes of a day"
    carry(publisher, tmp_path / "new", new, tmp_path / "b")
    set_pointer(publisher, old.release_id, action="rollback")
    set_pointer(publisher, new.release_id, "stable", action="promote")
    pin(publisher, old.release_id, "cited")
    assert reader_sees(publisher) == old.release_id
    manifest = f"releases/{new.release_id}/manifest.json"
    for key in (manifest, SHARED, "latest.json", "journal/latest/1", "pins/x.json", BACKUP):
        with pytest.raises(RefusedError, match="access denied"):
            publisher.delete(key)
    for key in ("elsewhere", "history/x", "removals/x.json"):
        with pytest.raises(RefusedError):
            publisher.put_bytes(key, b"")
    assert place.keys("probes/") == []


def test_a_publisher_can_back_up_after_an_exclusion_and_its_end(
    place: Storage, server: SeaweedS3, monkeypatch: pytest.MonkeyPatch, archive: Archive
) -> None:
    publisher = as_role(server, monkeypatch, "publisher")
    day = archive.snapshots("epoch")[0].snapshot_date
    assert backup.push(archive, publisher).snapshots
    archive.exclude("epoch", day, "damaged")
    backup.push(archive, publisher)
    assert [k for k in place.keys("archive/") if k.endswith("refusal.json")]
    archive.include("epoch", day)
    backup.push(archive, publisher)
    assert not [k for k in place.keys("archive/") if k.endswith("refusal.json")]
    kept = place.keys("archive/")
    with pytest.raises(RefusedError):
        publisher.delete(kept[0])


def test_a_reader_reads_nothing_but_releases(
    place: Storage,
    server: SeaweedS3,
    monkeypatch: pytest.MonkeyPatch,
    release: tuple[Path, Manifest],
    tmp_path: Path,
) -> None:
    release_id = release[1].release_id
    carry(place, *release, tmp_path / "back")
    pin(place, release_id, "cited")
    closed = (BACKUP, lease_key(release_id), "removals/x.json", "probes/x", "elsewhere")
    for key in closed:
        place.put_bytes(key, b"secret")
    reader = as_role(server, monkeypatch, "reader")
    assert reader_sees(reader) == release_id
    assert verify(reader, release_id).is_intact
    assert reader.get_bytes(SHARED)
    assert len(release_log(reader, "latest")) == 1
    assert [(r.is_complete, r.pinned) for r in releases(reader)] == [(True, "cited")]
    for key in closed:
        for read in (reader.get_bytes, reader.size):
            with pytest.raises(RefusedError, match="access denied"):
                read(key)
    for write in (
        lambda: reader.put_bytes("latest.json", b"x"),
        lambda: reader.copy(f"releases/{release_id}/manifest.json", "latest/x"),
        lambda: reader.delete("latest.json"),
        lambda: set_pointer(reader, release_id, "stable"),
    ):
        with pytest.raises(RefusedError, match="access denied"):
            write()


def test_a_cleaner_can_clean_and_deletes_nothing_else(
    place: Storage,
    server: SeaweedS3,
    monkeypatch: pytest.MonkeyPatch,
    release: tuple[Path, Manifest],
    tmp_path: Path,
) -> None:
    carry(place, *release, tmp_path / "back")
    begun = "2026-08-15-aaaaaaaaaaaa"
    acquire(place, begun, ["x.parquet", "big"])
    place.put_bytes(f"releases/{begun}/x.parquet", b"of an upload that died")
    place.put_bytes("probes/0123456789abcdef", b"of a process that died")
    for key in (f"releases/{begun}/big", "of-another-program"):
        server.client().create_multipart_upload(Bucket=BUCKET, Key=key)
    cleaner = as_role(server, monkeypatch, "cleaner")
    time.sleep(1.1)  # the times of S3 have a resolution of one second
    gone = clean(cleaner, keep=1, grace=timedelta(0))
    assert [r.release_id for r in gone.unfinished] == [begun]
    assert [u.key for u in gone.uploads] == [f"releases/{begun}/big"]
    assert [u.key for u in cleaner.unfinished()] == ["of-another-program"]
    assert place.keys("probes/") == []
    assert reader_sees(cleaner) == release[1].release_id
    for key in ("latest.json", "stable.json", "journal/latest/1", "pins/x", SHARED, BACKUP, "x"):
        for write in (cleaner.delete, lambda key: cleaner.put_bytes(key, b"x")):
            with pytest.raises(RefusedError, match="access denied"):
                write(key)
    with pytest.raises(RefusedError, match="access denied"):
        cleaner.get_bytes(BACKUP)


def test_no_policy_has_a_wildcard_action_or_the_whole_bucket() -> None:
    for path in POLICIES.glob("*.json"):
        for statement in json.loads(path.read_text("utf-8"))["Statement"]:
            assert statement["Effect"] == "Allow"
            assert all(
                action.startswith("s3:") and "*" not in action for action in statement["Action"]
            )
            places = [r for r in statement["Resource"] if r != "arn:aws:s3:::BUCKET"]
            assert all(r.startswith("arn:aws:s3:::PLACE/") for r in places)
