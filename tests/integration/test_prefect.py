"""Deployments on a real Prefect server, run by a real worker that stands in a clone of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterParentFlowRunId,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.client.schemas.objects import FlowRun

from tests.recorded_sample import DAY, write_recordings
from tests.standin import StandIn
from warehouse.code import PACKAGES

pytestmark = [pytest.mark.integration, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
FILE = "infra/prefect.yaml"
DEPLOYMENTS: dict[str, dict[str, Any]] = {
    f"{d['entrypoint'].split(':')[1].replace('_', '-')}/{d['name']}": d
    for d in yaml.safe_load((ROOT / FILE).read_text("utf-8"))["deployments"]
}
SCHEDULED = [name for name, written in DEPLOYMENTS.items() if written["schedules"]]
THE_DAY_AFTER = "2026-08-16"
T = TypeVar("T")


# --- a server, its deployments, a worker ----------------------------------------------------


def wait_for(what: str, ask: Callable[[], T | None], seconds: float = 120) -> T:
    """The first answer that is something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := ask():
            return found
        time.sleep(0.25)
    raise AssertionError(f"{what}: not within {seconds:.0f} s")


@contextmanager
def running(*command: str, log: Path, cwd: Path, env: dict[str, str]) -> Iterator[None]:
    """`prefect COMMAND` in the background, asked to stop at the end and made to after 20 s."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "prefect", *command],
            cwd=cwd,
            env=env,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def left_running(home: Path) -> list[int]:
    """Processes below one PREFECT_HOME; runs move to sessions of their own, so ask each one."""
    ours = f"PREFECT_HOME={home}".encode()
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if ours in environ.read_bytes().split(b"\0"):
                found.append(int(environ.parent.name))
    return found


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def is_healthy(api: str) -> bool:
    with suppress(Exception), SyncPrefectClient(api) as client:
        return client.api_healthcheck() is None
    return False


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment in which commands find a server that was started for these tests."""
    home, port = tmp_path_factory.mktemp("prefect"), str(free_port())
    theirs = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")} | {
        "DO_NOT_TRACK": "1",
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
    }
    start = ("server", "start", "--host", "127.0.0.1", "--port", port, "--no-ui")
    with running(*start, log=home / "server.log", cwd=home, env=theirs):
        wait_for("health of the server", lambda: is_healthy(theirs["PREFECT_API_URL"]))
        assert left_running(home) or not Path("/proc/self/environ").exists()
        yield theirs
    left = left_running(home)
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert not left, "processes outlived worker and server"


@pytest.fixture(scope="module")
def client(env: dict[str, str]) -> Iterator[SyncPrefectClient]:
    with SyncPrefectClient(env["PREFECT_API_URL"]) as client:
        yield client


@pytest.fixture(scope="module")
def deployed(env: dict[str, str]) -> None:
    """What an operator types; deploys twice, as after a change, and nothing may double."""
    deploy = ("--no-prompt", "deploy", "--all", "--prefect-file", FILE)
    for command in (("work-pool", "create", "local-process", "--type", "process"), deploy, deploy):
        done = subprocess.run(
            [sys.executable, "-m", "prefect", *command],
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recordings(tmp_path_factory.mktemp("recordings"))


@pytest.fixture(scope="module")
def clone(
    deployed: None,
    env: dict[str, str],
    recorded: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Path]:
    """A second copy of the code with a worker in its root: nothing may lead to the first one.

    A schedule that fires meanwhile finds the stand-in, not the world.
    """
    folder = tmp_path_factory.mktemp("clone")
    for package in PACKAGES:
        copied = folder / package
        shutil.copytree(ROOT / package, copied, ignore=shutil.ignore_patterns("__pycache__"))
    start = ("worker", "start", "--pool", "local-process")
    with (
        StandIn(recorded) as server,
        running(*start, log=folder / "worker.log", cwd=folder, env=env | server.exports),
    ):
        yield folder


def finished(client: SyncPrefectClient, name: str, **parameters: Any) -> FlowRun:
    """One run of a deployment, once it has ended in whatever way."""
    deployment = client.read_deployment_by_name(name)
    run = client.create_flow_run_from_deployment(deployment.id, parameters=parameters)

    def ended() -> FlowRun | None:
        now = client.read_flow_run(run.id)
        return now if now.state and now.state.is_final() else None

    return wait_for(f"the end of a run of {name}", ended, seconds=240)


def below(client: SyncPrefectClient, run: FlowRun) -> dict[str, FlowRun]:
    """The subflow runs of a run, by name."""
    parent = FlowRunFilterParentFlowRunId(any_=[run.id])
    found = client.read_flow_runs(flow_run_filter=FlowRunFilter(parent_flow_run_id=parent))
    return {child.name: child for child in found}


# --- deployments ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_the_server_has_each_deployment_as_the_file_says(
    name: str, deployed: None, client: SyncPrefectClient
) -> None:
    written, found = DEPLOYMENTS[name], client.read_deployment_by_name(name)
    for field in ("entrypoint", "description", "tags", "parameters"):
        assert getattr(found, field) == written[field], field
    assert found.work_pool_name == written["work_pool"]["name"]
    assert all(s.active for s in found.schedules)
    schedules = [{"slug": s.slug, **s.schedule.model_dump()} for s in found.schedules]
    assert schedules == [s | {"day_or": True} for s in written["schedules"]]
    assert found.global_concurrency_limit and found.global_concurrency_limit.limit == 1
    assert found.concurrency_options
    assert found.concurrency_options.collision_strategy == "ENQUEUE"
    assert str(ROOT) not in found.model_dump_json()


@pytest.mark.parametrize("name", SCHEDULED)
def test_the_scheduler_plans_runs_at_the_hour_written(
    name: str, deployed: None, client: SyncPrefectClient
) -> None:
    deployment = client.read_deployment_by_name(name)
    one = DeploymentFilter(id=DeploymentFilterId(any_=[deployment.id]))
    planned = wait_for("a planned run", lambda: client.read_flow_runs(deployment_filter=one))
    minute, hour, _, _, weekday = DEPLOYMENTS[name]["schedules"][0]["cron"].split()
    for run in planned:
        at = run.expected_start_time
        assert at is not None
        assert (at.hour, at.minute, str(at.utcoffset())) == (int(hour), int(minute), "0:00:00")
        assert weekday in ("*", str(at.isoweekday()))


# --- runs -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Released:
    run: FlowRun
    clone: Path
    place: Path

    @property
    def latest(self) -> bytes:
        return (self.place / "latest.json").read_bytes()


@pytest.fixture(scope="module")
def released(
    clone: Path,
    client: SyncPrefectClient,
    recorded: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Released:
    """The whole way once, from stand-in to release; archive and warehouse where the worker is."""
    place = tmp_path_factory.mktemp("published")
    with StandIn(recorded) as server:
        theirs = overrides(server, place)
        run = finished(client, "observatory/on-demand", as_of=DAY, overrides=theirs)
    return Released(run, clone, place)


def overrides(server: StandIn, place: Path) -> dict[str, Any]:
    return {
        "hub_url": server.url,
        "epoch_url": server.url,
        "sources": server.sources,
        "publish_to": [str(place)],
    }


def test_a_worker_runs_the_whole_way(released: Released, client: SyncPrefectClient) -> None:
    state = released.run.state
    assert state and state.is_completed(), state
    release_id = json.loads(released.latest)["release_id"]
    assert (released.place / "releases" / release_id / "manifest.json").is_file()
    assert (released.clone / "data" / "observatory.duckdb").is_file()
    assert (released.clone / "data" / "archive" / "hub" / DAY / "snapshot.json").is_file()
    names = [f"observe-{source}-{DAY}" for source in ("epoch", "hub", "lmarena")]
    children = below(client, released.run)
    assert sorted(children) == [*names, f"release-{DAY}"]
    release = FlowRunFilter(id=FlowRunFilterId(any_=[children[f"release-{DAY}"].id]))
    steps = {task.name for task in client.read_task_runs(flow_run_filter=release)}
    assert {"load_raw", "validate-raw", "transform-core", "validate-mart", "publish_to"} <= steps


def test_the_page_of_the_run_shows_headline_data_docs_and_what_the_steps_said(
    released: Released, client: SyncPrefectClient
) -> None:
    release = below(client, released.run)[f"release-{DAY}"].id
    of_the_run = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[release]))
    left = client.read_artifacts(artifact_filter=of_the_run)
    shown = {artifact.key: str(artifact.data) for artifact in left}
    assert "Share of 30-day downloads" in shown["headline"]
    assert "index.html" in shown["data-docs"]

    told = (f"hub: loaded hub/{DAY}", "core.hub_models: ", "mart: ", str(released.place))

    def all_told() -> bool:
        lines = client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[release])))
        return all(any(line.message.startswith(start) for line in lines) for start in told)

    wait_for(f"log lines {told}", all_told, seconds=20)  # the last ones come after the state


def test_a_source_that_fails_fails_the_run_and_latest_stays(
    released: Released, client: SyncPrefectClient, recorded: Path, tmp_path: Path
) -> None:
    cut = shutil.copytree(recorded, tmp_path / "cut")
    (csv,) = cut.glob("epoch/*/notable_ai_models.csv")
    csv.write_bytes(csv.read_bytes()[: csv.stat().st_size // 2])
    before = released.latest
    with StandIn(cut) as server:
        theirs = overrides(server, released.place)
        run = finished(client, "observatory/on-demand", as_of=THE_DAY_AFTER, overrides=theirs)
    assert run.state and run.state.is_failed(), run.state
    assert run.state.message
    for told in ("SourceError: epoch", "notable_ai_models.csv", "line", "what to do:"):
        assert told in run.state.message
    assert released.latest == before
    assert f"release-{THE_DAY_AFTER}" not in below(client, run)
