"""A small world for the stand-in, and a plain HTTP client for it."""

from __future__ import annotations

import http.client
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import zstandard

from tests.standin import StandIn

CATALOG = "/github/api/repos/lmarena/arena-catalog"
DATASET = "lmarena-ai/leaderboard-dataset"
THIN = ["author", "createdAt", "downloads", "likes", "pipeline_tag", "tags", "baseModels"]

Row = dict[str, Any]


def write(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def write_day(folder: Path, day: str, rows: list[Row]) -> None:
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    packed = zstandard.ZstdCompressor().compress(lines.encode())
    write(folder / "hub" / day / "models.ndjson.zst", packed)


def tiny_rows() -> list[Row]:
    """Ties in every key, rows without a key, a null, and one repository recorded twice."""
    rows: list[Row] = []
    for number in range(23):
        row: Row = {"id": f"org{number % 3}/Model-{number}", "likes": number % 4}
        if number % 5:
            row["createdAt"] = f"2031-01-{1 + number % 6:02d}T10:00:00.000Z"
        if number % 2:
            row |= {"downloads": 10 * (number % 3), "pipeline_tag": "text-generation"}
        if number % 7 == 0:
            row |= {"tags": ["license:mit", "en"], "library_name": "transformers"}
        rows.append(row)
    rows[4]["downloads"] = None
    return [*rows, rows[7]]


def write_hub(folder: Path) -> None:
    write_day(folder, "2030-12-31", [{"id": "org/old", "likes": 1}])
    write_day(folder, "2031-02-01", tiny_rows())
    for minute in ("2030-12-30T0800", "2030-12-31T2359", "2031-03-01T0000"):
        write(folder / f"hub/trending/{minute}.json", json.dumps({"recentlyTrending": [minute]}))
    detail = {"_id": "6" * 24, "id": "org/new", "likes": 5, "sha": "abc"}
    write(folder / "hub/samples/new.json", json.dumps(detail))
    write(folder / "hub/samples/old.txt", "Temporary Redirect. Redirecting to /api/models/org/new")
    responses = [
        {"url": "https://hub.example/api/models/old", "status": 307, "file": "old.txt"},
        {"url": "https://hub.example/api/models/org/new", "status": 200, "file": "new.json"},
    ]
    responses[0]["headers"] = {"Location": "/api/models/org/new", "Connection": "close"}
    responses[1]["headers"] = {"ETag": 'W/"1"', "Content-Type": "application/json"}
    write(folder / "hub/samples/responses.json", json.dumps(responses))


@dataclass(frozen=True)
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    standin: StandIn | str,
    path: str,
    *,
    method: str = "GET",
    body: str | None = None,
    **headers: str,
) -> Reply:
    """One plain request, no redirect followed; header names are given with underscores."""
    url = standin if isinstance(standin, str) else standin.url
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    try:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, sent)
        response = connection.getresponse()
        return Reply(response.status, response.headers, response.read())
    finally:
        connection.close()


def next_path(reply: Reply) -> str | None:
    link = reply.headers["Link"]
    if link is None:
        return None
    url, _, rel = link.partition(";")
    assert rel.strip() == 'rel="next"'
    parts = urlsplit(url.strip("<>"))
    return f"{parts.path}?{parts.query}"


def walk(standin: StandIn, path: str) -> list[list[Row]]:
    """Every page, from the first path to the page without a Link header."""
    pages = []
    following: str | None = path
    while following is not None:
        reply = ask(standin, following)
        assert reply.status == 200, reply.body
        pages.append(reply.json())
        before, following = following, next_path(reply)
        assert following != before, "the walk stands still"
    return pages


def recorded_rows(folder: Path, day: str) -> list[Row]:
    packed = (folder / "hub" / day / "models.ndjson.zst").read_bytes()
    lines = zstandard.ZstdDecompressor().stream_reader(packed).read().splitlines()
    return [json.loads(line) for line in lines]


def same_rows(served: list[Row], recorded: list[Row]) -> bool:
    """Equal as multisets, ignoring `_id`, which is not recorded."""

    def canon(rows: list[Row]) -> Counter[str]:
        bare = ({key: value for key, value in row.items() if key != "_id"} for row in rows)
        return Counter(json.dumps(row, sort_keys=True) for row in bare)

    return canon(served) == canon(recorded)


def everything(rows: list[Row]) -> str:
    """The query for all recorded keys, so that complete rows can be compared."""
    keys = sorted(set().union(*rows) - {"id", "_id", "modelId"})
    return "&".join(f"expand={quote(key)}" for key in keys)


def first_commit(standin: StandIn) -> str:
    """Address of the newest commit's tree; without commits an unknown one."""
    commits = ask(standin, f"{CATALOG}/commits?path=data").json()
    return f"{CATALOG}/git/trees/{commits[0]['sha'] if commits else '0' * 40}?recursive=1"
