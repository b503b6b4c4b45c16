"""The Prefect server of a command: the configured one, or a temporary one that ends with us."""

from __future__ import annotations

import atexit
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from errno import ENOSPC
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from dotenv import dotenv_values

from flows.cli.libraries import EnvironmentFaultError

API, HOME, PROFILE = "PREFECT_API_URL", "PREFECT_HOME", "PREFECT_PROFILE"
DATABASES = ("PREFECT_API_DATABASE_CONNECTION_URL", "PREFECT_SERVER_DATABASE_CONNECTION_URL")
START_SECONDS = 300  # for a busy machine; that it ended is seen at once
ANSWER_SECONDS = 10  # of a configured server
NEEDED_BYTES = 10_000_000  # of a new database


def provide_server(default_home: Path, meanwhile: Callable[[], object] | None = None) -> None:
    """Gives Prefect's client a server that answers, before Prefect is imported.

    Without PREFECT_API_URL (environment, `.env`, prefect.toml, profile) it is a temporary one. Its
    database is in PREFECT_HOME, or in `default_home`: one that other programs share may be of
    another version. `meanwhile` is called while it starts. Raises EnvironmentFaultError, OSError.
    """
    if "prefect" in sys.modules:  # the program that imported it has decided
        return
    given = {n: v for n, v in {**dotenv_values(".env"), **os.environ}.items() if v and v.strip()}
    if _configured(given):
        _require_answer()
        return
    home = Path(given.get(HOME) or default_home).absolute()
    os.environ[HOME] = str(home)
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=home):
        pass  # it can be written
    if shutil.disk_usage(home).free < NEEDED_BYTES:
        raise OSError(ENOSPC, os.strerror(ENOSPC), str(home / "prefect.db"))
    if not any(name in given for name in DATABASES):
        _require_known_version(home / "prefect.db")
    _start(given, meanwhile)


def _configured(given: Mapping[str, str]) -> bool:
    """Whether a Prefect server is configured, where Prefect looks for its settings."""
    if API in given:
        return True
    with suppress(OSError, RuntimeError, ValueError, TypeError, LookupError):
        if tomllib.loads(Path("prefect.toml").read_text("utf-8"))["api"]["url"]:
            return True
    with suppress(OSError, RuntimeError, ValueError, TypeError, LookupError):
        home = Path(given[HOME]) if HOME in given else Path.home() / ".prefect"
        profiles = tomllib.loads((home / "profiles.toml").read_text("utf-8"))
        active = given.get(PROFILE) or profiles["active"]
        return bool(profiles["profiles"][active].get(API))
    return False


def _require_answer() -> None:
    """Asks the configured server whether it is well. Raises EnvironmentFaultError."""
    from prefect.client.orchestration import get_client  # noqa: PLC0415  imports for seconds

    with get_client(sync_client=True, httpx_settings={"timeout": ANSWER_SECONDS}) as client:
        if (error := client.api_healthcheck()) is not None:
            raise EnvironmentFaultError(
                f"{API}: no Prefect server answers at {client.api_url} ({error}); start it, "
                f"correct the address, or unset {API} for a temporary server"
            )


def _require_known_version(database: Path) -> None:
    """Raises EnvironmentFaultError for a database that this Prefect cannot use."""
    if not database.exists():
        return
    todo = f"set {HOME} to another folder, or move the file away: it has only the history of runs"
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as con:
            found = con.execute("SELECT version_num FROM alembic_version").fetchall()
    except sqlite3.OperationalError:  # it is locked, or new and without tables
        return
    except sqlite3.DatabaseError as error:
        raise EnvironmentFaultError(f"{database}: {error}; {todo}") from error
    spec = find_spec("prefect")
    folder = Path(spec.origin if spec and spec.origin else "").parent
    known = list(folder.glob("server/database/_migrations/versions/sqlite/*.py"))
    sources = [path.read_bytes() for path in known]
    if known and not all(any(v.encode() in s for s in sources) for (v,) in found):
        raise EnvironmentFaultError(
            f"{database} was written by a newer version of Prefect than the one installed; {todo}"
        )


def _start(given: Mapping[str, str], meanwhile: Callable[[], object] | None) -> None:
    """Starts the temporary server, and stops it when this program ends."""
    told = tempfile.TemporaryFile()  # noqa: SIM115  for as long as the server runs
    server = subprocess.Popen(
        [sys.executable, "-m", "flows.cli.temporary_server"],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
            "PREFECT__SERVER_EPHEMERAL": "1",
            "PREFECT__SERVER_FINAL": "1",
            "PREFECT_UI_ENABLED": "0",
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=told,
        start_new_session=True,
    )
    atexit.register(_stop, server)  # before Prefect registers the sending of its last log lines
    assert server.stdout is not None
    port = server.stdout.readline().strip().decode()
    os.environ[API] = f"http://127.0.0.1:{port}/api"
    import prefect  # noqa: F401, PLC0415  while the server starts

    if meanwhile:
        meanwhile()
    _await(server, told)


def _await(server: subprocess.Popen[bytes], told: IO[Any]) -> None:
    ask, end = build_opener(ProxyHandler({})), time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < end:
        with suppress(URLError, OSError), ask.open(f"{os.environ[API]}/health", timeout=5):
            return
        time.sleep(0.1)
    told.seek(0)
    last = told.read().decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
    why = f"no answer within {START_SECONDS} s" if server.poll() is None else last[0]
    raise EnvironmentFaultError(
        f"the temporary Prefect server did not start ({why}); its files are in "
        f"{HOME}={os.environ[HOME]}"
    )


def _stop(server: subprocess.Popen[bytes]) -> None:
    """Closes the server's standard input, at which it ends."""
    assert server.stdin is not None
    server.stdin.close()
    try:
        server.wait(8)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
