"""The automations and the compose file, as they are written."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
import yaml
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import EventTrigger, Posture

from infra.automations import PREFIX, automations
from infra.deployments import prefect_file
from tests.conftest import ROOT

ALL = {a.name.removeprefix(PREFIX): a for a in automations(None)}
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "infra/compose.yaml").read_text("utf-8"))
ENDS = {"Cancelled", "Completed", "Crashed", "CrashedOnce", "CrashedTwice", "Failed", "TimedOut"}


def trigger(name: str) -> EventTrigger:
    found = ALL[name].trigger
    assert isinstance(found, EventTrigger)
    return found


def change(name: str) -> ChangeFlowRunState:
    (action,) = ALL[name].actions
    assert isinstance(action, ChangeFlowRunState)
    return action


def test_every_automation_has_the_prefix_by_which_stale_ones_are_found() -> None:
    assert all(a.name.startswith(PREFIX) for a in automations(None))


@pytest.mark.parametrize("name", ["silent-run-crashed", "stranded-run-crashed"])
def test_a_run_that_ended_is_never_marked_as_crashed(name: str) -> None:
    assert not change(name).force
    assert {f"prefect.flow-run.{end}" for end in ENDS} <= trigger(name).expect
    assert trigger(name).after <= trigger(name).expect, "a later sign must open the window anew"


def test_a_step_may_hold_the_interpreter_for_100_seconds() -> None:
    place = prefect_file()["definitions"]["place"]["job_variables"]["env"]
    between = int(place["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"])
    assert trigger("silent-run-crashed").within > timedelta(seconds=100 + 2 * between)


def test_a_crashed_run_starts_twice_again_with_growing_waits() -> None:
    starts = [
        n for n, a in ALL.items() for x in a.actions if getattr(x, "state", "") == "SCHEDULED"
    ]
    assert starts == ["second-start", "third-start"]
    waits = [trigger(name).within for name in starts]
    assert timedelta(seconds=30) < waits[0] < waits[1]
    assert all(trigger(name).posture == Posture.Proactive for name in starts)
    assert [trigger(name).after for name in starts] == [
        {f"prefect.flow-run.{change(name).name}"} for name in ("first-crash", "second-crash")
    ]
    assert change("third-crash").state == "FAILED"


def test_ports_are_bound_to_loopback() -> None:
    ports = [port for s in COMPOSE["services"].values() for port in s.get("ports", [])]
    assert ports
    assert all(str(port).startswith("127.0.0.1:") for port in ports)


def test_no_password_has_a_default() -> None:
    text = (ROOT / "infra/compose.yaml").read_text("utf-8")
    for name in ("POSTGRES_PASSWORD", "PREFECT_PASSWORD", "AWS_SECRET_ACCESS_KEY"):
        assert f"${{{name}:?" in text
        assert not re.search(rf"\$\{{{name}:?-", text)
        assert f"{name}=%s" in text, "the first lines say how to make it"


def test_the_server_has_an_auth_string_and_one_origin_and_the_worker_knows_the_string() -> None:
    server, worker = (COMPOSE["services"][s]["environment"] for s in ("server", "worker"))
    assert server["PREFECT_SERVER_API_AUTH_STRING"].startswith("observatory:${PREFECT_PASSWORD")
    assert worker["PREFECT_API_AUTH_STRING"] == "observatory:${PREFECT_PASSWORD}"
    assert server["PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS"] == "http://127.0.0.1:4200"
