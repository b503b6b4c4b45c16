"""The flows under Prefect: retries, failing sources, and runs without a configured server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.settings import DEFAULT_SOURCES
from flows.sources.http import TRIES, SourceError
from infra.deployments import prefect_file
from tests.conftest import ROOT
from tests.standin import Answer, Call, StandIn
from tests.support.recorded_sample import DAY, write_recordings
from warehouse.archive.archive import Archive

AS_OF = date.fromisoformat(DAY)
NOTABLE = "/data/epochdb/notable_ai_models.csv"


class BadLine(StandIn):
    """Garbles the first responses for one file, as a bad connection or proxy does."""

    def __init__(self, folder: Path, garbled: int) -> None:
        super().__init__(folder)
        self.garbled = garbled

    def answer(self, call: Call) -> Answer:
        if call.target == NOTABLE and self.garbled:
            self.garbled -= 1
            return Answer(200, b"\x1f\x8b is no gzip", {"Content-Encoding": "gzip"})
        return super().answer(call)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recordings(tmp_path_factory.mktemp("recordings"))


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Any]:
    """flows.pipeline with its own Prefect server and short waits between retries."""
    from prefect.testing.utilities import prefect_test_harness

    from flows import pipeline as flows

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DO_NOT_TRACK", "1")
        patch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
        hurried = flows.observe_task.with_options(retry_delay_seconds=0.1)
        patch.setattr(flows, "observe_task", hurried)
        with prefect_test_harness(server_startup_timeout=120):
            yield flows


def overrides(server: StandIn, folder: Path, sources: str = "epoch") -> dict[str, Any]:
    """Settings as the command line and deployments pass them: plain values by name."""
    return {
        "archive": str(folder / "archive"),
        "warehouse": str(folder / "observatory.duckdb"),
        "docs": str(folder / "validation"),
        "publish_to": [str(folder / "published")],
        "hub_url": server.url,
        "epoch_url": server.url,
        "http_first_wait_seconds": 0.01,
        "sources": sources.split(","),
    }


def asked(server: StandIn, path: str = NOTABLE) -> int:
    return sum(request.path == path for request in server.requests)


# --- retries --------------------------------------------------------------------------------


def test_a_transient_fault_is_retried(pipeline: Any, recorded: Path, tmp_path: Path) -> None:
    with BadLine(recorded, garbled=1) as server:
        state = pipeline.observe_source(
            "epoch", AS_OF, overrides(server, tmp_path), return_state=True
        )
    assert state.is_completed()
    assert state.result() == f"epoch/{DAY}"
    assert asked(server) == 2
    assert Archive(tmp_path / "archive").snapshot("epoch", AS_OF)


def test_a_permanent_fault_fails_the_run_after_the_last_retry(
    pipeline: Any, recorded: Path, tmp_path: Path
) -> None:
    with (
        BadLine(recorded, garbled=99) as server,
        pytest.raises(SourceError, match=r"epoch: no response after retries"),
    ):
        pipeline.observe_source("epoch", AS_OF, overrides(server, tmp_path))
    assert asked(server) == TRIES * (1 + pipeline.RETRIES)
    assert Archive(tmp_path / "archive").snapshots() == []


def test_a_renamed_column_is_not_retried(pipeline: Any, recorded: Path, tmp_path: Path) -> None:
    renamed = shutil.copytree(recorded, tmp_path / "recorded")
    (csv,) = renamed.glob("epoch/*/notable_ai_models.csv")
    csv.write_bytes(csv.read_bytes().replace(b"Publication date", b"Released", 1))
    with StandIn(renamed) as server, pytest.raises(SourceError, match="Publication date"):
        pipeline.observe_source("epoch", AS_OF, overrides(server, tmp_path))
    assert asked(server) == 1


# --- complete runs --------------------------------------------------------------------------


def test_if_a_source_fails_the_others_are_archived_and_nothing_is_built(
    pipeline: Any, recorded: Path, tmp_path: Path
) -> None:
    without_boards = shutil.copytree(recorded, tmp_path / "recorded")
    shutil.rmtree(without_boards / "lmarena")
    with StandIn(without_boards) as server, pytest.raises(SourceError, match=r"^lmarena: "):
        pipeline.observatory(AS_OF, overrides=overrides(server, tmp_path, "hub,lmarena,epoch"))
    filed = [s.snapshot_id for s in Archive(tmp_path / "archive").snapshots()]
    assert filed == [f"epoch/{DAY}", f"hub/{DAY}"]
    assert not (tmp_path / "observatory.duckdb").exists()
    assert not (tmp_path / "published").exists()


def test_run_names_have_flow_and_day(pipeline: Any, recorded: Path, tmp_path: Path) -> None:
    from prefect.client.orchestration import get_client

    with StandIn(recorded) as server:
        state = pipeline.observe_source(
            "epoch", AS_OF, overrides(server, tmp_path), return_state=True
        )
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(state.state_details.flow_run_id)
    assert run.name == f"observe-epoch-{DAY}"


def test_a_run_across_midnight_has_one_day(
    pipeline: Any, recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Name, observation and release: also of a run that waits before it builds."""
    from prefect.client.orchestration import get_client

    clock = iter([AS_OF, *[AS_OF + timedelta(days=1)] * 9])
    monkeypatch.setattr(pipeline, "today", lambda: next(clock))
    days: list[date] = []

    def stop(_settings: Any, day: date, *_: Any, **__: Any) -> None:
        days.append(day)
        if len(days) == 2:
            raise KeyError("the release begins")

    monkeypatch.setattr(pipeline.own_places, "require_own_places", stop)
    with StandIn(recorded) as server:
        state = pipeline.observatory(overrides=overrides(server, tmp_path), return_state=True)
    assert days == [AS_OF, AS_OF]
    assert [s.snapshot_id for s in Archive(tmp_path / "archive").snapshots()] == [f"epoch/{DAY}"]
    with get_client(sync_client=True) as client:
        assert client.read_flow_run(state.state_details.flow_run_id).name == f"observatory-{DAY}"


def test_a_worker_without_a_disk_of_its_own_keeps_the_archive_in_the_copy(
    pipeline: Any, recorded: Path, tmp_path: Path
) -> None:
    copy = {"archive_copy": str(tmp_path / "copy")}
    for worker in ("first", "second"):
        with StandIn(recorded) as server:
            given = overrides(server, tmp_path / worker) | copy
            pipeline.observe_source("epoch", AS_OF, given)
            fetched = asked(server)
        assert Archive(tmp_path / worker / "archive").snapshot("epoch", AS_OF)
        assert fetched == (worker == "first")
    assert (tmp_path / "copy" / "archive" / "epoch" / DAY / "snapshot.json").exists()


# --- schedules ------------------------------------------------------------------------------


def test_a_run_that_was_planned_days_ago_is_filed_under_the_real_minute(
    pipeline: Any, tmp_path: Path
) -> None:
    from prefect.client.orchestration import get_client
    from prefect.flow_engine import run_flow
    from prefect.states import Scheduled

    strip = tmp_path / "recordings" / "hub" / "trending" / f"{DAY}T0000.json"
    strip.parent.mkdir(parents=True)
    item = {"repoType": "model", "repoData": {"id": "a/b", "author": "a"}}
    strip.write_text(json.dumps({"recentlyTrending": [item]}))
    began = datetime.now(UTC)
    with StandIn(tmp_path / "recordings") as server, get_client(sync_client=True) as client:
        given = {"source": "hub_trending", "slot": "scheduled"}
        given |= {"overrides": overrides(server, tmp_path)}
        planned = Scheduled(scheduled_time=began - timedelta(days=3))
        run = client.create_flow_run(pipeline.observe_source, parameters=given, state=planned)
        run_flow(pipeline.observe_source, flow_run=run, parameters=given)
    (snapshot,) = Archive(tmp_path / "archive").snapshots()
    assert snapshot.slot is not None
    filed = datetime.combine(snapshot.snapshot_date, time.fromisoformat(snapshot.slot), UTC)
    assert timedelta(minutes=-1) < filed - began < timedelta(minutes=5)


def test_every_source_has_a_schedule_and_the_release_comes_after_them() -> None:
    written = prefect_file(known=())["deployments"]  # on a server without any token
    planned = {d["parameters"].get("source", d["name"]): d["schedules"] for d in written}
    assert planned.pop("on-demand") == []
    assert planned.pop("openrouter") == []  # it needs a key
    cron = {name: schedule["cron"].split() for name, (schedule,) in planned.items()}
    assert set(cron) == {*DEFAULT_SOURCES, "daily"}
    assert {name for name, fields in cron.items() if fields[4] != "*"} == {
        *("epoch", "ai_index", "hub_evolution")
    }
    monthly = {name for name, fields in cron.items() if fields[2] != "*"}
    assert monthly == {"lmarena_space", "arena_catalog"}  # frozen
    assert cron["hub_trending"][1] == "0,6,12,18"
    at = {n: (int(hour.split(",")[0]), int(minute)) for n, (minute, hour, *_) in cron.items()}
    assert at["hub_namespaces"] < at["hub"]  # the labs are safe before the long sweep begins
    assert at["daily"] > max(at[source] for source in DEFAULT_SOURCES)
    assert {schedule["timezone"] for (schedule,) in planned.values()} == {"UTC"}


# --- from the command line ------------------------------------------------------------------


def observatory_run(
    server: StandIn, folder: Path, *options: str, **prefect: str
) -> subprocess.CompletedProcess[str]:
    """`observatory run` as a user starts it, with all files below one folder."""
    kept = {"archive": "archive", "warehouse": "wh.duckdb", "publish-to": "published"}
    places = [f"--{option}={folder / name}" for option, name in kept.items()]
    theirs = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", "run", f"--as-of={DAY}", *places, *options],
        cwd=ROOT,
        env=theirs | server.exports | {"PREFECT_HOME": str(folder / "prefect")} | prefect,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_command_line_needs_no_server(recorded: Path, tmp_path: Path) -> None:
    with StandIn(recorded) as server:
        done = observatory_run(server, tmp_path, "--json", "--sources=lmarena,epoch")
    assert done.returncode == 0, done.stderr
    (published,) = json.loads(done.stdout)["published"]
    pointer = json.loads((tmp_path / "published" / "latest.json").read_bytes())
    assert pointer["release_id"] == published["release_id"]
    assert "Traceback" not in done.stderr


def test_the_command_line_prints_an_error_once(
    pipeline: Any, recorded: Path, tmp_path: Path
) -> None:
    from prefect.client.orchestration import get_client

    with StandIn(recorded) as server, get_client(sync_client=True) as client:
        api = str(client.api_url)
        done = observatory_run(server, tmp_path, "--sources=hub_trending", PREFECT_API_URL=api)
        runs = client.read_flow_runs()
    assert done.returncode == 3
    assert done.stderr.count("hub_trending: HTTP 404") == 1
    assert "what to do:" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "published").exists()
    (state,) = [str(run.state) for run in runs if run.name == f"observe-hub_trending-{DAY}"]
    assert "hub_trending: HTTP 404" in state
