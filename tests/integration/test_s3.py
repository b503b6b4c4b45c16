"""Releases on a real S3-compatible server (SeaweedFS)."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import boto3
import httpx
import observatory
import pytest

from infra.s3 import SeaweedS3
from infra.s3.guard import write_private
from infra.s3.ports import GRPC, SERVICES, socket_path
from tests.conftest import ROOT
from tests.support.foreign import (
    assert_foreign_copies_are_not_replaced,
    assert_foreign_objects_stay,
)
from tests.support.ranges import python_with
from tests.support.releases import build_warehouse
from tests.support.s3_places import (
    BUCKET,
    add_copy_of_earlier_release,
    carry,
    forget_aws,
    needs_weed,
    reader_sees,
)
from tests.warehouse.archive.test_archive import DAY, NEXT_DAY, file_snapshot
from tests.warehouse.releases.test_catalog_file import ATTACHED, QUESTIONS, httpfs, local
from tests.warehouse.releases.test_release import digests, stage
from warehouse.archive import backup
from warehouse.archive.archive import Archive
from warehouse.archive.snapshot import SIDECAR
from warehouse.publishing.channels import latest_manifest, set_pointer
from warehouse.publishing.pointer import read_pointer
from warehouse.publishing.upload import read_back, upload
from warehouse.publishing.verify import verify
from warehouse.releases.manifest import CATALOG, Manifest, ReleaseError
from warehouse.storage.local import LocalStorage
from warehouse.storage.open import open_storage
from warehouse.storage.protocol import MissingObjectError, RefusedError, Storage, StorageError

pytestmark = [pytest.mark.integration, needs_weed]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedS3]:
    with SeaweedS3(tmp_path_factory.mktemp("s3")) as s3:
        s3.create_bucket(BUCKET)
        yield s3


@pytest.fixture(autouse=True)
def _no_aws_of_our_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    forget_aws(monkeypatch, tmp_path)


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


def test_the_client_reads_a_release_in_s3(
    storage: Storage, release: tuple[Path, Manifest], tmp_path: Path
) -> None:
    folder, manifest = release
    upload(folder, manifest, storage)
    set_pointer(storage, manifest.release_id)
    table = manifest.tables[0]
    for _ in range(2):  # the second time from the cache
        with observatory.open(storage.url, cache=tmp_path) as opened:
            counted = opened.sql(f"SELECT count(*) FROM {table.name}")
            assert counted.item() == table.rows
    assert [p.name for p in tmp_path.iterdir()] == [f"{table.sha256}.parquet"]


def test_a_release_is_the_same_in_a_folder_and_in_s3(
    storage: Storage, release: tuple[Path, Manifest], tmp_path: Path
) -> None:
    folder, manifest = release
    local = LocalStorage(tmp_path / "folder")
    for place in (local, storage):
        upload(folder, manifest, place)
        set_pointer(place, manifest.release_id)
        back = read_back(place, manifest.release_id, tmp_path / f"back-{place is local}")
        read = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in back.items()}
        assert read == digests(manifest)
        assert latest_manifest(place) == manifest
    assert storage.keys() == local.keys()
    pointers = [read_pointer(local), read_pointer(storage)]
    assert pointers[0] and pointers[1]
    assert pointers[0].manifest_sha256 == pointers[1].manifest_sha256


def test_a_second_upload_reuses_and_an_interrupted_one_is_completed(
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
    assert second.already_complete
    assert second.uploaded == ()
    before = set_pointer(storage, manifest.release_id)
    assert (
        set_pointer(storage, manifest.release_id) == before
    )  # its date too: it was not written again


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


def test_stale_copies_are_removed_from_latest(
    storage: Storage, release: tuple[Path, Manifest]
) -> None:
    folder, manifest = release
    upload(folder, manifest, storage)
    add_copy_of_earlier_release(storage, manifest, "mart.gone.parquet")
    set_pointer(storage, manifest.release_id)
    assert "latest/mart.gone.parquet" not in storage.keys("latest/")
    assert len(storage.keys("latest/")) == len(manifest.objects) + 1


# --- errors for people ----------------------------------------------------------------------


def assert_told(storage: Storage, match: str, tmp_path: Path) -> None:
    """Every operation gives the same clear error, without secrets."""
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


def test_a_missing_bucket_is_an_error(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert_told(open_storage("s3://no-such-bucket/x"), "no-such-bucket .*does not exist", tmp_path)


def test_a_wrong_secret_is_an_error(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    env.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret")
    match = "(secret key does not match|access denied).*AWS|credentials"
    assert_told(open_storage(f"s3://{BUCKET}/x"), match, tmp_path)


def test_an_unknown_key_is_an_error(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    env.setenv("AWS_ACCESS_KEY_ID", "nobody")
    match = "unknown access key|access denied"
    assert_told(open_storage(f"s3://{BUCKET}/x"), match, tmp_path)


def test_missing_credentials_are_an_error(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    env.delenv("AWS_ACCESS_KEY_ID")
    env.delenv("AWS_SECRET_ACCESS_KEY")
    assert_told(open_storage(f"s3://{BUCKET}/x"), "no AWS credentials found", tmp_path)


# --- copies and swaps ---------------------------------------------------------------------------


def test_objects_of_others_stay(
    storage: Storage, release: tuple[Path, Manifest], tmp_path: Path
) -> None:
    new = stage(build_warehouse(tmp_path / "new.duckdb", models=60), tmp_path / "new")
    assert_foreign_copies_are_not_replaced(storage, release, tmp_path)
    assert_foreign_objects_stay(storage, release, (tmp_path / "new", new), tmp_path)


def test_stale_copies_that_cannot_be_deleted_are_a_warning(
    storage: Storage,
    release: tuple[Path, Manifest],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    add_copy_of_earlier_release(storage, release[1], "mart.gone.parquet")

    def refuse(key: str) -> None:
        raise RefusedError(key, "access denied", "Ask.")

    monkeypatch.setattr(storage, "delete", refuse)
    carry(storage, *release, tmp_path / "back")
    assert reader_sees(storage) == release[1].release_id
    assert "1 copies belong to no table any more" in caplog.text


def test_one_of_many_swaps_from_one_version_succeeds(storage: Storage) -> None:
    for number in range(10):
        found = storage.get_version("k")
        version = found and found[1]
        with ThreadPoolExecutor(4) as pool:
            offers = [f"{number} {n}".encode() for n in range(4)]
            won = list(pool.map(lambda data, v=version: storage.swap("k", data, v), offers))
        assert won.count(True) == 1
        assert storage.get_bytes("k") == offers[won.index(True)]


def test_equal_objects_are_copied_on_the_server(
    storage: Storage, release: tuple[Path, Manifest], tmp_path: Path
) -> None:
    big = tmp_path / "big.bin"
    big.write_bytes(os.urandom(20 << 20))
    database = build_warehouse(tmp_path / "a.duckdb")
    other = build_warehouse(tmp_path / "b.duckdb", models=60)
    first = stage(database, tmp_path / "first", documents={"big.bin": big})
    second = stage(other, tmp_path / "second", documents={"big.bin": big})
    carry(storage, tmp_path / "first", first, tmp_path / "back1")
    sent, _ = carry(storage, tmp_path / "second", second, tmp_path / "back2")
    assert {"big.bin", "raw.figures.parquet"} <= set(sent.copied)
    assert sent.uploaded_bytes < 5 << 20
    assert verify(storage, second.release_id).is_intact


def test_an_unreachable_server_is_an_error(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with socket.socket() as taken:  # bound and not listening, so no other server can use it
        taken.bind(("127.0.0.1", 0))
        env.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{taken.getsockname()[1]}")
        storage = open_storage(f"s3://{BUCKET}/x")
        with pytest.raises(StorageError, match=r"http://127\.0\.0\.1:\d+ cannot be reached"):
            storage.get_bytes("k")


def test_an_invalid_endpoint_is_an_error(env: pytest.MonkeyPatch) -> None:
    env.setenv("AWS_ENDPOINT_URL_S3", "localhost")
    with pytest.raises(StorageError, match="invalid address"):
        open_storage(f"s3://{BUCKET}/x")


# --- crashes --------------------------------------------------------------------------------


def test_a_server_crash_while_copies_are_synced(
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
        set_pointer(storage, old.release_id)
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
                set_pointer(storage, new.release_id)
        server.start()
        again = open_storage(f"s3://{BUCKET}")
        assert latest_manifest(again) == new
        read_back(again, new.release_id, tmp_path / "back")
        set_pointer(again, new.release_id)
        for entry in new.objects:
            assert again.rehash(f"latest/{entry.path}").sha256 == entry.sha256


# --- the server itself ----------------------------------------------------------------------


def s3_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "infra.s3", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_restart_keeps_data_keys_and_port(tmp_path: Path) -> None:
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
        assert "exists already" in s3_command("bucket", "mine", *folder).stdout
    finally:
        s3_command("stop", *folder)
    assert s3_command("status", *folder).returncode == 1


def test_another_port_is_used_if_the_first_is_taken(tmp_path: Path) -> None:
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


def answers_to_a_stranger(port: int, *, tls: bool) -> bytes:
    """What an HTTP/2 client without a certificate gets from a gRPC port."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as raw:
        stream = context.wrap_socket(raw) if tls else raw
        stream.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
        return stream.recv(9)
    return b""


def test_inner_services_refuse_strangers(server: SeaweedS3) -> None:
    base = server.state.port
    for number, name in enumerate(SERVICES):
        for tls in (False, True):
            answer = answers_to_a_stranger(base + number + GRPC, tls=tls)
            assert answer[3:4] != b"\x04", f"{name} accepts gRPC with tls={tls}: {answer!r}"
    inner = {name: base + number for number, name in enumerate(SERVICES) if name != "s3"}
    for path in ("/buckets/s3dev-ready/probe", "/dir/assign", "/dir/lookup?volumeId=1", "/1,0"):
        for name, port in inner.items():
            found = httpx.get(f"http://127.0.0.1:{port}{path}").status_code
            assert found in {400, 401, 404}, (name, path)


def test_no_other_user_can_read_the_files_of_the_server(
    server: SeaweedS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert server.folder.stat().st_mode & 0o077 == 0
    assert (server.folder / "data").stat().st_mode & 0o077 == 0
    for name in ("s3.json", "s3dev.json", "security.toml", "weed.key"):
        path = server.folder / name
        path.chmod(0o644)  # as an older version may have left it
        write_private(path, path.read_bytes())
        assert path.stat().st_mode & 0o777 == 0o600
    sockets = list(socket_path(server.state.port, "s3").parent.glob(f"*{server.state.port}*.sock"))
    assert sockets
    assert all(path.stat().st_mode & 0o077 == 0 for path in sockets)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("index.html", "text/html; charset=utf-8"),
        ("page/page.js", "text/javascript; charset=utf-8"),
        ("page/page.css", "text/css; charset=utf-8"),
        ("observatory.duckdb", "application/octet-stream"),
    ],
)
def test_objects_have_content_types_for_browsers(
    storage: Storage, tmp_path: Path, name: str, kind: str
) -> None:
    """Without a content type browsers download a page instead of showing it; copies keep it."""
    local = tmp_path / "local"
    local.write_bytes(b"one")
    storage.put_file(f"a/{name}", local)
    storage.copy(f"a/{name}", f"b/{name}")
    storage.put_bytes(f"c/{name}", b"two")
    prefix = storage.url.removeprefix(f"s3://{BUCKET}/")
    seen = boto3.client("s3")
    for folder in "abc":
        told = seen.head_object(Bucket=BUCKET, Key=f"{prefix}/{folder}/{name}")
        assert told["ContentType"] == kind


def test_a_restore_from_a_bucket_replaces_nothing_that_is_sealed(
    storage: Storage, tmp_path: Path
) -> None:
    archive = Archive(tmp_path / "archive")
    file_snapshot(archive, DAY, page=b"same")
    file_snapshot(archive, NEXT_DAY, second=b"two", page=b"same")
    sent = backup.push(archive, storage)
    assert (sent.files, sent.problems) == (2, ())
    assert backup.push(archive, storage).files == 0
    key, page = f"archive/hub/{NEXT_DAY}/{SIDECAR}", f"hub/{DAY}/page"
    digests = hashlib.sha256(b"same").hexdigest(), hashlib.sha256(b"forged").hexdigest()
    storage.put_bytes(key, storage.get_bytes(key).replace(*(d.encode() for d in digests)))
    storage.put_bytes(f"archive/{page}", b"forged")
    (problem,) = backup.push(archive, storage).problems
    assert "another sealed snapshot" in problem
    shutil.rmtree(archive.root / "hub" / str(NEXT_DAY))
    (problem,) = backup.pull(archive, storage).problems
    assert "sealed here with other bytes" in problem
    assert (archive.root / page).read_bytes() == b"same"
    fresh = Archive(tmp_path / "fresh")
    got = backup.pull(fresh, storage)
    assert got.snapshots == (f"hub/{NEXT_DAY}",)  # the forged one is whole; the first is damaged
    assert f"archive/{page} is damaged" in "".join(got.problems)


def test_the_catalog_is_attached_from_s3(
    server: SeaweedS3, storage: Storage, sampled: tuple[Path, str]
) -> None:
    """With a secret and the place as a variable; a key is never in the catalog."""
    folder = httpfs()
    release = sampled[0] / "published" / "latest"
    manifest = latest_manifest(LocalStorage(release.parent))
    assert manifest
    upload(release, manifest.model_copy(update={"shared": ()}), storage)
    place = f"{storage.url}/releases/{manifest.release_id}"
    host = server.env["AWS_ENDPOINT_URL_S3"].removeprefix("http://")
    secret = (
        f"CREATE SECRET (TYPE s3, KEY_ID '{server.env['AWS_ACCESS_KEY_ID']}', "
        f"SECRET '{server.env['AWS_SECRET_ACCESS_KEY']}', ENDPOINT '{host}', USE_SSL false, "
        "URL_STYLE 'path')"
    )
    where = f"SET VARIABLE observatory = '{place}'"
    for query in QUESTIONS:
        found = python_with(folder, ATTACHED, folder, f"{place}/{CATALOG}", secret, where, query)
        assert json.loads(found) == local(release, query)
