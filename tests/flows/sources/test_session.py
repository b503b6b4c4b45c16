"""Tokens and credentials go to the host of the settings, whatever a server answers."""

from __future__ import annotations

import base64
import json
import pickle
import threading
from collections.abc import Callable, Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
from huggingface_hub import HfApi

from flows import credentials
from flows.credentials import HUB, TOKENS, is_home, separate, set_home
from flows.settings import Settings
from flows.source_addresses import ADDRESS_FIELDS
from flows.sources import session
from flows.sources.github import GitHubRepository
from flows.sources.http import SourceError, get
from flows.sources.hub.request import HubClient
from warehouse.archive.archive import Archive
from warehouse.archive.draft import open_draft
from warehouse.storage.redact import redact

TOKEN, GITHUB_TOKEN = "hf_MarkedSecretOfTheTest", "ghp_MarkedSecretOfTheTest"


class Server(ThreadingHTTPServer):
    """Keeps the headers of every request, and answers what a test wants."""

    daemon_threads = True

    def __init__(self, answer: Callable[[str], tuple[int, dict[str, str], bytes]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer, self.seen = answer, []
        self.url = f"http://127.0.0.1:{self.server_port}"

    seen: list[tuple[str, dict[str, str]]]


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server: Any = self.server
        server.seen.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        status, headers, body = server.answer(self.path)
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Starts servers; all of them end with the test."""
    running: list[Server] = []

    def start(answer: Callable[[str], tuple[int, dict[str, str], bytes]]) -> Server:
        server = Server(answer)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.append(server)
        return server

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def _homes(monkeypatch: pytest.MonkeyPatch) -> None:
    """No home of an earlier test: the system gives its port again to another test's server."""
    monkeypatch.setattr(credentials, "_homes", {variable: set() for variable in TOKENS})
    monkeypatch.setattr(credentials, "_of_address", {})


@pytest.fixture(autouse=True)
def _tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("GITHUB_TOKEN", GITHUB_TOKEN)


def empty(_: str) -> tuple[int, dict[str, str], bytes]:
    return 200, {}, b"[]"


def secrets_seen(server: Server) -> set[str]:
    sent = json.dumps(server.seen)
    return {s for s in (TOKEN, GITHUB_TOKEN, "hunter2", _basic()) if s in sent}


def _basic() -> str:
    return base64.b64encode(b"me:hunter2").decode()


REDIRECTS = (301, 302, 303, 307, 308)


@pytest.mark.parametrize("status", REDIRECTS)
def test_a_redirect_to_another_host_gets_no_token(
    serve: Callable[..., Server], tmp_path: Path, status: int
) -> None:
    other = serve(empty)
    home = serve(lambda path: (status, {"Location": other.url + path}, b""))
    settings = Settings(hub_url=home.url, github_api_url=home.url)
    client = HubClient("hub", settings)
    client.get(f"{home.url}/api/models")
    with open_draft(Archive(tmp_path), "hub_evolution", date(2026, 8, 15)) as draft:
        GitHubRepository(settings, draft, "a/b").query("commits", "x", lambda content: content)
    assert secrets_seen(home) == {TOKEN, GITHUB_TOKEN}
    assert len(other.seen) == 2
    assert secrets_seen(other) == set()


def test_a_next_link_to_another_host_gets_no_token(serve: Callable[..., Server]) -> None:
    other = serve(empty)
    link = {"Link": f'<{other.url}/next>; rel="next"'}
    home = serve(lambda _: (200, link, b'[{"type": "file", "path": "a", "size": 1, "oid": "x"}]'))
    settings = Settings(hub_url=home.url)
    list(HfApi(endpoint=settings.hub_url).list_repo_tree("a/b", revision="main"))
    assert TOKEN in secrets_seen(home)
    assert [path for path, _ in other.seen] == ["/next"]
    assert secrets_seen(other) == set()


def test_each_token_goes_to_its_own_host(serve: Callable[..., Server]) -> None:
    hub, github, epoch = serve(empty), serve(empty), serve(empty)
    settings = Settings(hub_url=hub.url, github_api_url=github.url, epoch_url=epoch.url)
    both = {"Authorization": f"Bearer {TOKEN}"}
    for server in (github, epoch):
        get("epoch", f"{server.url}/x", settings, headers=both)
    get("hub", f"{hub.url}/x", settings, headers={"Authorization": f"Bearer {GITHUB_TOKEN}"})
    assert [secrets_seen(s) for s in (hub, github, epoch)] == [set(), set(), set()]


@pytest.mark.parametrize(
    ("url", "is_ours"),
    [
        ("https://hub.example/api", True),
        ("https://hub.example:443/api", True),
        ("http://hub.example/api", False),
        ("http://hub.example:443/api", False),
        ("https://hub.example.evil/api", False),
        ("https://evil/hub.example", False),
        ("https://hub.example@evil/", False),
        ("https://hub.example:8443/", False),
        ("https://HUB.example/api", True),
    ],
)
def test_a_host_is_one_scheme_name_and_port(url: str, is_ours: bool) -> None:
    set_home(HUB, "https://hub.example")
    assert is_home(HUB, url) == is_ours


def test_a_redirect_from_https_to_http_is_refused() -> None:
    request = httpx2.Request("GET", "https://hub.example/x")
    response = httpx2.Response(302, headers={"Location": "http://hub.example/x"}, request=request)
    with pytest.raises(httpx2.UnsupportedProtocol, match="redirects from https to http"):
        session._refuse_downgrade(response)
    session._refuse_downgrade(
        httpx2.Response(302, headers={"Location": "https://other/x"}, request=request)
    )


def test_a_token_file_with_a_mark_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    headers = {"Authorization": "Bearer \ufeffhf_MarkedSecretOfTheTest"}
    with pytest.raises(SourceError, match="the token has the character") as failed:
        get("hub", "http://127.0.0.1:9/x", Settings(), headers=headers)
    assert "Marked" not in str(failed.value)


# --- credentials in addresses ---------------------------------------------------------------------


FORMS = {
    "user and password": ("me:hunter2@", ""),
    "percent-encoded": ("me:hunter2%40%2F@", ""),
    "a user alone": ("hunter2@", ""),
    "a known parameter": ("", "?token=hunter2"),
    "an unknown parameter": ("", "?k=hunter2&a=b"),
    "both": ("me:hunter2@", "?sig=hunter2"),
}
ADDRESSES = (
    *("hub_url", "github_api_url", "github_raw_url", "ai_index_url"),
    *ADDRESS_FIELDS.values(),
)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ADDRESSES)
def test_a_setting_does_not_keep_the_credentials_of_an_address(name: str, form: str) -> None:
    user, query = FORMS[form]
    settings = Settings(**{name: f"https://{user}{name.replace('_', '-')}.example/x{query}"})  # type: ignore[arg-type]
    assert getattr(settings, name) == f"https://{name.replace('_', '-')}.example/x"
    assert b"hunter2" not in pickle.dumps(settings)
    assert "hunter2" not in repr(settings) + settings.model_dump_json()


def test_a_placeholder_in_a_query_stays() -> None:
    url = "https://ai.example/x.zip?edition={edition}&token=hunter2"
    assert separate(url) == "https://ai.example/x.zip?edition={edition}"


def test_requests_have_the_credentials_and_errors_do_not(serve: Callable[..., Server]) -> None:
    home = serve(lambda path: (418, {}, f"no {path} for me:hunter2, {_basic()}".encode()))
    address = home.url.replace("://", "://me:hunter2@") + "/files?token=hunter2"
    settings = Settings(epoch_url=address)
    with pytest.raises(SourceError) as failed:
        get("epoch", f"{settings.epoch_url}/a.csv", settings)
    ((path, headers),) = home.seen
    assert path == "/files/a.csv?token=hunter2"
    assert headers["authorization"] == f"Basic {_basic()}"
    assert f"{home.url}/files/a.csv" in str(failed.value)
    assert _basic() not in str(failed.value)
    assert "hunter2" not in str(failed.value)


def test_a_redirect_to_another_host_gets_no_credentials(serve: Callable[..., Server]) -> None:
    other = serve(empty)
    home = serve(lambda path: (302, {"Location": other.url + "/x"}, b""))
    settings = Settings(
        epoch_url=home.url.replace("://", "://me:hunter2@") + "?key=hunter2",
    )
    get("epoch", f"{settings.epoch_url}/a.csv", settings)
    assert secrets_seen(home) == {"hunter2", _basic()}
    assert secrets_seen(other) == set()


@pytest.mark.parametrize(
    "text",
    [
        "https://me:hunter2@h/x", "https://me:hun/hunter2@h/x", "http://h/?X-Amz-Credential=hunter2",
        "s3://AKIA:hunter2@bucket", "https://h/x?subscription-key=hunter2", "h?a=b&code=hunter2",
        "Authorization: Bearer hunter2", "{'authorization': 'Basic hunter2=='}",
        "http://me:hunter2@proxy:8080", "tcp://h/?session_id=hunter2#x",
    ],
)  # fmt: skip
def test_secrets_are_recognized_by_their_form(text: str) -> None:
    assert "hunter2" not in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:4200/api/x@y", "https://h/api/models?author=a&expand=tags&sort=key",
        "Basic information about the board", "epoch: HTTP 404", "https://h/a@b?monkey=1",
    ],
)  # fmt: skip
def test_other_texts_stay(text: str) -> None:
    assert redact(text) == text
