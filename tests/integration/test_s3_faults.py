"""Faults between boto3 and a real S3 server while a release is published.

Whatever happens, who follows latest.json gets one whole release, the publisher says what happened,
where and what to do, and the next run goes on with what is there. What was seen is written to
data/s3-faults.md.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import botocore.auth
import pytest
from boto3.s3.transfer import TransferConfig

from flows.cli.exit_codes import exit_code
from infra.s3 import SeaweedS3
from tests.conftest import ROOT
from tests.support.fault_proxy import Fault, FaultProxy, Request
from tests.support.releases import build_warehouse
from tests.support.s3_places import BUCKET, carry, copies_are, forget_aws, needs_weed, reader_sees
from tests.warehouse.releases.test_release import stage
from warehouse.releases.manifest import Manifest, ReleaseError
from warehouse.storage import s3, s3_client
from warehouse.storage.open import open_storage
from warehouse.storage.protocol import Storage, StorageError

pytestmark = [pytest.mark.integration, needs_weed]

TABLE = ROOT / "data" / "s3-faults.md"
HEAD = ("fault", "struck", "publisher", "exit", "latest.json names", "second run sent")
MIB = 1 << 20


@dataclass(frozen=True)
class Staged:
    """Two releases of a few tables; the new one has a document that is sent in three parts."""

    old: Manifest
    old_folder: Path
    new: Manifest
    new_folder: Path


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Staged:
    folder = tmp_path_factory.mktemp("staged")
    big = folder / "big.bin"
    big.write_bytes(random.Random(7).randbytes(11 * MIB))
    old_folder, new_folder = folder / "old", folder / "new"
    old = stage(build_warehouse(folder / "old.duckdb"), old_folder)
    new_database = build_warehouse(folder / "new.duckdb", models=60)
    new = stage(new_database, new_folder, documents={"big.bin": big})
    return Staged(old, old_folder, new, new_folder)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedS3]:
    with SeaweedS3(tmp_path_factory.mktemp("s3")) as running:
        running.create_bucket(BUCKET)
        yield running


@pytest.fixture(scope="module")
def seen() -> Iterator[list[tuple[str, ...]]]:
    """The results, written as a table at the end of the module."""
    rows: list[tuple[str, ...]] = []
    yield rows
    lines = [HEAD, tuple("---" for _ in HEAD), *rows]
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text("".join(f"| {' | '.join(row)} |\n" for row in lines), "utf-8")


@pytest.fixture(autouse=True)
def _settings(server: SeaweedS3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    forget_aws(monkeypatch, tmp_path)
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)
    parts = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)
    monkeypatch.setattr(s3, "PARTS", parts)
    monkeypatch.setattr(s3_client, "READ_SECONDS", 2)


class Bench:
    """Storage with the old release, behind a proxy that injects faults."""

    def __init__(self, server: SeaweedS3, staged: Staged, scratch: Path) -> None:
        self.server, self.staged, self.scratch = server, staged, scratch
        self.url = f"s3://{BUCKET}/fault-{uuid.uuid4().hex[:8]}"
        carry(self.direct, staged.old_folder, staged.old, scratch / "old")

    @property
    def direct(self) -> Storage:
        return open_storage(self.url)

    def publish(self, url: str, endpoint: str | None = None) -> Exception | None:
        """Publishes the new release, through the proxy if any. Returns the error, if any."""
        try:
            folder = self.staged.new_folder
            to = open_storage(url, endpoint=endpoint)
            carry(to, folder, self.staged.new, self.scratch / uuid.uuid4().hex)
        except (StorageError, ReleaseError) as error:
            return error
        return None

    def outcome(self, name: str, error: Exception | None, struck: int) -> tuple[str, ...]:
        """Reads the storage, publishes again without faults, and records the result."""
        names = {self.staged.old.release_id: "old", self.staged.new.release_id: "new"}
        led_to = names[reader_sees(self.direct)]
        if error is None:
            assert led_to == "new"
        else:
            assert os.environ["AWS_SECRET_ACCESS_KEY"] not in str(error)
            assert exit_code(error) == 6
        again, _ = carry(
            self.direct, self.staged.new_folder, self.staged.new, self.scratch / "again"
        )
        assert reader_sees(self.direct) == self.staged.new.release_id
        assert copies_are(self.direct, self.staged.new)
        said = "published" if error is None else " ".join(str(error).split())
        said = said.replace(self.url, "s3://…").replace("|", "/")
        sent = f"{again.uploaded_bytes:,} of {sum(e.bytes for e in self.staged.new.objects):,} B"
        code = str(0 if error is None else exit_code(error))
        return name, f"{struck}x", said, code, led_to, sent


@pytest.fixture
def bench(server: SeaweedS3, staged: Staged, tmp_path: Path) -> Bench:
    return Bench(server, staged, tmp_path)


def is_put(request: Request) -> bool:
    return request.method == "PUT"


def is_get(request: Request) -> bool:
    return request.method == "GET" and "list-type" not in request.query


def is_part(request: Request) -> bool:
    return request.is_part


def is_pointer(request: Request) -> bool:
    return request.is_pointer


# name -> (the fault, what the publisher must say; None: it must get through by itself)
FAULTS: dict[str, tuple[Callable[[], Fault], str | None]] = {
    "503 SlowDown, once": (lambda: Fault("answer", is_put, first=3, times=1), None),
    "503 SlowDown, for good": (
        lambda: Fault("answer", is_put, first=3),
        "limits the rate of requests. Wait a minute and run again",
    ),
    "500 InternalError, once": (
        lambda: Fault("answer", is_put, first=2, times=1, code="InternalError", status=500),
        None,
    ),
    "no answer to a put, once": (lambda: Fault("stall", is_put, first=3, times=1), None),
    "no answer to a put, for good": (
        lambda: Fault("stall", is_put, first=3),
        "did not respond in time",
    ),
    "reset within a multipart part, once": (
        lambda: Fault("reset", is_part, first=1, times=1, at_byte=3 * MIB),
        None,
    ),
    "reset within a multipart part, for good": (
        lambda: Fault("reset", is_part, first=1, at_byte=3 * MIB),
        "closed the connection early",
    ),
    "reset while reading back, once": (
        lambda: Fault("cut", is_get, first=3, times=1, at_byte=700),
        None,
    ),
    "reset of every answer while reading back": (
        lambda: Fault("cut", is_get, first=3, at_byte=300),
        "closed the connection early",
    ),
    "answer to the pointer's put lost, once": (
        lambda: Fault("lose", is_pointer, times=1),
        None,
    ),
    "pointer's put refused, for good": (
        lambda: Fault("answer", is_pointer),
        "limits the rate of requests",
    ),
    "disk full, as S3 words it": (
        lambda: Fault("answer", is_part, code="InsufficientStorage", status=507),
        "the server is out of disk space",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_faults_of_the_network_and_server(
    name: str, bench: Bench, seen: list[tuple[str, ...]]
) -> None:
    make, must_say = FAULTS[name]
    fault = make()
    with FaultProxy(bench.server.state.port, fault) as proxy:
        error = bench.publish(bench.url, proxy.url)
    assert fault.struck, "the fault struck nothing"
    if must_say is None:
        assert error is None, error
    else:
        assert error is not None
        assert any(words in str(error) for words in must_say.split("|")), error
    seen.append(bench.outcome(name, error, len(fault.struck)))


# --- faults that need no proxy: the server itself says no -------------------------------------


@pytest.mark.parametrize(
    ("name", "variable", "value", "must_say"),
    [
        ("wrong secret key", "AWS_SECRET_ACCESS_KEY", "wrong", "secret key does not match"),
        ("unknown access key", "AWS_ACCESS_KEY_ID", "nobody", "unknown access key"),
    ],
)
def test_wrong_credentials(
    name: str,
    variable: str,
    value: str,
    must_say: str,
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    seen: list[tuple[str, ...]],
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv(variable, value)
        error = bench.publish(bench.url)
    assert must_say in str(error)
    seen.append(bench.outcome(name, error, 1))


def test_a_wrong_clock(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, seen: list[tuple[str, ...]]
) -> None:
    real = botocore.auth.get_current_datetime

    def an_hour_late(*args: Any, **kwargs: Any) -> Any:
        return real(*args, **kwargs) - timedelta(hours=1)

    with monkeypatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", an_hour_late)
        error = bench.publish(bench.url)
    assert "the clock of this machine is wrong. Set the clock" in str(error)
    seen.append(bench.outcome("clock an hour late", error, 1))


def test_a_missing_bucket(bench: Bench, seen: list[tuple[str, ...]]) -> None:
    error = bench.publish("s3://no-such-bucket/x")
    assert "s3://no-such-bucket" in str(error)
    assert "does not exist. Create it" in str(error)
    seen.append(bench.outcome("missing bucket", error, 1))


def test_read_only_credentials(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, seen: list[tuple[str, ...]]
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", f"{bench.server.state.access_key}-reader")
        error = bench.publish(bench.url)
    assert "access denied" in str(error)
    seen.append(bench.outcome("read-only for these credentials", error, 1))


@pytest.mark.slow
@pytest.mark.parametrize("first", [1, 4, 9])
def test_a_server_that_is_killed_and_restarted(
    first: int, bench: Bench, seen: list[tuple[str, ...]]
) -> None:
    """SIGKILL before the n-th PUT is forwarded; the server is restarted at once."""
    killed = threading.Event()

    def crash() -> None:
        bench.server.stop(signal.SIGKILL)
        killed.set()

    fault = Fault("hook", is_put, first=first, times=1, hook=crash)
    with FaultProxy(bench.server.state.port, fault) as proxy, ThreadPoolExecutor(1) as pool:
        publishing = pool.submit(bench.publish, bench.url, proxy.url)
        assert killed.wait(60)
        bench.server.start()  # here: the server ends with the thread that started it
        error = publishing.result(120)
    words = (
        "cannot be reached",
        "in time",
        "closed the connection early",
        "internal error of the server",
    )
    assert error is None or any(word in str(error) for word in words)
    seen.append(bench.outcome(f"server killed before put {first + 1}, restarted", error, 1))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["before", "after"])
def test_a_server_that_is_killed_at_the_commit(
    kind: str, bench: Bench, seen: list[tuple[str, ...]]
) -> None:
    """The PUT of the pointer is the only commit: before or after it, readers see one release."""
    kill = lambda: bench.server.stop(signal.SIGKILL)  # noqa: E731
    fault = Fault("hook" if kind == "before" else "lose", is_pointer, times=1, hook=kill)
    rest = Fault("hook", lambda r: kind == "after" and bool(fault.struck), times=1, hook=kill)
    with FaultProxy(bench.server.state.port, fault, rest) as proxy:
        error = bench.publish(bench.url, proxy.url)
    bench.server.start()
    assert "cannot be reached" in str(error) or "closed the connection early" in str(error)
    row = bench.outcome(f"server killed {kind} the pointer's put", error, 1)
    assert row[4] == ("old" if kind == "before" else "new")
    seen.append(row)


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A separate small disk; skips if it cannot be mounted."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    can = shutil.which("mount") is not None
    if not can or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False)


@pytest.mark.slow
def test_a_server_with_a_full_disk(
    staged: Staged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seen: list[tuple[str, ...]]
) -> None:
    with small_disk(tmp_path / "disk", "96m") as disk, SeaweedS3(disk / "s3") as server:
        server.create_bucket(BUCKET)
        for name, value in server.env.items():
            monkeypatch.setenv(name, value)
        bench = Bench(server, staged, tmp_path)
        ballast = disk / "ballast"
        free = shutil.disk_usage(disk).free
        ballast.write_bytes(b"\0" * max(0, free - 6 * MIB))
        error = bench.publish(bench.url)
        assert error is not None, "11 MiB went onto a disk with 6"
        assert reader_sees(bench.direct) == staged.old.release_id
        ballast.unlink()
        seen.append(bench.outcome("server's disk full (real)", error, 1))


@pytest.mark.slow
def test_a_folder_on_a_full_disk(
    staged: Staged, tmp_path: Path, seen: list[tuple[str, ...]]
) -> None:
    with small_disk(tmp_path / "disk", "24m") as disk:
        place = open_storage(str(disk / "published"))
        carry(place, staged.old_folder, staged.old, tmp_path / "old")
        ballast = disk / "ballast"
        ballast.write_bytes(b"\0" * (shutil.disk_usage(disk).free - 6 * MIB))
        with pytest.raises(StorageError, match=r"No space left.*free space on its disk") as told:
            carry(place, staged.new_folder, staged.new, tmp_path / "new")
        assert reader_sees(place) == staged.old.release_id
        assert not place.unfinished()
        row = ("folder's disk full (real)", "1x", str(told.value).replace(place.url, "…"))
        seen.append((*row, str(exit_code(told.value)), "old", "all of it: no room for both"))


# --- at random ---------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_any_fault_at_any_request(seed: int, bench: Bench, seen: list[tuple[str, ...]]) -> None:
    """A seeded plan: three random faults at random requests of a publish."""
    rng = random.Random(seed)
    kinds = ("answer", "reset", "lose", "cut", "stall")
    faults = [
        Fault(
            rng.choice(kinds),
            rng.choice((is_put, is_get, is_part, lambda _: True)),
            first=rng.randrange(12),
            times=rng.choice((1, 1, 6)),
            at_byte=rng.randrange(2 * MIB),
        )
        for _ in range(3)
    ]
    with FaultProxy(bench.server.state.port, *faults) as proxy:
        error = bench.publish(bench.url, proxy.url)
    told = " + ".join(f"{f.kind} at {f.first}" for f in faults)
    struck = sum(len(f.struck) for f in faults)
    seen.append(bench.outcome(f"seed {seed}: {told}", error, struck))
