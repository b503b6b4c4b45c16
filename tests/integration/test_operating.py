"""Operations: killed runs restart, builds do not overlap, alerts are sent, stale days send none.

On SQLite, and the first steps on PostgreSQL where it is installed.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.schedules import CronSchedule
from prefect.events.schemas.automations import AutomationCore

from infra.automations import automations
from tests.standin import Answer, Call, StandIn
from tests.support.prefect_server import (
    ROOT,
    begin,
    below,
    client_of,
    copy_of_the_code,
    end_of,
    finished,
    free_port,
    prefect_server,
    register,
    wait_for,
    worker,
)
from tests.support.recorded_sample import DAY, write_recordings

pytestmark = [pytest.mark.integration, pytest.mark.slow]

TOKEN = "hf_of_the_operator"
PASSWORD = "the-password-in-an-address"
TEMPORARY = {
    "AWS_ACCESS_KEY_ID": "temporary-id",
    "AWS_SECRET_ACCESS_KEY": "temporary-secret",
    "AWS_SESSION_TOKEN": "temporary-session",
}
GIVEN = TEMPORARY | {
    "HF_TOKEN": TOKEN,
    "AWS_PROFILE": "",
    "OBSERVATORY_EPOCH_URL": f"https://reader:{PASSWORD}@epoch.example",
    "OBSERVATORY_DUCKDB_MEMORY": "1200MB",
}
FIRST = date.fromisoformat(DAY)
AUTOMATIONS = [
    one["name"]
    for one in yaml.safe_load((ROOT / "infra/automations.yaml").read_text())["automations"]
]
BOARDS = "lmarena/leaderboard-dataset/text/full-00000-of-00001.parquet"


# --- what the runs meet ---------------------------------------------------------------------


class Stalling(StandIn):
    """Delays the Hub's listing while it is switched on."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.may_answer = threading.Event()
        self.is_asked = threading.Event()

    def answer(self, call: Call) -> Answer:
        if call.segments == ("api", "models"):
            self.is_asked.set()
            self.may_answer.wait(300)
        return super().answer(call)


@dataclass
class Catcher:
    """A chat room that stores what is posted to it."""

    told: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""

    def texts(self, automation: str) -> list[str]:
        return [t["text"] for t in self.told if t["automation"] == automation]


@contextmanager
def catching() -> Iterator[Catcher]:
    catcher = Catcher()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            catcher.told.append(json.loads(body) if isinstance(body, str) else body)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    catcher.url = f"http://127.0.0.1:{server.server_port}/hook"
    try:
        yield catcher
    finally:
        server.shutdown()


def publish_boards(recordings: Path, model: str, *days: str) -> None:
    """Adds boards of these days on which one model leads beyond doubt."""
    path = recordings / BOARDS
    boards = pl.read_parquet(path)
    last = boards.filter(pl.col("leaderboard_publish_date") == DAY_OF_LAST_BOARD)
    assert model in last["model_name"]
    ahead = pl.when(pl.col("model_name") == model).then(1700.0).otherwise(pl.col("rating"))
    new = [
        last.with_columns(
            (ahead + n / 8).alias("rating"), pl.lit(day).alias("leaderboard_publish_date")
        )
        .with_columns(
            (pl.col("rating") - 1.96).alias("rating_lower"),
            (pl.col("rating") + 1.96).alias("rating_upper"),
            pl.lit((1.96 / 1.959963984540054) ** 2).alias("variance"),
            pl.col("rating").rank("ordinal", descending=True).cast(pl.Float64).alias("rank"),
        )
        .select(boards.columns)
        for n, day in enumerate(days)
    ]
    pl.concat([boards, *new]).write_parquet(path)


DAY_OF_LAST_BOARD = "2026-06-26"
AMERICAN, CHINESE = "claude-opus-4-6-thinking", "qwen3.7-max-preview"


# --- server, worker, operator ---------------------------------------------------------------


@dataclass
class Place:
    """A server with its worker's folder, its address for alerts and its stand-in sources."""

    env: dict[str, str]
    client: SyncPrefectClient
    clone: Path
    recordings: Path
    published: Path
    catcher: Catcher

    def overrides(self, server: StandIn) -> dict[str, Any]:
        return {
            "hub_url": server.url,
            "epoch_url": server.url,
            "sources": server.sources,
            "publish_to": [str(self.published)],
        }

    @property
    def latest(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.published / "latest.json").read_bytes())
        return found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with (
        prefect_server(tmp_path_factory.mktemp("prefect")) as env,
        catching() as catcher,
        client_of(env) as client,
    ):
        register(env | GIVEN | {"OBSERVATORY_ALERT_URL": catcher.url})
        recordings = write_recordings(tmp_path_factory.mktemp("recordings"))
        publish_boards(recordings, AMERICAN, "2026-07-01", "2026-07-05", "2026-07-09")
        clone = copy_of_the_code(tmp_path_factory.mktemp("clone"))
        published = tmp_path_factory.mktemp("published")
        yield Place(env, client, clone, recordings, published, catcher)


def kill_all_of(folder: Path) -> None:
    """SIGKILL for the worker and all its runs, as if the machine failed."""
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (entry / "cwd").readlink() == folder:
                os.kill(int(entry.name), signal.SIGKILL)


def states_of(client: SyncPrefectClient, run: FlowRun) -> list[str]:
    return [s.name or "" for s in client.read_flow_run_states(run.id)]


# --- registration ---------------------------------------------------------------------------


def references(place: Place, name: str = "observatory/on-demand") -> dict[str, str]:
    found: dict[str, str] = place.client.read_deployment_by_name(name).job_variables["env"]
    return found


def test_secrets_are_blocks_and_not_in_deployments(place: Place) -> None:
    deployments = place.client.read_deployments()
    assert len(deployments) >= 9
    stored = [d.model_dump_json() for d in deployments]
    stored += [v.model_dump_json() for v in place.client.read_variables()]
    for text in stored:
        assert not [s for s in (TOKEN, PASSWORD, *TEMPORARY.values()) if s in text]
    assert all(
        "prefect.blocks.secret.observatory-hf-token" in t for t in stored[: len(deployments)]
    )


def test_every_given_setting_is_referred_to(place: Place) -> None:
    found = references(place)
    for name in (*TEMPORARY, "HF_TOKEN", "OBSERVATORY_EPOCH_URL"):
        assert "prefect.blocks.secret" in found[name]
    assert found["OBSERVATORY_DUCKDB_MEMORY"] == "{{ prefect.variables.observatory_duckdb_memory }}"
    assert "AWS_PROFILE" not in found, "an empty setting is an unset one"


def schedules(place: Place, name: str) -> list[tuple[str, bool]]:
    found = place.client.read_deployment_by_name(name).schedules
    return [(str(getattr(s.schedule, "cron", "")), s.active) for s in found]


@pytest.fixture
def left_behind(place: Place) -> None:
    """What an earlier version of the files, and an operator, have left on the server."""
    hourly = [(CronSchedule(cron="0 * * * *"), True)]
    on_demand = place.client.read_deployment_by_name("observatory/on-demand")
    place.client.create_deployment_schedules(on_demand.id, hourly)
    gone = place.client.create_deployment(
        flow_id=on_demand.flow_id, name="gone", tags=["observatory"]
    )
    place.client.create_deployment_schedules(gone, hourly)
    daily = place.client.read_deployment_by_name("release/daily")
    place.client.update_deployment_schedule(daily.id, daily.schedules[0].id, active=False)
    (old,) = [a for a in automations(None) if a.name == "observatory-late-run"]
    for name in ("observatory-of-an-earlier-version", "of-somebody-else"):
        body = old.model_copy(update={"name": name, "tags": [], "enabled": False})
        place.client.create_automation(AutomationCore(**body.model_dump(exclude={"id"})))
    (late,) = place.client.read_automations_by_name("observatory-late-run")
    place.client.pause_automation(late.id)


def test_registration_is_idempotent_and_removes_what_the_files_lack(
    place: Place, left_behind: None
) -> None:
    def inspected() -> list[dict[str, Any]]:
        found = place.client.request("POST", "/automations/filter", json={}).json()
        return sorted(found, key=lambda a: str(a["name"]))

    before = {a["name"]: a for a in inspected()}
    permanent = {k: v for k, v in TEMPORARY.items() if k != "AWS_SESSION_TOKEN"}
    told = register(place.env | permanent, "--forget", "OBSERVATORY_EPOCH_URL")
    after = {a["name"]: a for a in inspected()}
    stale = "observatory-of-an-earlier-version"
    assert set(AUTOMATIONS) | {"of-somebody-else"} == set(after)
    assert set(before) - set(after) == {stale}
    assert after == {name: a for name, a in before.items() if name != stale}
    assert not after["observatory-late-run"]["enabled"], "what was paused stays paused"
    assert schedules(place, "observatory/on-demand") == []
    assert schedules(place, "observatory/gone") == []
    assert schedules(place, "release/daily") == [("30 6 * * *", False)]
    for line in (
        "removed the schedule 0 * * * * of observatory/on-demand",
        "removed the schedule 0 * * * * of observatory/gone",
        f"removed the automation {stale}",
    ):
        assert line in told.splitlines()
    found = references(place)
    assert "HF_TOKEN" in found, "what the environment lacks stays stored"
    assert not {"AWS_SESSION_TOKEN", "OBSERVATORY_EPOCH_URL"} & set(found)


# --- a run that dies, and its alert ---------------------------------------------------------


@pytest.fixture(scope="module")
def recovered(place: Place) -> FlowRun:
    """A run whose worker and process are killed; then another worker starts."""
    with Stalling(place.recordings) as server:
        env = place.env | server.exports
        with worker(place.clone, env):
            run = begin(
                place.client, "observatory/on-demand", as_of=DAY, overrides=place.overrides(server)
            )
            wait_for("a sweep under way", lambda: server.is_asked.is_set() or None, seconds=300)
            kill_all_of(place.clone)
        wait_for(
            "the crash noticed",
            lambda: "Crashed" in states_of(place.client, run) or None,
            seconds=480,
        )
        server.may_answer.set()
        with worker(place.clone, env, "second-worker.log"):
            return end_of(place.client, run, seconds=600)


@pytest.mark.exhaustive
@pytest.mark.timeout(1800)
def test_a_killed_run_is_restarted_automatically(recovered: FlowRun, place: Place) -> None:
    assert recovered.state and recovered.state.is_completed(), recovered.state
    assert recovered.run_count == 2
    names = states_of(place.client, recovered)
    assert names.index("Crashed") < names.index("Completed")
    assert place.latest["as_of"] == DAY
    assert any(recovered.name in t for t in place.catcher.texts("observatory-failure"))


@pytest.mark.exhaustive
@pytest.mark.timeout(1800)
def test_a_new_leader_sends_an_alert_and_a_stale_day_does_not(
    recovered: FlowRun, place: Place
) -> None:
    publish_boards(place.recordings, CHINESE, "2026-07-13", "2026-07-17", "2026-07-21")
    with StandIn(place.recordings) as server, worker(place.clone, place.env | server.exports):
        ask = {"overrides": place.overrides(server)}
        day = str(FIRST + timedelta(days=1))
        changed = finished(place.client, "observatory/on-demand", as_of=day, **ask)
        assert changed.state and changed.state.is_completed(), changed.state
        told = wait_for(
            "the alert", lambda: place.catcher.texts("observatory-change-of-leader"), seconds=60
        )
        assert any(
            "text, overall, country: CN is the confirmed new leader" in text for text in told
        )
        # The same responses a day later: no counter changes, and no alert is sent.
        before = len(place.catcher.told)
        stale = str(FIRST + timedelta(days=2))
        run = finished(place.client, "observatory/on-demand", as_of=stale, **ask)
        assert run.state and run.state.is_completed(), run.state
        assert place.latest["as_of"] == stale
        assert len(place.catcher.told) == before


# --- two at once ----------------------------------------------------------------------------


def span(client: SyncPrefectClient, run: FlowRun) -> tuple[datetime, datetime]:
    """From the first to the last step of a build; for a complete run, those of its release."""
    release = next((r for r in below(client, run).values() if "release" in r.name), run)
    chosen = FlowRunFilter(id=FlowRunFilterId(any_=[release.id]))
    tasks = client.read_task_runs(flow_run_filter=chosen)
    times = [t for task in tasks for t in (task.start_time, task.end_time) if t]
    return min(times), max(times)


@pytest.mark.exhaustive
@pytest.mark.timeout(1800)
def test_concurrent_builds_run_one_after_another(recovered: FlowRun, place: Place) -> None:
    with StandIn(place.recordings) as server, worker(place.clone, place.env | server.exports):
        ask = {"as_of": DAY, "allow_older": True, "overrides": place.overrides(server)}
        first = begin(place.client, "observatory/on-demand", observe=False, **ask)
        second = begin(place.client, "observatory/on-demand", observe=False, **ask)
        other = begin(place.client, "release/daily", allow_shrink=True, **ask)
        waited = wait_for(
            "one that waits",
            lambda: [
                r
                for r in (first, second)
                if "AwaitingConcurrencySlot" in states_of(place.client, r)
            ],
            seconds=120,
        )
        assert len(waited) == 1
        ended = [end_of(place.client, run, seconds=500) for run in (first, second, other)]
        assert all(run.state and run.state.is_completed() for run in ended), ended
        spans = sorted(span(place.client, run) for run in ended)
    assert all(a[1] <= b[0] for a, b in pairwise(spans)), spans


# --- on PostgreSQL --------------------------------------------------------------------------


def postgres_binaries() -> Path | None:
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[str]:
    """Starts PostgreSQL on loopback; yields its address."""
    binaries = postgres_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    port, data = free_port(), tmp_path / "pg"
    as_user: list[str] = []
    if os.geteuid() == 0:  # it refuses to run as root
        as_user = ["runuser", "-u", "postgres", "--"]
        data = Path(subprocess.check_output([*as_user, "mktemp", "-d"], text=True).strip())
    run: Callable[..., Any] = lambda *command: subprocess.run(  # noqa: E731
        [*as_user, *command], check=True, capture_output=True
    )
    options = f"-p {port} -c listen_addresses=127.0.0.1 -k {data} -c fsync=off"
    run(str(binaries / "initdb"), "-D", str(data / "db"), "-A", "trust", "-U", "prefect")
    run(
        str(binaries / "pg_ctl"),
        "-D",
        str(data / "db"),
        "-w",
        "-o",
        options,
        "-l",
        str(data / "log"),
        "start",
    )
    try:
        run(
            str(binaries / "createdb"),
            "-h",
            "127.0.0.1",
            "-p",
            str(port),
            "-U",
            "prefect",
            "prefect",
        )
        yield f"postgresql+asyncpg://prefect@127.0.0.1:{port}/prefect"
    finally:
        run(str(binaries / "pg_ctl"), "-D", str(data / "db"), "-m", "immediate", "stop")
        shutil.rmtree(data, ignore_errors=True)


def test_registration_and_a_run_succeed_on_postgresql(
    postgres: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("prefect")
    database = {"PREFECT_API_DATABASE_CONNECTION_URL": postgres}
    recordings = write_recordings(tmp_path / "recordings")
    with (
        prefect_server(home, **database) as env,
        client_of(env) as client,
        StandIn(recordings) as server,
    ):
        register(env)
        clone = copy_of_the_code(tmp_path / "clone")
        with worker(clone, env | server.exports):
            ask = {"hub_url": server.url, "epoch_url": server.url}
            run = finished(client, "observe-source/epoch", as_of=DAY, overrides=ask)
    assert run.state and run.state.is_completed(), run.state
    assert (clone / "data/archive/epoch" / DAY / "snapshot.json").is_file()
