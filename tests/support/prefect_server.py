"""A real Prefect server with registration and workers, started as an operator does."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId
from prefect.client.schemas.objects import FlowRun

from warehouse.code_version import PACKAGES

ROOT = Path(__file__).parents[2]
AUTH = "observatory:the-password-of-the-tests"
T = TypeVar("T")


def wait_for(what: str, ask: Callable[[], T | None], seconds: float = 120) -> T:
    """The first result that is not empty; fails after some seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := ask():
            return found
        time.sleep(0.25)
    raise AssertionError(f"{what}: not within {seconds:.0f} s")


@contextmanager
def running(*command: str, log: Path, cwd: Path, env: dict[str, str]) -> Iterator[None]:
    """`prefect COMMAND` in the background, stopped at the end, and killed after 20 s."""
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
    """Processes with this PREFECT_HOME; runs have their own sessions, so all are checked."""
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


def client_of(env: dict[str, str]) -> SyncPrefectClient:
    """A client with the auth string of an environment."""
    return SyncPrefectClient(env["PREFECT_API_URL"], auth_string=env["PREFECT_API_AUTH_STRING"])


def is_healthy(env: dict[str, str]) -> bool:
    with suppress(Exception), client_of(env) as client:
        return client.api_healthcheck() is None
    return False


@contextmanager
def prefect_server(home: Path, **settings: str) -> Iterator[dict[str, str]]:
    """A server on loopback as the docs start it, with an auth string and one allowed origin.

    Yields the environment in which commands find it.
    """
    port = str(free_port())
    theirs = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")} | {
        "DO_NOT_TRACK": "1",
        "PREFECT_API_AUTH_STRING": AUTH,
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
    }
    guarded = {
        "PREFECT_SERVER_API_AUTH_STRING": AUTH,
        "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": f"http://127.0.0.1:{port}",
    }
    start = ("server", "start", "--host", "127.0.0.1", "--port", port, "--no-ui")
    with running(*start, log=home / "server.log", cwd=home, env=theirs | guarded | settings):
        wait_for("health of the server", lambda: is_healthy(theirs) or None, seconds=240)
        assert left_running(home) or not Path("/proc/self/environ").exists()
        yield theirs
    left = left_running(home)
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert not left, "processes outlived worker and server"


def register(env: dict[str, str], *arguments: str) -> str:
    """Runs `python -m infra.register`, as after a change. Returns what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "infra.register", *arguments],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def copy_of_the_code(folder: Path) -> Path:
    """A second copy of the code for a worker; nothing in it may refer to the first one."""
    for package in PACKAGES:
        copied = folder / package
        shutil.copytree(ROOT / package, copied, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def worker(folder: Path, env: dict[str, str], log: str = "worker.log") -> Any:
    """A worker in the root of a copy of the code."""
    start = ("worker", "start", "--pool", "local-process")
    return running(*start, log=folder / log, cwd=folder, env=env)


def begin(client: SyncPrefectClient, name: str, **parameters: Any) -> FlowRun:
    """Starts a run of a deployment."""
    deployment = client.read_deployment_by_name(name)
    return client.create_flow_run_from_deployment(deployment.id, parameters=parameters)


def end_of(client: SyncPrefectClient, run: FlowRun, seconds: float = 300) -> FlowRun:
    """A run after it ended in any way; a crashed run starts again and is awaited."""

    def ended() -> FlowRun | None:
        now = client.read_flow_run(run.id)
        is_over = now.state and now.state.is_final() and not now.state.is_crashed()
        return now if is_over else None

    return wait_for(f"the end of {run.name}", ended, seconds=seconds)


def finished(client: SyncPrefectClient, name: str, **parameters: Any) -> FlowRun:
    """Starts a run of a deployment and waits for its end."""
    return end_of(client, begin(client, name, **parameters))


def below(client: SyncPrefectClient, run: FlowRun) -> dict[str, FlowRun]:
    """The subflow runs of a run, by name."""
    parent = FlowRunFilterParentFlowRunId(any_=[run.id])
    found = client.read_flow_runs(flow_run_filter=FlowRunFilter(parent_flow_run_id=parent))
    return {child.name: child for child in found}
