"""Hosts without a connection: tried for a while once, and not again for every source."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from flows.settings import Settings
from flows.sources import http, reachability
from flows.sources.failures import SourcesFailedError, failure_of_run
from flows.sources.http import TRIES, SourceError, get


@pytest.fixture(autouse=True)
def _nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reachability, "_failing", {})
    monkeypatch.setattr(reachability, "_answered", set())


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits between tries, which are not waited for."""
    seen: list[float] = []
    monkeypatch.setattr(http.time, "sleep", seen.append)
    return seen


def closed() -> str:
    """An address on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def silent() -> Iterator[str]:
    """An address that never completes a connection, as behind a dead network."""
    with ExitStack() as held:
        server = held.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):  # the queue of connections is full
            client = held.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def failure(url: str, source: str = "epoch", **more: float) -> SourceError:
    with pytest.raises(SourceError) as caught:
        get(source, url, Settings(**more))  # type: ignore[arg-type]
    return caught.value


def test_the_first_host_is_tried_often_and_the_others_once(waits: list[float]) -> None:
    assert failure(closed()).is_unreachable
    assert len(waits) == TRIES - 1
    assert failure(closed()).is_unreachable
    assert len(waits) == TRIES - 1


def test_where_another_host_answers_each_is_tried_often(waits: list[float]) -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        with pytest.raises(SourceError, match="HTTP 501"):  # an answer, though an odd one
            get("epoch", url, Settings())
    for _ in range(2):
        failure(closed())
    assert len(waits) == 2 * (TRIES - 1)


def test_a_host_that_lets_us_wait_is_not_asked_again(
    silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reachability, "PATIENCE", 0.5)
    monkeypatch.setattr(reachability, "SLOW", 0.1)
    quick = {"http_timeout_seconds": 0.3, "http_first_wait_seconds": 0.01}
    assert failure(silent, **quick).is_unreachable
    again = failure(silent, **quick)
    assert again.is_unreachable
    assert "no connection a moment ago" in str(again)
    monkeypatch.setattr(reachability, "REMEMBERED", 0.0)
    assert "no connection a moment ago" not in str(failure(silent, **quick))


def test_the_end_of_a_run_names_every_source_once() -> None:
    lost = [
        SourceError(name, "no response", f"https://{name}", "wait", is_unreachable=True)
        for name in ("hub", "epoch")
    ]
    summary = failure_of_run(lost, 10)
    assert isinstance(summary, SourcesFailedError)
    assert str(summary).splitlines()[:3] == [
        "run: 2 of 10 sources failed, so nothing was built",
        "  hub: no response",
        "  epoch: no response",
    ]
    assert "check the network" in str(summary)
    own = OSError("a disk")
    assert failure_of_run([*lost, own], 10) is own
    assert failure_of_run(lost[:1], 10) is lost[0]
