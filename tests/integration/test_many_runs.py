"""A thousand short runs on one server with SQLite: none that ended is started again.

The automations are as registered. The runs follow one another; their states and heartbeats are sent
as a worker and a run send them. Some fail, some time out, some send a heartbeat after their end.

Prefect 3.9 loses events on SQLite if it is busy: evaluating an automation that waits for events
reads and then writes, which fails at once if another request wrote in between.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.events import Event, RelatedResource
from prefect.events.clients import PrefectEventsClient
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings
from prefect.states import Completed, Failed, Pending, Running, State

from infra.automations import automations
from tests.support.prefect_server import prefect_server

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.exhaustive,
    pytest.mark.timeout(4 * 3600),
]

RUNS, PAUSE = 1000, 1.5  # seconds between two runs, which a small server can bear
TAGS = ["observatory", "again-after-crash"]
WINDOW = 330  # seconds, after which the automation for silent runs has judged every run
LOCKED = "database is locked"
LOST = re.compile(r"dead letter queue|dropping \d+ events|dropping message")


@pytest.fixture
def server_log(tmp_path: Path) -> Iterator[Path]:
    with prefect_server(tmp_path) as env:
        values = {
            PREFECT_API_URL: env["PREFECT_API_URL"],
            PREFECT_API_AUTH_STRING: env["PREFECT_API_AUTH_STRING"],
        }
        with temporary_settings(values):
            yield tmp_path / "server.log"


def end_of(number: int) -> State:
    """Of a thousand runs 20 fail and 15 time out."""
    if number % 50 == 7:
        return Failed()
    return Failed(name="TimedOut") if number % 67 == 9 else Completed()


def heartbeat(run: FlowRun, deployment: UUID) -> Event:
    ids = [("deployment", f"prefect.deployment.{deployment}")]
    ids += [("tag", f"prefect.tag.{tag}") for tag in TAGS]
    return Event(
        occurred=datetime.now(UTC),
        event="prefect.flow-run.heartbeat",
        resource={"prefect.resource.id": f"prefect.flow-run.{run.id}"},
        related=[
            RelatedResource({"prefect.resource.role": role, "prefect.resource.id": of})
            for role, of in ids
        ],
    )


async def run_all(seen: list[tuple[str, list[str | None]]]) -> None:
    """Every run to its end; then, after the windows, the expected end and the states of each."""
    async with get_client() as client, PrefectEventsClient() as events:
        flow = await client.create_flow_from_name("short")
        deployment = await client.create_deployment(flow_id=flow, name="of-the-tests", tags=TAGS)
        runs = [await run_one(client, events, deployment, number) for number in range(RUNS)]
        await asyncio.sleep(WINDOW)
        for number, run in enumerate(runs):
            states = [state.name for state in await client.read_flow_run_states(run.id)]
            seen.append((str(end_of(number).name), states))


async def run_one(
    client: PrefectClient, events: PrefectEventsClient, deployment: UUID, number: int
) -> FlowRun:
    run = await client.create_flow_run_from_deployment(deployment, state=Pending())
    await client.set_flow_run_state(run.id, Running())
    await events.emit(heartbeat(run, deployment))
    await client.set_flow_run_state(run.id, end_of(number))
    if number % 10 == 0:
        await events.emit(heartbeat(run, deployment))
    await asyncio.sleep(PAUSE)
    return run


def test_no_run_that_ended_is_started_again(server_log: Path) -> None:
    for automation in automations(None):
        automation.create()
    seen: list[tuple[str, list[str | None]]] = []
    began = time.monotonic()
    asyncio.run(run_all(seen))
    told = server_log.read_text("utf-8", "replace")
    print(f"{RUNS} runs in {time.monotonic() - began - WINDOW:.0f} s,", told.count(LOCKED), LOCKED)
    print(Counter(end for end, _ in seen), "lost:", len(LOST.findall(told)))
    assert len(seen) == RUNS
    assert [(end, names) for end, names in seen if names != ["Pending", "Running", end]] == []
