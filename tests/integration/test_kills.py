"""A hundred kills at random points of a run; two publishers at once, fifty times.

Real processes on the bundled sample, SIGKILL, a folder and a real S3 server. After every kill a
reader of latest.json gets one whole release, every byte of it verified, and readers of the
warehouse file the old one. One clean run then gives the very tables of a run that nobody disturbed,
and leaves no process and no temporary file of the killed ones.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from datetime import date, timedelta
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple

import duckdb
import pytest

from infra.s3 import SeaweedS3
from tests.support.prefect_server import wait_for
from tests.support.processes import observatory, publish_at_once, until, using
from tests.support.releases import build_warehouse
from tests.support.s3_places import (
    BUCKET,
    aws_environment,
    carry,
    copies_are,
    forget_aws,
    needs_weed,
    reader_sees,
)
from tests.warehouse.releases.test_release import stage
from warehouse.publishing.channels import latest_manifest
from warehouse.publishing.pointer import read_for_update, read_pointer, release_log
from warehouse.publishing.retention import clean, plan
from warehouse.releases.manifest import Manifest
from warehouse.storage.open import open_storage
from warehouse.storage.protocol import Storage
from warehouse.storage.scratch import NEW_SECONDS

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.exhaustive,
    pytest.mark.timeout(3600),
    needs_weed,
]

DAY = date(2026, 8, 15)
# The first in each kind of place: a hundred. A whole run also has a Prefect server.
KILLS_OF_PUBLISH, KILLS_OF_BUILD, KILLS_OF_RUN = 40, 15, 5
ROUNDS = 50
# Kills in each phase of a publish, of ten; where nothing lasts, little can go wrong.
PHASES = {"stage": 1, "upload": 3, "prove": 2, "commit": 4}
IN_TURN = [phase for phase, kills in PHASES.items() for _ in range(kills)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedS3]:
    with SeaweedS3(tmp_path_factory.mktemp("s3")) as running:
        running.create_bucket(BUCKET)
        yield running


@pytest.fixture(params=["folder", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "folder":
        return str(tmp_path / "published")
    return f"s3://{BUCKET}/{tmp_path.name.lower().replace('_', '-')}"


@pytest.fixture
def env(server: SeaweedS3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    forget_aws(monkeypatch, tmp_path)
    variables = aws_environment(server)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


class World(NamedTuple):
    """A copy of the replayed sample, and the storage that processes publish it to."""

    folder: Path
    url: str
    env: dict[str, str]
    storage: Storage

    @property
    def scratch(self) -> Path:
        """TMPDIR of the processes."""
        return self.folder / "scratch"

    def run(self, name: str, *more: str) -> BaseProcess:
        """`observatory NAME` on this warehouse and storage."""
        self.scratch.mkdir(exist_ok=True)
        places = [f"--warehouse={self.folder / 'observatory.duckdb'}", f"--publish-to={self.url}"]
        env = self.env | {"TMPDIR": str(self.scratch)}
        return observatory([name, *places, *more], env, self.folder / "said.log")

    def finish(self, name: str, *more: str) -> None:
        """The same, without interruption."""
        process = self.run(name, *more)
        process.join(600)
        assert process.exitcode == 0, (self.folder / "said.log").read_text()

    def look_from(self, day: date) -> None:
        """Changes the day of the warehouse, so that the next publish is a new release."""
        with duckdb.connect(str(self.folder / "observatory.duckdb")) as con:
            con.execute("UPDATE meta.build SET as_of = ?", [day])


@pytest.fixture
def world(sampled: tuple[Path, str], tmp_path: Path, url: str, env: dict[str, str]) -> World:
    folder = shutil.copytree(sampled[0], tmp_path / "world", ignore=_published)
    return World(folder, url, env, open_storage(url))


def _published(_: str, names: list[str]) -> set[str]:
    return {"published"} & set(names)


class Watch:
    """When each phase of a publish starts, as seen in storage."""

    def __init__(self, storage: Storage) -> None:
        self._storage, self._before = storage, read_for_update(storage, "latest").version
        self._leases = self._marks("leases/")

    def _marks(self, prefix: str) -> set[tuple[str, str]]:
        return {(o.key, str(o.modified)) for o in self._storage.listing(prefix)}

    def has_begun(self, phase: str) -> bool:
        if phase == "stage":
            return True
        if phase == "upload":
            return self._marks("leases/") != self._leases
        if phase == "prove":
            new = self._marks("leases/") - self._leases
            ids = [key.removeprefix("leases/").removesuffix(".json") for key, _ in new]
            return any(self._storage.size(f"releases/{i}/manifest.json") for i in ids)
        return read_for_update(self._storage, "latest").version != self._before


def measure(world: World) -> dict[str, float]:
    """How long each phase of an uninterrupted publish takes, in seconds."""
    watch, process, at = Watch(world.storage), world.run("publish"), {}
    for phase in PHASES:
        until(partial(watch.has_begun, phase), process)
        at[phase] = time.monotonic()
    process.join(600)
    assert process.exitcode == 0, (world.folder / "said.log").read_text()
    ends = [*list(at.values())[1:], time.monotonic()]
    return {phase: end - begin for (phase, begin), end in zip(at.items(), ends, strict=True)}


def kill(process: BaseProcess) -> bool:
    """SIGKILL; False if the process had ended by itself."""
    alive = process.is_alive()
    if alive and process.pid:
        os.kill(process.pid, signal.SIGKILL)
    process.join(60)
    return alive and process.exitcode == -signal.SIGKILL


def test_kills_of_publish(world: World, sampled: tuple[Path, str]) -> None:
    rng = random.Random(6)
    world.finish("publish")
    released = {reader_sees(world.storage)}
    world.look_from(DAY + timedelta(days=1))
    lasts = measure(world)
    seen: list[tuple[str, bool]] = []
    while len(seen) < KILLS_OF_PUBLISH:
        world.look_from(DAY + timedelta(days=2 + len(seen)))
        phase = IN_TURN[len(seen) * 7 % len(IN_TURN)]
        watch, before = Watch(world.storage), read_pointer(world.storage)
        process = world.run("publish")
        until(partial(watch.has_begun, phase), process)
        time.sleep(rng.random() * lasts[phase])
        if not kill(process):
            reader_sees(world.storage)
            continue
        now = reader_sees(world.storage)
        seen.append((phase, before is not None and now != before.release_id))
        released.add(now)
    assert {moved for phase, moved in seen if phase == "commit"} == {True}
    assert {moved for phase, moved in seen if phase == "stage"} == {False}
    world.look_from(DAY)
    _wait_until_old(world.scratch)
    world.finish("publish", "--allow-older")
    undisturbed = latest_manifest(open_storage(str(sampled[0] / "published")))
    _assert_as_if_nothing_had_happened(world, undisturbed)
    assert {p.release_id for p in release_log(world.storage, "latest")} >= released


@pytest.mark.parametrize("whole", [False, True], ids=["replay", "run"])
def test_kills_of_build(
    whole: bool, sampled: tuple[Path, str], tmp_path: Path, env: dict[str, str]
) -> None:
    rng = random.Random(7)
    folder = shutil.copytree(sampled[0], tmp_path / "world", ignore=_published)
    url = str(tmp_path / "published")
    world = World(folder, url, env, open_storage(url))
    command = ("replay", f"--archive={folder / 'archive'}", f"--as-of={DAY}")
    if whole:
        world.env["PREFECT_HOME"] = str(folder / "prefect")
        command = ("run", "--sample")
    began = time.monotonic()
    world.finish(*command)
    span = time.monotonic() - began
    warehouse, left = folder / "observatory.duckdb", KILLS_OF_RUN if whole else KILLS_OF_BUILD
    while left:
        process = world.run(*command)
        process.join(rng.random() * span)
        left -= kill(process)
        reader_sees(world.storage)
        with duckdb.connect(str(warehouse), read_only=True) as con:
            assert con.execute("SELECT as_of FROM meta.build").fetchall() == [(DAY,)]
            con.execute("SELECT count(*) FROM mart.country_share_daily").fetchall()
    _wait_until_old(world.scratch)
    world.finish(*command)
    undisturbed = latest_manifest(open_storage(str(sampled[0] / "published")))
    _assert_as_if_nothing_had_happened(world, undisturbed)


def _wait_until_old(scratch: Path) -> None:
    """Until all that killed processes left may be removed: younger folders may be in use."""
    newest = max((path.lstat().st_mtime for path in scratch.iterdir()), default=0)
    time.sleep(max(0, newest + NEW_SECONDS + 1 - time.time()))


def _assert_as_if_nothing_had_happened(world: World, undisturbed: Manifest | None) -> None:
    assert [path.name for path in world.scratch.iterdir()] == []
    assert [path.name for path in world.folder.glob(".observatory.duckdb.*.build*")] == []
    wait_for("the end of all processes", lambda: not using(world.folder), seconds=30)
    manifest = latest_manifest(world.storage)
    assert manifest is not None
    assert undisturbed is not None
    digests = {table.name: table.sha256 for table in manifest.tables}
    assert digests == {table.name: table.sha256 for table in undisturbed.tables}
    assert reader_sees(world.storage) == manifest.release_id
    assert copies_are(world.storage, manifest)
    time.sleep(1.1)  # the times of S3 have a resolution of one second
    clean(world.storage, keep=1, grace=timedelta(0))
    left = plan(world.storage, keep=1, grace=timedelta(0))
    assert (left.unfinished, left.uploads, left.expired) == ((), (), ())
    assert reader_sees(world.storage) == manifest.release_id


# --- two at once -------------------------------------------------------------------------------


def test_two_publishers_at_once(url: str, env: dict[str, str], tmp_path: Path) -> None:
    """Both read the same pointer and try to move it: one succeeds, the other fails."""
    folders = [tmp_path / str(n) for n in range(4)]
    manifests = [
        stage(build_warehouse(tmp_path / f"{n}.duckdb", models=50 + n), folder)
        for n, folder in enumerate(folders)
    ]
    storage = open_storage(url)
    for folder, manifest in zip(folders, manifests, strict=True):
        carry(storage, folder, manifest, tmp_path / f"back-{folder.name}")
    by_id = {m.release_id: m for m in manifests}
    for number in range(ROUNDS):
        pair = folders[2:] if number % 2 else folders[:2]  # never the current release
        logs = [tmp_path / "first.log", tmp_path / "second.log"]
        codes = publish_at_once(pair, url, env, logs)
        assert set(codes) == {0, 6}, [log.read_text() for log in logs]
        told = logs[codes.index(6)].read_text()
        assert "another publisher moved the pointer first" in told
        assert "Run again" in told
        pointer = read_pointer(storage)
        assert pointer is not None
        assert pointer.moved_by == str(pair[codes.index(0)])
        assert pointer.sequence == len(folders) + 1 + number
        assert copies_are(storage, by_id[reader_sees(storage)])
    assert [p.sequence for p in release_log(storage, "latest")] == list(range(1, ROUNDS + 5))


def test_two_publishers_of_one_release_both_succeed(
    url: str, env: dict[str, str], tmp_path: Path
) -> None:
    storage, folders = open_storage(url), [tmp_path / "a", tmp_path / "b"]
    manifests = [
        stage(build_warehouse(tmp_path / f"{folder.name}.duckdb"), folder) for folder in folders
    ]
    logs = [tmp_path / "first.log", tmp_path / "second.log"]
    codes = publish_at_once(folders, url, env, logs)
    assert codes == [0, 0], [log.read_text() for log in logs]
    assert reader_sees(storage) == manifests[0].release_id == manifests[1].release_id
    assert len(release_log(storage, "latest")) == 1


def test_whole_processes_at_once(world: World) -> None:
    """Two `observatory publish` processes start at the same time, as on two machines."""
    other = World(world.folder.with_name("other"), *world[1:])
    shutil.copytree(world.folder, other.folder)
    world.finish("publish")
    moves = 1
    for number in range(5):
        for offset, one in enumerate((world, other)):
            one.look_from(DAY + timedelta(days=1 + 2 * number + offset))
        processes = [one.run("publish") for one in (world, other)]
        for process in processes:
            process.join(600)
        codes = [process.exitcode for process in processes]
        assert set(codes) <= {0, 6}
        assert 0 in codes
        moves += codes.count(0)
        assert len(release_log(world.storage, "latest")) == moves
        manifest = latest_manifest(world.storage)
        assert manifest is not None
        assert reader_sees(world.storage) == manifest.release_id
        assert copies_are(world.storage, manifest)
