"""Deployments on a real Prefect server, run by a real worker in a clone of the code."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterId,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.client.schemas.objects import FlowRun

from infra.deployments import deployment_names, prefect_file
from tests.conftest import ROOT
from tests.standin import StandIn
from tests.support.prefect_server import (
    below,
    client_of,
    copy_of_the_code,
    finished,
    prefect_server,
    register,
    wait_for,
    worker,
)
from tests.support.recorded_sample import DAY, write_recordings

pytestmark = [pytest.mark.integration, pytest.mark.slow]

DEPLOYMENTS: dict[str, dict[str, Any]] = dict(
    zip(deployment_names(), prefect_file(known=())["deployments"], strict=True)
)
SCHEDULED = [name for name, written in DEPLOYMENTS.items() if written["schedules"]]
THE_DAY_AFTER = "2026-08-16"
TOKEN = "hf_of_the_tests_alone"


# --- a server, its deployments, a worker ----------------------------------------------------


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with prefect_server(tmp_path_factory.mktemp("prefect")) as env:
        yield env


@pytest.fixture(scope="module")
def client(env: dict[str, str]) -> Iterator[SyncPrefectClient]:
    with client_of(env) as client:
        yield client


@pytest.fixture(scope="module")
def deployed(env: dict[str, str]) -> None:
    """Registers twice, as an operator does after a change; nothing may be duplicated."""
    register(env | {"HF_TOKEN": TOKEN})
    register(env)


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
    """A second copy of the code with a worker in its root; nothing may use the first one.

    A schedule that fires meanwhile finds the stand-in, not the world.
    """
    folder = copy_of_the_code(tmp_path_factory.mktemp("clone"))
    with StandIn(recorded) as server, worker(folder, env | server.exports):
        yield folder


# --- deployments ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_the_server_has_each_deployment(
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
def test_the_scheduler_plans_runs_at_the_scheduled_hour(
    name: str, deployed: None, client: SyncPrefectClient
) -> None:
    deployment = client.read_deployment_by_name(name)
    one = DeploymentFilter(id=DeploymentFilterId(any_=[deployment.id]))
    planned = wait_for("a planned run", lambda: client.read_flow_runs(deployment_filter=one))
    minute, hour, _, _, weekday = DEPLOYMENTS[name]["schedules"][0]["cron"].split()
    for run in planned:
        at = run.expected_start_time
        assert at is not None
        assert (at.minute, str(at.utcoffset())) == (int(minute), "0:00:00")
        assert str(at.hour) in hour.split(",")
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
    """A complete run, from the stand-in to a release, with archive and warehouse of the worker."""
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


def test_a_worker_runs_everything(released: Released, client: SyncPrefectClient) -> None:
    state = released.run.state
    assert state and state.is_completed(), state
    release_id = json.loads(released.latest)["release_id"]
    assert (released.place / "releases" / release_id / "manifest.json").is_file()
    assert (released.clone / "data" / "observatory.duckdb").is_file()
    assert (released.clone / "data" / "archive" / "hub" / DAY / "snapshot.json").is_file()
    names = [f"observe-{source}-{DAY}" for source in ("epoch", "hub", "hub_namespaces", "lmarena")]
    children = below(client, released.run)
    assert sorted(children) == [*names, f"release-{DAY}"]
    release = FlowRunFilter(id=FlowRunFilterId(any_=[children[f"release-{DAY}"].id]))
    steps = {task.name for task in client.read_task_runs(flow_run_filter=release)}
    assert {"load_raw", "validate-raw", "transform-core", "validate-mart", "publish_to"} <= steps


def test_the_page_of_a_run_has_headline_data_docs_and_logs(
    released: Released, client: SyncPrefectClient
) -> None:
    release = below(client, released.run)[f"release-{DAY}"].id
    of_the_run = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[release]))
    left = client.read_artifacts(artifact_filter=of_the_run)
    shown = {artifact.key: str(artifact.data) for artifact in left}
    assert "Share of 30-day downloads" in shown["headline"]
    assert "index.html" in shown["data-docs"]
    assert not [key for key, data in shown.items() if "file://" in data]
    assert shown["country-shares"].startswith("data:image/png;base64,")

    told = (f"hub: loaded hub/{DAY}", "core.hub_models: ", "mart: ", str(released.place))

    def all_told() -> bool:
        lines = client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[release])))
        return all(any(line.message.startswith(start) for line in lines) for start in told)

    wait_for(f"log lines {told}", all_told, seconds=20)  # the last ones come after the state


def test_a_failed_source_fails_the_run_and_latest_is_unchanged(
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
