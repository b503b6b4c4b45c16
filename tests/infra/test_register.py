"""Registration without a server that can be used, and the names that it stores."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import prefect
import pytest
from packaging.version import Version
from prefect.settings import PREFECT_API_URL, temporary_settings

from infra.automations import ALERT_ADDRESS
from infra.reference import settings
from infra.register import main
from infra.server_settings import PLAIN, SECRETS
from tests.support.prefect_server import free_port


def refused(capsys: pytest.CaptureFixture[str], url: str) -> str:
    """The one line with which registration ends."""
    with temporary_settings({PREFECT_API_URL: url}):
        assert main([]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_without_a_server_nothing_is_registered(capsys: pytest.CaptureFixture[str]) -> None:
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        assert main([]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "PREFECT_API_URL is not set" in line
    assert refused(capsys, " ") == line


def test_a_server_that_does_not_answer_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    url = f"http://someone:secret@127.0.0.1:{free_port()}/api"
    told = refused(capsys, url)
    assert "no Prefect server answers at http://127.0.0.1:" in told
    assert "secret" not in told


@pytest.fixture
def answering() -> Iterator[tuple[str, list[object]]]:
    """A server with one answer to everything, and the list that the test puts it in."""
    answer: list[object] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(answer[0]).encode()
            self.send_response(200 if isinstance(answer[0], str) else 401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/api", answer
    server.shutdown()


def test_an_older_server_is_named_with_both_versions(
    answering: tuple[str, list[object]], capsys: pytest.CaptureFixture[str]
) -> None:
    url, answer = answering
    ours = Version(prefect.__version__)
    older = f"{ours.major}.{ours.minor - 1}.9"
    answer.append(older)
    told = refused(capsys, url)
    assert f"has version {older}, older than {ours} here" in told
    assert "upgrade the server first" in told


def test_a_wrong_auth_string_is_named(
    answering: tuple[str, list[object]], capsys: pytest.CaptureFixture[str]
) -> None:
    url, answer = answering
    answer.append({"exception_message": "Unauthorized"})
    assert "HTTP 401; set PREFECT_API_AUTH_STRING" in refused(capsys, url)


def test_every_documented_name_is_registered() -> None:
    rows = re.findall(r"^\| (`[^|]*`) \|", settings(), flags=re.M)
    documented = set(re.findall(r"[A-Z][A-Z0-9_]+", " ".join(rows)))
    of_one_machine = {"HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"}
    assert documented - {"AWS_"} <= {*SECRETS, *PLAIN, ALERT_ADDRESS, *of_one_machine}
    assert "AWS_SESSION_TOKEN" in SECRETS
