"""The environment of the operator: proxies, Prefect's folder and server, signals."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import httpx
import httpx2
import pytest
from botocore.config import Config
from huggingface_hub import close_session

from flows.cli import prefect_server
from flows.cli.libraries import EnvironmentFaultError, proxy_problem
from flows.cli.options import SAMPLE
from tests.conftest import ROOT
from tests.support.command_line import call
from tests.support.prefect_server import left_running, wait_for
from warehouse.storage.loopback import bypass_proxies

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


class Echo(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def local() -> Iterator[int]:
    """The port of a server on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without proxies, to set some."""
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return monkeypatch


# --- proxies -------------------------------------------------------------------------------------


@pytest.mark.parametrize("exempt", ["", "example.org, .internal", "localhost"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_is_not_asked_through_a_proxy(
    proxied: pytest.MonkeyPatch, local: int, host: str, exempt: str
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        proxied.setenv(name, "http://127.0.0.1:9")
    proxied.setenv("NO_PROXY", exempt)
    proxied.setenv("no_proxy", exempt)
    bypass_proxies()
    url = f"http://{host}:{local}"
    assert httpx.get(url).status_code == 200  # Prefect's client
    assert httpx2.get(url).status_code == 200  # the Hub's
    names = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
    retries = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
    s3 = boto3.client("s3", endpoint_url=url, config=retries, **names)
    assert s3.head_bucket(Bucket="here")["ResponseMetadata"]["HTTPStatusCode"] == 200
    for one in filter(None, (e.strip() for e in exempt.split(","))):
        assert one in os.environ["NO_PROXY"].split(",")


@pytest.mark.parametrize("given", [{"NO_PROXY": "*"}, {}])
def test_no_proxy_is_left_alone_where_nothing_is_to_be_added(
    proxied: pytest.MonkeyPatch, given: dict[str, str]
) -> None:
    if given:
        proxied.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    environment = dict(given)
    bypass_proxies(environment)
    assert environment == given


@pytest.mark.parametrize(
    ("name", "address", "told"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:9", "needs the package socksio"),
        ("HTTPS_PROXY", "socks5h://127.0.0.1:9", "needs the package socksio"),
        ("HTTP_PROXY", "ftp://127.0.0.1:9", "ftp:// is no kind of proxy"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_one_line(
    proxied: pytest.MonkeyPatch, tmp_path: Path, name: str, address: str, told: str
) -> None:
    proxied.chdir(tmp_path)
    close_session()
    for command in (["run", "--sample"], ["observe", "epoch"]):
        done = call(*command, **{name: address})
        assert done.exit_code == 2, done.output
        assert done.stderr.startswith(f"error: {name}: ")
        assert told in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("address", ["http://proxy:3128", "proxy:3128", "https://u:p@proxy"])
def test_a_proxy_of_a_usual_kind_is_used(proxied: pytest.MonkeyPatch, address: str) -> None:
    proxied.setenv("HTTPS_PROXY", address)
    assert proxy_problem() is None


# --- Prefect -------------------------------------------------------------------------------------


def command(
    folder: Path, *arguments: str, drop: tuple[str, ...] = (), **env: str
) -> subprocess.CompletedProcess[str]:
    given = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_") and k not in drop}
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments],
        cwd=folder,
        env={**given, "PYTHONPATH": str(ROOT), **env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_database_of_a_newer_prefect_is_one_line(tmp_path: Path) -> None:
    home = tmp_path / "data" / "prefect"
    home.mkdir(parents=True)
    with sqlite3.connect(home / "prefect.db") as con:
        con.execute("CREATE TABLE alembic_version (version_num TEXT)")
        con.execute("INSERT INTO alembic_version VALUES ('f00dfacef00d')")
    con.close()
    done = command(tmp_path, "run", "--sample")
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = [s for s in done.stderr.splitlines() if s.startswith("error")]
    assert f"{home / 'prefect.db'} was written by a newer version of Prefect" in line
    assert "set PREFECT_HOME to another folder" in line


def test_a_database_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "prefect.db").write_bytes(b"no database " * 100)
    with pytest.raises(EnvironmentFaultError, match="PREFECT_HOME"):
        prefect_server._require_known_version(tmp_path / "prefect.db")


@pytest.mark.parametrize("missing", ["PREFECT_API_URL", "PREFECT_HOME", None])
def test_a_folder_of_prefect_that_cannot_be_written_is_named(
    tmp_path: Path, missing: str | None
) -> None:
    (tmp_path / "taken").write_bytes(b"")
    home = str(tmp_path / "taken" / "prefect")
    done = command(tmp_path, "run", "--sample", PREFECT_HOME=home)
    assert done.returncode in (1, 5), done.stderr
    assert str(tmp_path / "taken") in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("file", "text", "found"),
    [
        (".env", "", False),
        ("prefect.toml", "[api]\nurl = 'http://127.0.0.1:4200/api'\n", True),
        ("prefect.toml", "[server]\n", False),
        (
            "profiles.toml",
            "active = 'mine'\n[profiles.mine]\nPREFECT_API_URL = 'http://x/api'\n",
            True,
        ),
        ("profiles.toml", "active = 'mine'\n[profiles.mine]\n", False),
        ("profiles.toml", "no toml", False),
    ],
)
def test_a_configured_server_is_found_where_prefect_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, text: str, found: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / file).write_text(text)
    assert prefect_server._configured({"PREFECT_HOME": str(tmp_path)}) is found
    assert prefect_server._configured({"PREFECT_API_URL": "http://x/api"})


@pytest.mark.slow
def test_a_server_that_is_gone_is_one_line(tmp_path: Path) -> None:
    done = command(tmp_path, "run", "--sample", PREFECT_API_URL="http://127.0.0.1:9/api")
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = [s for s in done.stderr.splitlines() if s.startswith("error")]
    assert "PREFECT_API_URL: no Prefect server answers at http://127.0.0.1:9/api" in line


@pytest.mark.slow
def test_a_temporary_server_that_ends_says_why(tmp_path: Path) -> None:
    (tmp_path / "docket.py").write_text("raise ImportError('no such package')")  # Prefect needs it
    with subprocess.Popen(
        [sys.executable, "-m", "flows.cli.temporary_server"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}", "PREFECT_HOME": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.wait(300) == 3
        assert server.stderr is not None
        assert server.stderr.read().splitlines()[-1] == "ImportError: no such package"


# --- signals -------------------------------------------------------------------------------------


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """A command in the background, with its own folders; HOME cannot be written."""
    scratch = folder / "tmp"
    scratch.mkdir()
    given = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    ours = {"PYTHONPATH": str(ROOT), "TMPDIR": str(scratch), "HOME": "/proc"}
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # these tests may run under nohup
    return subprocess.Popen(
        [sys.executable, "-m", "flows.cli", *arguments, "--as-of=2026-08-15"],
        cwd=folder,
        env={**given, **ours, "PREFECT_HOME": str(folder / "prefect")},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGKILL"])
def test_a_run_that_is_ended_leaves_no_server_and_no_scratch(tmp_path: Path, name: str) -> None:
    process = start(tmp_path, "run", "--sample", "--sources=epoch")
    while not list(tmp_path.glob("data/.*.build")) and process.poll() is None:
        time.sleep(0.05)
    if name == "SIGTERM":  # the whole group, as systemd does
        os.killpg(process.pid, signal.SIGTERM)
    else:
        process.send_signal(getattr(signal, name))
    _, stderr = process.communicate(timeout=120)
    wait_for("the end", lambda: not left_running(tmp_path / "prefect"), 15)
    assert "Traceback" not in stderr
    if name == "SIGKILL":
        return
    assert process.returncode == 130, stderr
    assert "interrupted. Kept:" in stderr.splitlines()[-1]
    assert list((tmp_path / "tmp").iterdir()) == []
    assert list(tmp_path.glob("data/.*.build*")) == []


@pytest.mark.slow
def test_sigterm_ends_a_replay_as_ctrl_c_does(tmp_path: Path) -> None:
    process = start(tmp_path, "replay", f"--archive={SAMPLE}")
    while not list(tmp_path.glob("data/.*.build")) and process.poll() is None:
        time.sleep(0.05)
    process.terminate()
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 130, stderr
    assert "interrupted. Kept:" in stderr.splitlines()[-1]
    assert list((tmp_path / "tmp").iterdir()) == []
    assert not list((tmp_path / "data").glob("observatory*"))
    assert not list((tmp_path / "data").glob(".*.build*"))


def test_nohup_stays_in_force(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(
        "import os, signal\n"
        "from flows.cli.errors import errors_reported\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "with errors_reported():\n"
        "    os.kill(os.getpid(), signal.SIGHUP)\n"
        "    print('alive')\n"
    )
    done = subprocess.run(
        [sys.executable, "main.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "alive\n", done.stderr
