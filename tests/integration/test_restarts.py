"""Runs that crash, stall or end well on a real server, with the automations of the project.

The automations have short windows here, so that a test takes seconds; all else is as registered.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import FlowRun
from prefect.events import Event, RelatedResource
from prefect.events.clients import PrefectEventsClient
from prefect.events.schemas.automations import EventTrigger, Posture
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings
from prefect.states import Completed, Crashed, Failed, Pending, Running
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from infra.automations import automations
from infra.register import _template
from tests.support.prefect_server import client_of, prefect_server, wait_for, worker

pytestmark = [pytest.mark.integration, pytest.mark.slow]

WINDOW = timedelta(seconds=10)  # Prefect allows no less
TAGS = ["observatory", "again-after-crash"]
ELSEWHERE = "http://a-page-in-the-browser.example"


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with prefect_server(tmp_path_factory.mktemp("prefect")) as env:
        values = {
            PREFECT_API_URL: env["PREFECT_API_URL"],
            PREFECT_API_AUTH_STRING: env["PREFECT_API_AUTH_STRING"],
        }
        with temporary_settings(values):
            yield env


@pytest.fixture(scope="module")
def client(env: dict[str, str]) -> Iterator[SyncPrefectClient]:
    with client_of(env) as client:
        yield client


@pytest.fixture(scope="module")
def deployment(client: SyncPrefectClient) -> UUID:
    """One deployment of a process pool, and the automations with short windows."""
    for automation in automations(None):
        if getattr(automation.trigger, "posture", None) == Posture.Proactive:
            assert isinstance(automation.trigger, EventTrigger)
            automation.trigger.within = WINDOW
        automation.create()
    pool = WorkPoolCreate(
        name="local-process", type="process", base_job_template=_template("process")
    )
    client.create_work_pool(pool)
    return client.create_deployment(
        flow_id=client.create_flow_from_name("observe-source"),
        name="of-the-tests",
        entrypoint="flows/pipeline.py:observe_source",
        pull_steps=[{"prefect.deployments.steps.set_working_directory": {"directory": "."}}],
        job_variables={"working_dir": "."},
        work_pool_name="local-process",
        tags=TAGS,
    )


def names(client: SyncPrefectClient, run: FlowRun) -> list[str]:
    return [state.name or "" for state in client.read_flow_run_states(run.id)]


def reached(client: SyncPrefectClient, run: FlowRun, state: str, seconds: float = 90) -> list[str]:
    """The names of all states of a run, after it reached one."""
    wait_for(state, lambda: state in names(client, run) or None, seconds=seconds)
    return names(client, run)


def beat(run: FlowRun, at: datetime) -> None:
    """A heartbeat as a run sends it, at any time."""
    ids = [f"deployment:prefect.deployment.{run.deployment_id}"]
    ids += [f"tag:prefect.tag.{tag}" for tag in TAGS]
    related = [
        RelatedResource({"prefect.resource.role": role, "prefect.resource.id": of})
        for role, of in (one.split(":") for one in ids)
    ]
    event = Event(
        occurred=at,
        event="prefect.flow-run.heartbeat",
        resource={"prefect.resource.id": f"prefect.flow-run.{run.id}"},
        related=related,
    )

    async def emit() -> None:
        async with PrefectEventsClient() as events:
            await events.emit(event)

    asyncio.run(emit())


def started(client: SyncPrefectClient, deployment: UUID) -> FlowRun:
    """A run that no worker takes, in Running."""
    run = client.create_flow_run_from_deployment(deployment, state=Pending())
    client.set_flow_run_state(run.id, Running())
    beat(run, datetime.now(UTC))
    return run


# --- crashes --------------------------------------------------------------------------------


def test_a_run_that_crashes_before_its_first_line_starts_three_times_and_fails(
    env: dict[str, str], client: SyncPrefectClient, deployment: UUID, tmp_path: Path
) -> None:
    """The worker's folder is no clone, so that the flow cannot be imported."""
    with worker(tmp_path, env | {"PYTHONPATH": ""}):
        run = client.create_flow_run_from_deployment(deployment)
        found = reached(client, run, "Failed", seconds=240)
    assert [found.count(s) for s in ("Scheduled", "Crashed", "CrashedOnce", "CrashedTwice")] == [
        3,
        3,
        1,
        1,
    ]
    assert client.read_flow_run(run.id).run_count == 0
    # A retry by hand that crashes, too, is not followed by automatic ones.
    client.set_flow_run_state(run.id, Running(), force=True)
    client.set_flow_run_state(run.id, Crashed())
    with pytest.raises(AssertionError, match="not within"):
        wait_for("a restart", lambda: names(client, run)[-1] != "Crashed" or None, seconds=15)


def test_a_stranded_run_is_noticed_and_starts_again(
    client: SyncPrefectClient, deployment: UUID
) -> None:
    run = client.create_flow_run_from_deployment(deployment, state=Pending())
    client.set_flow_run_state(run.id, Pending(name="Submitting"))
    assert reached(client, run, "Scheduled")[-4:] == [
        "Submitting",
        "Crashed",
        "CrashedOnce",
        "Scheduled",
    ]
    # It is stranded once more: the window opens anew.
    client.set_flow_run_state(run.id, Pending())
    reached(client, run, "CrashedTwice")


def test_a_silent_run_is_noticed(client: SyncPrefectClient, deployment: UUID) -> None:
    reached(client, started(client, deployment), "CrashedOnce")


def test_runs_that_ended_well_stay_as_they_are_when_heartbeats_are_late(
    client: SyncPrefectClient, deployment: UUID
) -> None:
    runs = {name: started(client, deployment) for name in ("Completed", "Failed", "TimedOut")}
    for name, run in runs.items():
        before = datetime.now(UTC)
        end = Completed() if name == "Completed" else Failed(name=name)
        client.set_flow_run_state(run.id, end)
        beat(run, before)
        beat(run, datetime.now(UTC))  # between the end of the run and that of its process
    silent = started(client, deployment)
    reached(client, silent, "CrashedOnce")
    wait_for("a second window", lambda: "Scheduled" in names(client, silent) or None)
    for name, run in runs.items():
        assert names(client, run) == ["Pending", "Running", name]


# --- who may use the API --------------------------------------------------------------------


def test_the_api_refuses_requests_without_the_auth_string(env: dict[str, str]) -> None:
    url = env["PREFECT_API_URL"]
    wrong = base64.b64encode(b"observatory:wrong").decode()
    for headers in ({}, {"Authorization": f"Basic {wrong}"}):
        for path in ("/block_documents/filter", "/deployments/filter", "/flow_runs/filter"):
            answer = httpx.post(url + path, json={}, headers=headers)
            assert answer.status_code == 401, path
    socket = url.replace("http", "ws", 1) + "/events/in"
    with connect(socket, subprotocols=["prefect"]) as opened:  # type: ignore[list-item]
        opened.send(json.dumps({"type": "auth", "token": "observatory:wrong"}))
        with pytest.raises(ConnectionClosed):
            opened.recv(timeout=20)


def test_the_api_refuses_other_origins(env: dict[str, str]) -> None:
    url = env["PREFECT_API_URL"]
    ours = url.removesuffix("/api")

    def preflight(origin: str) -> httpx.Response:
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        return httpx.options(f"{url}/block_documents/filter", headers=asked)

    assert preflight(ELSEWHERE).status_code == 400
    assert "access-control-allow-origin" not in preflight(ELSEWHERE).headers
    assert preflight(ours).headers["access-control-allow-origin"] == ours
    token = base64.b64encode(env["PREFECT_API_AUTH_STRING"].encode()).decode()
    headers = {"Origin": ELSEWHERE, "Authorization": f"Basic {token}"}
    answer = httpx.get(f"{url}/admin/version", headers=headers)
    assert "access-control-allow-origin" not in answer.headers, "a browser hides it from the page"
