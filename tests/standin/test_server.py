"""The stand-in as a server: absent sources, errors, life cycle, request log and command."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.conftest import ROOT
from tests.standin import Answer, Call, RecordingError, StandIn
from tests.support.standin_client import (
    DATASET,
    Row,
    ask,
    first_commit,
    next_path,
    write,
    write_day,
)

# ------------------------------------------------------------------ absent sources and errors


def test_any_source_may_be_missing(tiny: Path, tmp_path: Path) -> None:
    every = "hub_namespaces,hub,hub_trending,lmarena,lmarena_space,arena_catalog,epoch,ai_index"
    parts = {
        "hub/2031-02-01": "hub",
        "hub/trending": "hub_trending",
        "lmarena/leaderboard-dataset": "lmarena",
        "lmarena/space": "lmarena_space",
        "lmarena/arena-catalog": "arena_catalog",
        "epoch": "epoch",
        "ai_index": "ai_index",
    }
    with StandIn(tiny) as standin:
        assert standin.exports["OBSERVATORY_SOURCES"] == every
    for part, source in parts.items():
        alone = tmp_path / source
        (alone / part).parent.mkdir(parents=True)
        (alone / part).symlink_to(tiny / part, target_is_directory=True)
        with StandIn(alone) as standin:
            both = "hub_namespaces,hub"  # one listing, read whole and by author
            assert standin.exports["OBSERVATORY_SOURCES"] == (both if source == "hub" else source)
            found = {
                "hub": ask(standin, "/api/models").status,
                "hub_trending": ask(standin, "/api/trending").status,
                "lmarena": ask(standin, f"/api/datasets/{DATASET}").status,
                "lmarena_space": ask(standin, "/api/spaces/lmarena-ai/arena-leaderboard").status,
                "arena_catalog": ask(standin, first_commit(standin)).status,
                "epoch": ask(standin, "/data/notable_ai_models.csv").status,
                "ai_index": ask(standin, "/ai_index/2031.zip").status,
            }
            assert found == {name: 200 if name == source else 404 for name in found}


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"hub_date": "2031-02-02"}, "no Hub day 2031-02-02.*2030-12-31, 2031-02-01"),
        ({"hub_date": "../../etc"}, "no Hub day"),
        ({"epoch_date": "2029-12-31"}, "no Epoch file by 2029-12-31.*2030-01-01"),
        ({"epoch_date": "May"}, "not a day"),
        ({"trending_at": "2029-12-31"}, "no trending by 2029-12-31"),
        ({"trending_at": "noon"}, "neither"),
    ],
)
def test_an_unknown_date_lists_the_available_ones(tiny: Path, chosen: Row, said: str) -> None:
    with pytest.raises(RecordingError, match=said):
        StandIn(tiny, **chosen)


def test_a_folder_without_sound_recordings_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="not a folder"):
        StandIn(tmp_path / "none")
    with pytest.raises(RecordingError, match="no recording"):
        StandIn(tmp_path)
    write_day(tmp_path, "2031-01-01", [{"id": "a/b"}, {"likes": 1}])
    with pytest.raises(RecordingError, match=r"models\.ndjson\.zst, line 2"):
        StandIn(tmp_path)
    write(tmp_path / "hub/2031-01-01/models.ndjson.zst", b"not zstd")
    with pytest.raises(RecordingError, match="cannot be unpacked"):
        StandIn(tmp_path)


HOSTILE = [
    "/../../../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/data/..%2f..%2fMANIFEST.csv",
    "/data/epochdb/../../MANIFEST.csv",
    "/ai_index/../epoch.zip",
    "/ai_index/..%2f2031.zip",
    f"/datasets/{DATASET}/resolve/main/../space/leaderboard_table_20310101.csv",
    f"/datasets/{DATASET}/resolve/main/%2e%2e/space/leaderboard_table_20310101.csv",
    f"/datasets/{DATASET}/resolve/main//README.md",
    f"/api/datasets/{DATASET}/tree/main/..",
    f"/api/datasets/{DATASET}/resolve-nothing",
    f"/api/datasets/{DATASET}/tree/%0d%0aX-Injected:%20yes",
    "/api/models/%0d%0aX-Injected:%20yes",
    "/api/models?sort=%0d%0aX-Injected:%20yes",
    "/api/models?sort=\u00e9",
    "/api/models/%ff%fe",
    "/api/models?search=%ff",
    "/api/models?cursor=%f0%9f%92%a5",
    "/api/models?" + "&".join(["expand=likes"] * 600),
    "http://[/api/models",
    "//[/x",
    "/%00",
    "*",
    "/unknown",
]


@pytest.mark.parametrize("target", HOSTILE)
def test_hostile_targets_get_a_plain_error(standin: StandIn, target: str) -> None:
    host, port = urlsplit(standin.url).netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as line:
        line.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: line.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    status = int(head.split()[1])
    assert status in {400, 404}, answer
    assert b"Traceback" not in answer
    assert b"\r\nX-Injected" not in head
    assert json.loads(body)["error"]
    assert ask(standin, "/api/models").status == 200, "and the server goes on"


def test_wrong_methods_and_bodies_are_rejected(
    standin: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(standin, "/api/models", method="POST", body="{}").status == 405
    assert ask(standin, "/api/models", method="DELETE").status == 501
    info = f"/api/datasets/{DATASET}/paths-info/main"
    assert ask(standin, info, method="POST", Content_Length="2000000").status == 413
    json_type = {"Content_Type": "application/json"}
    assert ask(standin, info, method="POST", body="[1", **json_type).status == 400
    asked = ask(standin, info, method="POST", body='{"paths":["README.md"]}', **json_type)
    assert [entry["path"] for entry in asked.json()] == ["README.md"]
    assert ask(standin, info, Transfer_Encoding="chunked").status == 411
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_an_error_in_an_override_gives_a_response(tiny: Path) -> None:
    class Faulty(StandIn):
        def answer(self, call: Call) -> Answer:
            if call.value("cursor"):
                return Answer(504, b"", {"Retry-After": "1"})
            if call.segments[0] == "data":
                raise RuntimeError("a bug in the test")
            return super().answer(call)

    with Faulty(tiny, page_size=20) as standin:
        first = ask(standin, "/api/models")
        assert (first.status, len(first.json())) == (200, 20)
        assert ask(standin, next_path(first) or "").status == 504
        assert ask(standin, "/data/x.csv").status == 500


# ------------------------------------------------------------------- life cycle and request log


def test_requests_are_logged_without_credentials(tiny: Path, tmp_path: Path) -> None:
    log = tmp_path / "requests.jsonl"
    with StandIn(tiny, log=log) as standin:
        ask(
            standin,
            "/data/all_ai_models.csv?a=1&a=2",
            Range="bytes=0-4",
            Authorization="Bearer hf_x",
        )
        ask(standin, "/none", method="HEAD")
        file, missing = standin.requests
    assert (file.method, file.path, file.query) == (
        "GET",
        "/data/all_ai_models.csv",
        {"a": ["1", "2"]},
    )
    assert (file.status, file.bytes, file.headers["range"]) == (206, 5, "bytes=0-4")
    assert (missing.method, missing.status, missing.bytes) == ("HEAD", 404, 0)
    lines = log.read_text().splitlines()
    assert [json.loads(line)["status"] for line in lines] == [206, 404]
    assert "hf_x" not in lines[0] + repr(file)
    assert file.headers["authorization"] == "***"


def test_closing_also_ends_connections_kept_alive(tiny: Path) -> None:
    with StandIn(tiny) as standin:
        line = http.client.HTTPConnection(urlsplit(standin.url).netloc, timeout=10)
        for _ in range(2):  # twice on one connection: HTTP/1.1 keeps it
            line.request("GET", "/api/models?limit=1")
            assert len(line.getresponse().read()) > 2
    line.auto_open = 0
    with pytest.raises((http.client.HTTPException, OSError)):
        line.request("GET", "/api/models?limit=1")
        line.getresponse()
    line.close()
    with pytest.raises(OSError, match="refused"):
        ask(standin, "/api/models")


@dataclass
class Command:
    process: subprocess.Popen[str]
    lines: list[str]

    def stop(self, number: signal.Signals) -> tuple[int, str]:
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=20)
        return self.process.returncode, errors


def start(*arguments: str | Path) -> Command:
    """The command as an operator starts it, up to its last line of settings."""
    command = [sys.executable, "-m", "tests.standin", *map(str, arguments)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, cwd=ROOT, text=True, stdout=pipe, stderr=pipe)
    assert process.stdout is not None
    return Command(process, [process.stdout.readline().rstrip("\n") for _ in range(7)])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_command_prints_settings_serves_and_ends_quietly(
    tiny: Path, tmp_path: Path, number: signal.Signals
) -> None:
    log = tmp_path / "log.jsonl"
    command = start(tiny, "--port", "0", "--hub-date", "2030-12-31", "--log", log)
    url, *exports = command.lines
    try:
        shell = "\n".join(exports) + "\nenv | grep -E '^(HF_ENDPOINT|OBSERVATORY_)' | sort"
        clean = {"PATH": os.environ["PATH"]}
        done = subprocess.run(
            ["sh", "-ec", shell], env=clean, text=True, capture_output=True, check=True
        )
        assert done.stdout.splitlines() == [
            f"HF_ENDPOINT={url}",
            f"OBSERVATORY_AI_INDEX_URL={url}/ai_index/{{edition}}.zip",
            f"OBSERVATORY_EPOCH_URL={url}",
            f"OBSERVATORY_GITHUB_API_URL={url}/github/api",
            f"OBSERVATORY_GITHUB_RAW_URL={url}/github/raw",
            "OBSERVATORY_SOURCES=hub_namespaces,hub,hub_trending,lmarena,lmarena_space,"
            "arena_catalog,epoch,ai_index",
        ]
        assert ask(url, "/api/models").json()[0]["id"] == "org/old"
    finally:
        assert command.stop(number) == (0, "")
    assert json.loads(log.read_text())["path"] == "/api/models"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none-such"], "none-such is not a folder"),
        (["{tiny}", "--hub-date", "1999-01-01"], "no Hub day 1999-01-01"),
        (["{tiny}", "--epoch-date", "1999-01-01"], "no Epoch file by 1999-01-01"),
        (["{tiny}", "--port", "99999"], "port"),
        (["{tiny}", "--page-size", "0"], "--page-size"),
        ([], "folder"),
    ],
)
def test_command_fails_with_a_clear_error(tiny: Path, arguments: list[str], said: str) -> None:
    given = [argument.format(tiny=tiny) for argument in arguments]
    command = [sys.executable, "-m", "tests.standin", *given]
    done = subprocess.run(
        command, cwd=ROOT, text=True, capture_output=True, timeout=20, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
