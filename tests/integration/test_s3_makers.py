"""S3 servers that differ from AWS: publishing holds its promises there, or refuses and says why."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from infra.s3 import SeaweedS3
from tests.support.other_s3 import OtherS3, Way
from tests.support.releases import build_warehouse
from tests.support.s3_places import BUCKET, carry, forget_aws, needs_weed, reader_sees
from tests.warehouse.releases.test_release import stage
from warehouse.publishing.channels import set_pointer
from warehouse.releases.manifest import Manifest
from warehouse.storage import s3_conditions
from warehouse.storage.files import sha256
from warehouse.storage.open import open_storage
from warehouse.storage.protocol import Digest, StorageError, UnsupportedError

pytestmark = [pytest.mark.integration, pytest.mark.slow, needs_weed]

Open = Callable[[Way], AbstractContextManager[OtherS3]]
LOST = "two publishers can overwrite each other's release unnoticed"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedS3]:
    with SeaweedS3(tmp_path_factory.mktemp("s3")) as s3:
        s3.create_bucket(BUCKET)
        yield s3


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    folder = tmp_path_factory.mktemp("release")
    big = folder / "big.bin"
    big.write_bytes(random.Random(3).randbytes(17 << 20))  # sent in two parts
    database = build_warehouse(folder / "wh.duckdb")
    return folder / "staged", stage(database, folder / "staged", documents={"big.bin": big})


@pytest.fixture
def other(server: SeaweedS3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Open:
    forget_aws(monkeypatch, tmp_path)

    def start(way: Way) -> OtherS3:
        found = OtherS3(server, way, tmp_path)
        settings = server.env | {
            "AWS_ENDPOINT_URL_S3": found.url,
            "AWS_CA_BUNDLE": str(found.certificate),
        }
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        return found

    return start


@pytest.mark.parametrize("way", ["has no trailers", "has no checksums"])
def test_a_release_is_published_without_trailers(
    other: Open, release: tuple[Path, Manifest], tmp_path: Path, way: Way
) -> None:
    folder, manifest = release
    with other(way) as server:
        storage = open_storage(f"s3://{BUCKET}/{way.replace(' ', '-')}")
        carry(storage, folder, manifest, tmp_path / "back")
        assert reader_sees(storage) == manifest.release_id
        entry = next(e for e in manifest.objects if e.path == "big.bin")
        digest = Digest(entry.bytes, entry.sha256)
        assert storage.holds(f"releases/{manifest.release_id}/big.bin", digest)
        puts = [headers for headers in server.seen if headers["request"].startswith("PUT")]
        assert not any("x-amz-trailer" in headers for headers in puts)
        assert not any("aws-chunked" in headers.get("content-encoding", "") for headers in puts)
        signed = [h for h in puts if "partNumber" in h["request"]]
        assert len(signed) == 2
        assert all(len(h["x-amz-content-sha256"]) == 64 for h in signed)
        if way == "has no trailers":
            assert all("x-amz-checksum-sha256" in headers for headers in signed)
        else:  # found out once, then left out
            refused = [h for h in puts if "x-amz-checksum-sha256" in h]
            assert len(refused) == 1


def test_when_required_is_obeyed(
    other: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "big.bin"
    path.write_bytes(os.urandom(17 << 20))
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
    monkeypatch.setenv("AWS_RESPONSE_CHECKSUM_VALIDATION", "when_required")
    with other("as AWS") as server:
        storage = open_storage(f"s3://{BUCKET}/required")
        storage.put_file("big", path)
        assert storage.put_bytes("small", b"x", if_absent=True)
        storage.download("big", tmp_path / "back")
        named = [name for h in server.seen for name in h if "checksum" in name]
        assert named == []
        assert storage.holds("small", Digest(1, sha256(b"x")))
    assert (tmp_path / "back").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("way", ["ignores conditions", "has no conditions"])
def test_publishing_without_conditions_is_refused_before_anything_is_sent(
    other: Open, release: tuple[Path, Manifest], tmp_path: Path, way: Way
) -> None:
    folder, manifest = release
    with other(way):
        storage = open_storage(f"s3://{BUCKET}/{way.replace(' ', '-')}")
        with pytest.raises(StorageError, match=LOST):
            carry(storage, folder, manifest, tmp_path / "back")
        with pytest.raises(StorageError, match=LOST):
            set_pointer(storage, manifest.release_id)
        assert storage.keys() == []


@pytest.mark.parametrize("way", ["ignores conditions", "has no conditions"])
def test_publishing_without_conditions_warns_on_every_run_if_it_is_allowed(
    other: Open,
    release: tuple[Path, Manifest],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    way: Way,
) -> None:
    folder, manifest = release
    monkeypatch.setenv(s3_conditions.ALLOW, "1")
    caplog.set_level(logging.WARNING)
    with other(way):
        for run in range(2):
            monkeypatch.setattr(s3_conditions, "_faults", {})  # a new process
            storage = open_storage(f"s3://{BUCKET}/{way.replace(' ', '-')}-allowed")
            carry(storage, folder, manifest, tmp_path / f"back{run}")
        assert reader_sees(storage) == manifest.release_id
        assert caplog.text.count(LOST) == 2
        assert not storage.put_bytes("latest.json", b"x", if_absent=True)
        assert not storage.swap("latest.json", b"x", '"stale"')
        assert storage.swap(
            "latest.json", b"x", (storage.get_version("latest.json") or (b"", ""))[1]
        )
        assert storage.keys("probes/") == []


def test_a_server_with_conditions_is_asked_once(
    other: Open, caplog: pytest.LogCaptureFixture
) -> None:
    with other("as AWS") as server:
        url = f"s3://{BUCKET}/asked-once"
        for number in range(3):
            assert open_storage(url).put_bytes(f"k{number}", b"x", if_absent=True)
        probes = [h for h in server.seen if "/probes/" in h["request"]]
        assert [h["request"].split()[0] for h in probes].count("DELETE") == 1
        assert open_storage(url).keys() == ["k0", "k1", "k2"]
    assert caplog.text == ""


def test_a_rejected_signature_is_not_blamed_on_the_keys(other: Open) -> None:
    with other("rejects one signature"):
        storage = open_storage(f"s3://{BUCKET}/signature")
        storage.put_bytes("a", b"x")
        with pytest.raises(UnsupportedError, match="accepts these keys but rejects") as told:
            storage.put_bytes("b", b"x")
        assert "Invalid argument" in str(told.value)
        assert "AWS_SECRET" not in str(told.value)


def test_an_unknown_certificate_is_an_error(other: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    with other("as AWS"):
        monkeypatch.delenv("AWS_CA_BUNDLE")
        with pytest.raises(StorageError, match=r"TLS certificate .* AWS_CA_BUNDLE"):
            open_storage(f"s3://{BUCKET}/x").get_bytes("k")
