"""The server itself: sockets, routes, the rate limit and the request log."""

from __future__ import annotations

import json
import math
import re
import socket
import socketserver
import struct
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import parse_qs

from tests.standin import hub, openrouter, trending_feed
from tests.standin.ai_index import AiIndex
from tests.standin.dataset import Repo
from tests.standin.dated import DatedRepo
from tests.standin.epoch import Epoch
from tests.standin.faults import FaultPlan, Faults
from tests.standin.github import NAME, OWNER, Catalog
from tests.standin.paged import PagedListing
from tests.standin.push import Pushes
from tests.standin.trending_feed import TrendingFeed
from tests.standin.web import (
    JSON_TYPE,
    Answer,
    Call,
    RecordingError,
    RefusalError,
    json_answer,
    parse_call,
)

HOST = "127.0.0.1"
LARGEST_BODY = 1 << 20
LARGEST_PUSH = 256 << 20  # of a server that takes commits
_OFF_BY = {"length_too_large": 1000, "length_too_small": -10}
LOGGED_HEADERS = ["accept-encoding", "authorization", "if-none-match", "range", "user-agent"]


@dataclass(frozen=True)
class LoggedRequest:
    """One request and its response; `bytes` counts body bytes sent, credentials are masked."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    status: int
    bytes: int


class RateLimit:
    """Fixed windows, one per bucket, counting every request as the Hub does."""

    def __init__(self, quota: int, window: float) -> None:
        self.quota, self.window = quota, window
        self._lock = threading.Lock()
        self._used: dict[str, tuple[float, int]] = {}

    def take(self, bucket: str) -> tuple[bool, dict[str, str]]:
        """Count one request: whether it is within the quota, and the two headers."""
        now = time.monotonic()
        with self._lock:
            start, used = self._used.get(bucket, (now, 0))
            if now - start >= self.window:
                start, used = now, 0
            self._used[bucket] = start, used + 1
        left, reset = max(self.quota - used - 1, 0), math.ceil(start + self.window - now)
        policy = f'"fixed window";"{bucket}";q={self.quota};w={math.ceil(self.window)}'
        headers = {"RateLimit": f'"{bucket}";r={left};t={reset}', "RateLimit-Policy": policy}
        return used < self.quota, headers


class StandIn:
    """The official services, answered from a folder of recordings on a loopback port.

    `hub_date`, `epoch_date` and `trending_at` choose what is served (default: the newest of
    each). `page_size` is the listing's maximum and default, `quota` the number of requests a
    bucket allows in `window` seconds. `pages` is a folder of ready pages that stands in for the
    recorded listing, `faults` a plan of what goes wrong. `url` and `exports` are known once it is
    started.
    Raises RecordingError when the folder or a date in it does not exist.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        port: int = 0,
        hub_date: str | None = None,
        epoch_date: str | None = None,
        trending_at: str | None = None,
        page_size: int = hub.SERVER_MAXIMUM,
        quota: int = 100_000,
        window: float = 300,
        log: str | Path | None = None,
        pushes: Pushes | None = None,
        pages: str | Path | None = None,
        faults: FaultPlan | None = None,
    ) -> None:
        root = Path(folder).absolute()
        if not root.is_dir():
            raise RecordingError(f"{folder} is not a folder")
        day = hub.listing_day(root / "hub", hub_date)
        self.models: hub.Listing | PagedListing | None = None
        if pages is not None:
            self.models = PagedListing(Path(pages))
        elif day:
            self.models = hub.Listing(hub.read_rows(day), page_size)
        sets = hub.read_datasets(root / "hub", hub_date)
        self.datasets = hub.Listing(sets, page_size, "datasets") if sets else None
        self.spoiler = Faults(faults) if faults else None
        self.closing = threading.Event()
        self.details = hub.ModelDetails(root / "hub" / "samples")
        self.trending = hub.trending_file(root / "hub" / "trending", hub_date, trending_at)
        self.repos = {
            ("datasets", "lmarena-ai", "leaderboard-dataset"): root / "lmarena/leaderboard-dataset",
            ("spaces", "lmarena-ai", "arena-leaderboard"): root / "lmarena/space",
            ("datasets", "mmpr", "open_model_evolution_data"): root / "hub_evolution",
        }
        self.hub_stats = DatedRepo(root / "hub-stats", "cfahlgren1/hub-stats")
        self.catalog = Catalog(root / "lmarena/arena-catalog")
        self.feed = TrendingFeed(root / "trending_2025")
        self.epoch = Epoch(root / "epoch", epoch_date)
        self.ai_index = AiIndex(root / "ai_index")
        self.rankings = openrouter.Rankings(root / "openrouter")
        self.limits = RateLimit(quota, window)
        self.pushes = pushes
        self.requests: list[LoggedRequest] = []
        self._port, self._log_path = port, log
        self._log_lock = threading.Lock()
        if not self.sources and pushes is None:
            raise RecordingError(f"{folder} holds no recording of any source (see its layout)")

    @property
    def sources(self) -> list[str]:
        """The ids of the sources recorded in the folder, in the pipeline's order."""
        present = {
            "hub_namespaces": isinstance(self.models, hub.Listing),
            "hub": self.models is not None,
            "hub_datasets": self.datasets is not None,
            "hub_trending": self.trending is not None,
            "hub_stats": bool(self.hub_stats.days),
            "hub_evolution": bool(
                self._repo("datasets", "mmpr", "open_model_evolution_data").files()
            ),
            "hub_trending_feed": bool(self.feed.commits()),
            "lmarena": bool(self._repo("datasets", "lmarena-ai", "leaderboard-dataset").files()),
            "lmarena_space": bool(self._repo("spaces", "lmarena-ai", "arena-leaderboard").files()),
            "arena_catalog": bool(self.catalog.commits()),
            "epoch": bool(self.epoch.files),
            "ai_index": bool(self.ai_index.editions),
            "openrouter": bool(self.rankings.days),
        }
        return [source for source, there in present.items() if there]

    @property
    def url(self) -> str:
        """The address, without a slash at its end."""
        return f"http://{HOST}:{self._server.server_address[1]}"

    @property
    def exports(self) -> dict[str, str]:
        """The settings that point `observatory run` at this server."""
        return {
            "HF_ENDPOINT": self.url,
            "OBSERVATORY_GITHUB_API_URL": self.url + "/github/api",
            "OBSERVATORY_GITHUB_RAW_URL": self.url + "/github/raw",
            "OBSERVATORY_EPOCH_URL": self.url,
            "OBSERVATORY_AI_INDEX_URL": self.url + "/ai_index/{edition}.zip",
            "OBSERVATORY_SOURCES": ",".join(self.sources),
            **(self.rankings.exports(self.url) if self.rankings.days else {}),
        }

    def __enter__(self) -> StandIn:
        self._log: IO[str] | None = None
        if self._log_path is not None:
            self._log = Path(self._log_path).open("a", encoding="utf-8", buffering=1)
        self._server = _Server(self, self._port)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.close()
        self._thread.join()
        if self._log is not None:
            self._log.close()

    def answer(self, call: Call) -> Answer:
        """Route one call. Override this to inject a fault, and call it for everything else."""
        if self.pushes and (answer := self.pushes.answer(call, self.url)):
            return answer
        match call.segments:
            case ("api", ("models" | "datasets") as kind):
                return self._listing(self.models if kind == "models" else self.datasets, call)
            case ("api", "models", *name):
                return self.details.answer(call, "/".join(name))
            case ("api", "trending") if self.trending is not None:
                body = self.trending.read_bytes()
                return Answer(200, body, {"Content-Type": JSON_TYPE})
            case ("api", ("datasets" | "spaces") as kind, owner, name, *rest):
                return self._repo(kind, owner, name).api(call, tuple(rest))
            case (("datasets" | "spaces") as kind, owner, name, "resolve", revision, *path):
                return self._repo(kind, owner, name).resolve(call, revision, "/".join(path))
            case (_, _, "resolve", _, *_):
                raise RefusalError(404, "Repository not found", "RepoNotFound")
            case ("github", "api", "repos", owner, name, *rest):
                return self._github(owner, name).api(call, tuple(rest))
            case ("github", "raw", owner, name, sha, *path):
                return self._github(owner, name).raw(call, sha, "/".join(path))
            case ("api", "v1", *below):
                return self.rankings.answer(call, tuple(below))
            case ("data", *below):
                return self.epoch.answer(call, tuple(below))
            case ("ai_index", name):
                return self.ai_index.answer(call, name)
        raise RefusalError(404, f"The stand-in does not answer {call.target}")

    def respond(self, call: Call) -> Answer:
        """The answer with the Hub's rate limit applied; a refusal becomes a normal response."""
        bucket = _bucket(call)
        within, headers = self.limits.take(bucket) if bucket else (True, {})
        try:
            if not within:
                raise RefusalError(429, f"We had to rate limit you, bucket {bucket!r}")
            writes = call.method == "PUT" or (
                call.method == "POST" and "paths-info" not in call.segments
            )
            if writes and not self.pushes:
                raise RefusalError(405, "Method not allowed", Allow="GET, HEAD")
            answer = self.answer(call)
        except RefusalError as refusal:
            answer = refusal.answer()
        answer = replace(answer, headers={**answer.headers, **headers})
        return self.spoiler.spoil(call, answer) if self.spoiler else answer

    def record(self, request: LoggedRequest) -> None:
        """Store a request for tests, and write it to the log file if there is one."""
        self.requests.append(request)
        if self._log is not None:
            with self._log_lock:
                self._log.write(json.dumps(asdict(request)) + "\n")

    def _listing(self, listing: hub.Listing | PagedListing | None, call: Call) -> Answer:
        if listing is None:
            raise RefusalError(404, "No day of this listing is recorded")
        return listing.answer(call, self.url)

    def _github(self, owner: str, name: str) -> Catalog | TrendingFeed:
        if (owner, name) == (OWNER, NAME):
            return self.catalog
        if (owner, name) == (trending_feed.OWNER, trending_feed.NAME):
            return self.feed
        raise RefusalError(404, "Not Found")

    def _repo(self, kind: str, owner: str, name: str) -> Repo | DatedRepo:
        if (kind, f"{owner}/{name}") == ("datasets", "cfahlgren1/hub-stats"):
            return self.hub_stats
        root = self.repos.get((kind, owner, name))
        if root is None:
            raise RefusalError(404, "Repository not found", "RepoNotFound")
        return Repo(root, f"{owner}/{name}")


def _bucket(call: Call) -> str | None:
    """The Hub's name for the quota that a path counts against; None for other services."""
    if call.segments[:1] == ("api",):
        return "api"
    return "resolvers" if "resolve" in call.segments[2:4] else None


class _Server(ThreadingHTTPServer):
    """Remembers its connections, so that closing it also ends the idle ones kept alive."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, standin: StandIn, port: int) -> None:
        self.standin = standin
        self.connections: set[socket.socket] = set()
        super().__init__((HOST, port), _Handler)

    def server_bind(self) -> None:
        """Bind without looking up the host's name, which can wait long for a name server."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is not an error; anything else is logged in one line."""
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError):
            print(f"stand-in: {type(error).__name__}: {error}", file=sys.stderr)

    def close(self) -> None:
        self.shutdown()
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else headers and body wait 40 ms for each other

    def handle_any(self) -> None:
        """Read, answer, log, send: in this order, so that a log is complete when a client sees
        its answer."""
        standin = cast(_Server, self.server).standin
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self._answer(standin, headers)
        body = b"" if self.command == "HEAD" else answer.body
        standin.record(_logged(self.command, self.path, headers, answer.status, len(body)))
        if answer.wire in ("reset", "stall"):
            self._fail(standin, answer.wire)
            return
        self.send_response(answer.status)
        if answer.status != 304:
            self.send_header("Content-Length", str(len(answer.body) + _OFF_BY.get(answer.wire, 0)))
        for name, value in answer.headers.items():
            self.send_header(name, re.sub(r"[^\x20-\x7e]", "?", value))
        self.end_headers()
        self.wfile.write(body)
        if answer.wire != "plain":
            self.close_connection = True

    def _fail(self, standin: StandIn, how: str) -> None:
        """No response: the connection breaks, or stays silent until the client times out."""
        self.close_connection = True
        if how == "stall" and standin.spoiler:
            standin.closing.wait(standin.spoiler.plan.stall)
        # Linger of 0 s: the client gets a reset and no orderly end.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    do_GET = do_HEAD = do_POST = do_PUT = handle_any  # noqa: N815, the names http.server calls

    def _answer(self, standin: StandIn, headers: Mapping[str, str]) -> Answer:
        try:
            return standin.respond(parse_call(self.command, self.path, headers, self._body()))
        except RefusalError as refusal:
            return refusal.answer()
        except Exception as error:  # a response with status 500 is clearer than a broken connection
            return json_answer({"error": f"stand-in: {type(error).__name__}: {error}"}, 500)

    def _body(self) -> bytes:
        """The request body; a body of unknown or excessive length is rejected."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not re.fullmatch("[0-9]{1,9}", length):
            self.close_connection = True
            raise RefusalError(411, "A request body needs a Content-Length", Connection="close")
        largest = LARGEST_PUSH if cast(_Server, self.server).standin.pushes else LARGEST_BODY
        if int(length) > largest:
            self.close_connection = True
            raise RefusalError(413, f"Request body above {largest} bytes", Connection="close")
        return self.rfile.read(int(length))

    def version_string(self) -> str:
        return "observatory-standin"

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: the request log has everything."""


def _logged(
    method: str, target: str, headers: Mapping[str, str], status: int, sent: int
) -> LoggedRequest:
    path, _, query = target.partition("?")
    kept = {name: headers[name] for name in LOGGED_HEADERS if name in headers}
    if "authorization" in kept:
        kept["authorization"] = "***"
    return LoggedRequest(method, path, parse_qs(query, True), kept, status, sent)
