"""Operations: killed runs restart, builds do not overlap, alerts are sent, stale days send none.

On SQLite, and the first steps on PostgreSQL where it is installed.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
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

from tests.standin import Answer, Call, StandIn
from tests.support.prefect_server import (
    ROOT,
    begin,
    below,
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
        SyncPrefectClient(env["PREFECT_API_URL"]) as client,
    ):
        register(env | {"HF_TOKEN": TOKEN, "OBSERVATORY_ALERT_URL": catcher.url})
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


def test_secrets_are_blocks_and_not_in_deployments(place: Place) -> None:
    deployments = place.client.read_deployments()
    assert len(deployments) >= 9
    for deployment in deployments:
        text = deployment.model_dump_json()
        assert TOKEN not in text
        assert "prefect.blocks.secret.observatory-hf-token" in text


def test_registration_is_idempotent(place: Place) -> None:
    def inspected() -> list[dict[str, Any]]:
        command = [sys.executable, "-m", "prefect", "automation", "inspect", "--json"]
        wide = place.env | {"COLUMNS": "10000"}  # it wraps JSON to the terminal
        told = [
            subprocess.check_output([*command, name], env=wide, text=True) for name in AUTOMATIONS
        ]
        return [json.loads(text)[0] for text in told]

    before = inspected()
    register(place.env)
    after = inspected()
    assert [a["id"] for a in after] == [a["id"] for a in before]
    assert [a["actions"] for a in after] == [a["actions"] for a in before]
    assert all(a["enabled"] for a in after)


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
            seconds=240,
        )
        server.may_answer.set()
        with worker(place.clone, env, "second-worker.log"):
            return end_of(place.client, run, seconds=400)


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
        ask = {"as_of": DAY, "overrides": place.overrides(server)}
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
        SyncPrefectClient(env["PREFECT_API_URL"]) as client,
        StandIn(recordings) as server,
    ):
        register(env)
        clone = copy_of_the_code(tmp_path / "clone")
        with worker(clone, env | server.exports):
            ask = {"hub_url": server.url, "epoch_url": server.url}
            run = finished(client, "observe-source/epoch", as_of=DAY, overrides=ask)
    assert run.state and run.state.is_completed(), run.state
    assert (clone / "data/archive/epoch" / DAY / "snapshot.json").is_file()
