"""The stand-in keeps its promises: to plain HTTP, to the real Hub client, and on the shell."""

from __future__ import annotations

import base64
import csv
import hashlib
import http.client
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import zstandard
from huggingface_hub import HfApi, HfFileSystem, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    BadRequestError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import (  # type: ignore[attr-defined]
    http_backoff,
    parse_ratelimit_headers,
)

from tests.conftest import ROOT
from tests.standin import Answer, Call, RecordingError, StandIn

DATASET = "lmarena-ai/leaderboard-dataset"
THIN = ["author", "createdAt", "downloads", "likes", "pipeline_tag", "tags", "baseModels"]

Row = dict[str, Any]


# ---------------------------------------------------------------------------------- fixtures


@pytest.fixture(scope="module")
def recordings() -> Path:
    """The folder of real recordings; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("OBSERVATORY_RECORDINGS", ROOT.parent / "shared" / "archive"))
    if not (folder / "MANIFEST.csv").is_file():
        pytest.skip(f"no recordings at {folder} (set OBSERVATORY_RECORDINGS)")
    return folder


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


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """Every source in a few bytes, with dates, subsets and editions nobody has heard of."""
    folder = tmp_path / "recordings"
    write_hub(folder)
    data = folder / "lmarena/leaderboard-dataset"
    write(data / "singing_style_control/full-00000-of-00001.parquet", b"PAR1" + bytes(range(200)))
    write(data / "singing_style_control/latest-00000-of-00001.parquet", b"PAR1 latest")
    write(data / "README.md", "# Boards\n")
    write(folder / "lmarena/space/leaderboard_table_20310101.csv", "key,Model\na,A\n")
    for day, names in {"2030-02-01": ["text"], "2030-03-01": ["text", "image"]}.items():
        for name in names:
            board = json.dumps({"full": {day: {"rating": 1000.5}}})
            write(folder / f"lmarena/arena-catalog/{day}/leaderboard-{name}.json", board)
    for day, names in {
        "2030-01-01": ["notable_ai_models", "all_ai_models"],
        "2030-06-01": ["notable_ai_models", "epoch_capabilities_index"],
    }.items():
        for name in names:
            write(folder / f"epoch/{day}/{name}.csv", f"Model,Day\n{name},{day}\n")
    write(folder / "ai_index/2031/1. Research/Data/fig_1.1.1.csv", b"Year,N\r\n2030,1\r\n")
    write(folder / "ai_index/2031/2. Säule/Data/fig_2.1.1.csv", b"\xff not UTF-8")
    write(folder / "ai_index/2031/figure_catalog.csv", "figure\n")
    return folder


@pytest.fixture
def standin(tiny: Path) -> Iterator[StandIn]:
    with StandIn(tiny) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


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
    """Every page, from a first path to the page without a Link."""
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
    """Equal as multisets, leaving out `_id`, which no day records."""

    def canon(rows: list[Row]) -> Counter[str]:
        bare = ({key: value for key, value in row.items() if key != "_id"} for row in rows)
        return Counter(json.dumps(row, sort_keys=True) for row in bare)

    return canon(served) == canon(recorded)


def everything(rows: list[Row]) -> str:
    """The query that asks for all recorded keys, so that a row can be compared whole."""
    keys = sorted(set().union(*rows) - {"id", "_id", "modelId"})
    return "&".join(f"expand={quote(key)}" for key in keys)


# ------------------------------------------------------------------------- the model listing


@pytest.mark.parametrize("limit", [1, 2, 5, 22, 24, 1000])
@pytest.mark.parametrize("sort", ["createdAt", "downloads", "likes", "trendingScore"])
def test_every_row_is_served_exactly_once(standin: StandIn, sort: str, limit: int) -> None:
    rows = tiny_rows()
    pages = walk(standin, f"/api/models?sort={sort}&limit={limit}&{everything(rows)}")
    served = [row for page in pages for row in page]
    assert same_rows(served, rows)
    keyed = [row[sort] for row in served if row.get(sort) is not None]
    assert keyed == sorted(keyed, reverse=True)
    assert all(row.get(sort) is None for row in served[len(keyed) :]), "nulls come last"
    places = [(row.get(sort), row["_id"]) for row in served]
    assert all(a[1] <= b[1] for a, b in pairwise(places) if a[0] == b[0])


def test_limit_is_the_size_of_each_page_and_the_server_has_a_maximum(tiny: Path) -> None:
    with StandIn(tiny, page_size=10) as standin:
        assert [len(page) for page in walk(standin, "/api/models?sort=likes")] == [10, 10, 4]
        assert [len(page) for page in walk(standin, "/api/models?limit=9000")] == [10, 10, 4]
        assert len(walk(standin, "/api/models?sort=likes&limit=6")) == 4


def test_cursor_is_a_mongo_keyset_on_the_own_host(standin: StandIn) -> None:
    reply = ask(standin, "/api/models?sort=likes&limit=2&expand[]=likes&search=model")
    link = reply.headers["Link"].partition(";")[0].strip("<>")
    assert link.startswith(standin.url + "/api/models?")
    query = parse_qs(urlsplit(link).query)
    assert (query["sort"], query["limit"], query["search"]) == (["likes"], ["2"], ["model"])
    last = reply.json()[-1]
    assert json.loads(base64.b64decode(query["cursor"][0])) == {
        "$or": [
            {"likes": last["likes"], "_id": {"$gt": last["_id"]}},
            {"likes": {"$lt": last["likes"]}},
            {"likes": None},
        ]
    }


def test_expand_brackets_and_repetition_mean_the_same(standin: StandIn) -> None:
    repeated = ask(standin, "/api/models?sort=likes&expand=likes&expand=tags").json()
    bracketed = ask(standin, "/api/models?sort=likes&expand[]=likes&expand%5B%5D=tags").json()
    assert repeated == bracketed
    assert set().union(*repeated) == {"_id", "id", "likes", "tags"}
    assert any("tags" not in row for row in repeated), "a key never recorded stays absent"


def test_without_expand_the_default_keys_come_back(tmp_path: Path) -> None:
    recorded = {
        "id": "a/b",
        "sha": "1",
        "likes": 3,
        "modelId": "a/b",
        "gated": False,
        "author": "a",
    }
    recorded |= {"cardData": {"license": "mit"}, "safetensors": {"total": 1}}
    write_day(tmp_path, "2031-01-01", [recorded])
    with StandIn(tmp_path) as standin:
        assert set(ask(standin, "/api/models").json()[0]) == {"_id", "id", "likes", "modelId"}
        full = set(ask(standin, "/api/models?full=true&cardData=true").json()[0])
        assert full == set(recorded) - {"safetensors"} | {"_id"}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("sort=size", 400),
        ("expand=nonsense", 400),
        ("expand=_id", 400),
        ("limit=0", 400),
        ("limit=ten", 400),
        ("cursor=%00", 400),
        ("cursor=" + base64.b64encode(b"[" * 5000).decode(), 400),
        (
            "sort=likes&cursor="
            + base64.b64encode(b'{"$or":[{"likes":"x","_id":{"$gt":"a"}}]}').decode(),
            400,
        ),
        ("direction=1", 400),
        ("gated=true", 501),
    ],
)
def test_what_cannot_be_answered_is_refused(standin: StandIn, query: str, status: int) -> None:
    reply = ask(standin, f"/api/models?{query}")
    assert reply.status == status
    assert reply.json()["error"]


@pytest.mark.parametrize(
    ("query", "accepts"),
    [
        ("author=org1", lambda row: row["id"].startswith("org1/")),
        ("search=MODEL-1", lambda row: "model-1" in row["id"].lower()),
        ("pipeline_tag=text-generation", lambda row: "pipeline_tag" in row),
        ("filter=license:mit&filter=transformers", lambda row: "tags" in row),
        ("filter=text-generation&author=org0", lambda r: "pipeline_tag" in r and "org0" in r["id"]),
    ],
)
def test_filters_hold_across_pages(standin: StandIn, query: str, accepts: Any) -> None:
    rows = tiny_rows()
    expected = [row for row in rows if accepts(row)]
    pages = walk(standin, f"/api/models?sort=createdAt&limit=3&{query}&{everything(rows)}")
    assert 0 < len(expected) < len(rows)
    assert same_rows([row for page in pages for row in page], expected)


def test_mongo_id_tells_the_creation_second_and_is_stable(tiny: Path) -> None:
    found = []
    for _ in range(2):
        with StandIn(tiny) as standin:
            found.append(ask(standin, "/api/models?expand=createdAt&sort=createdAt").json())
    assert found[0] == found[1]
    for row in found[0]:
        created = datetime.fromisoformat(row.get("createdAt", "1970-01-01T00:00:00Z"))
        assert int(row["_id"][:8], 16) == created.timestamp()
        assert len(row["_id"]) == 24
    assert len({row["_id"] for row in found[0]}) == len({row["id"] for row in found[0]})


def test_hub_date_chooses_the_day_and_the_trending_with_it(tiny: Path) -> None:
    def served(**chosen: str) -> tuple[int, str]:
        with StandIn(tiny, **chosen) as standin:  # type: ignore[arg-type]
            trending = ask(standin, "/api/trending")
            return len(ask(standin, "/api/models").json()), trending.json()["recentlyTrending"][0]

    assert served() == (24, "2031-03-01T0000")
    assert served(hub_date="2030-12-31") == (1, "2030-12-31T2359")
    assert served(trending_at="2030-12-31") == (24, "2030-12-31T2359")
    assert served(trending_at="2030-12-31T23:58Z") == (24, "2030-12-30T0800")
    assert served(hub_date="2031-02-01", trending_at="2031-03-01T0000") == (24, "2031-03-01T0000")


def test_trending_later_than_the_hub_day_is_better_than_none(tmp_path: Path) -> None:
    write_day(tmp_path, "2030-01-01", [{"id": "a/b"}])
    write(tmp_path / "hub/trending/2031-01-01T0000.json", " {}\n")
    with StandIn(tmp_path, hub_date="2030-01-01") as standin:
        assert ask(standin, "/api/trending").body == b" {}\n", "verbatim"


def test_model_details_are_the_recorded_answers(standin: StandIn) -> None:
    moved = ask(standin, "/api/models/old?expand=likes")
    assert (moved.status, moved.headers["Location"]) == (307, "/api/models/org/new?expand=likes")
    assert ask(standin, "/api/models/org/new").json()["sha"] == "abc"
    api = HfApi(endpoint=standin.url, token=False)
    assert api.model_info("old").id == "org/new"
    assert api.model_info("org/new", expand=["likes"]).likes == 5
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("org/unheard-of")


def test_the_real_client_walks_the_listing(tiny: Path) -> None:
    with StandIn(tiny, page_size=5) as standin:
        api = HfApi(endpoint=standin.url, token=False)
        models = list(api.list_models(sort="created_at", expand=["createdAt", "likes"]))
        assert sorted(model.id for model in models) == sorted(row["id"] for row in tiny_rows())
        assert [r.query["expand"] for r in standin.requests] == [["createdAt", "likes"]] * 5
        assert len(list(api.list_models(sort="likes", limit=7))) == 7
        assert len(list(api.list_models(author="org1", filter=["en", "license:mit"]))) == 2
        with pytest.raises(BadRequestError):
            list(api.list_models(sort="size"))  # type: ignore[arg-type]


# ------------------------------------------------------------------------------ rate limiting


def test_quota_counts_down_per_bucket_and_refuses_at_zero(tiny: Path) -> None:
    with StandIn(tiny, quota=2) as standin:
        replies = [ask(standin, "/api/models/none") for _ in range(3)]
        infos = [parse_ratelimit_headers(dict(reply.headers)) for reply in replies]
        assert [reply.status for reply in replies] == [404, 404, 429]
        assert [info and (info.remaining, info.limit, info.window_seconds) for info in infos] == [
            (1, 2, 300),
            (0, 2, 300),
            (0, 2, 300),
        ]
        assert infos[2] is not None
        assert 290 < infos[2].reset_in_seconds <= 300
        resolved = ask(standin, f"/datasets/{DATASET}/resolve/main/README.md")
        assert resolved.headers["RateLimit"].startswith('"resolvers";r=1;')
        assert ask(standin, "/data/notable_ai_models.csv").headers["RateLimit"] is None


def test_the_real_client_waits_for_the_window_to_end(tiny: Path) -> None:
    with StandIn(tiny, quota=1, window=0.5) as standin:
        started = time.monotonic()
        statuses = [http_backoff("GET", f"{standin.url}/api/models").status_code for _ in range(2)]
        assert statuses == [200, 200]
        assert [request.status for request in standin.requests] == [200, 429, 200]
        assert time.monotonic() - started >= 2, "t=1, and the client adds a second"
    with StandIn(tiny, quota=1) as standin:
        http_backoff("GET", f"{standin.url}/api/models")
        with pytest.raises(HfHubHTTPError, match="429"):
            HfApi(endpoint=standin.url, token=False).dataset_info(DATASET)


# ------------------------------------------------------------- the data set and the Space


def test_the_real_client_reads_the_data_set(standin: StandIn, tiny: Path) -> None:
    api = HfApi(endpoint=standin.url, token=False)
    info = api.dataset_info(DATASET, files_metadata=True)
    root = tiny / "lmarena/leaderboard-dataset"
    files = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
    assert info.sha is not None
    assert info.last_modified is not None
    assert {s.rfilename: s.lfs and s.lfs.sha256 for s in info.siblings or ()} == {
        name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()
    }
    tree = list(api.list_repo_tree(DATASET, repo_type="dataset", recursive=True, expand=True))
    sizes = {entry.path: entry.size for entry in tree if hasattr(entry, "size")}
    assert sizes == {name: path.stat().st_size for name, path in files.items()}
    assert "singing_style_control" in {entry.path for entry in tree}
    assert {entry.last_commit.oid for entry in tree if entry.last_commit} == {info.sha}
    top = {entry.path for entry in api.list_repo_tree(DATASET, repo_type="dataset")}
    assert top == {"README.md", "singing_style_control"}
    at_commit = api.dataset_info(DATASET, revision=info.sha)
    assert at_commit.sha == info.sha
    [entry] = api.get_paths_info(DATASET, ["README.md", "none"], repo_type="dataset", expand=True)
    assert (entry.path, entry.last_commit is not None) == ("README.md", True)


def test_a_second_download_asks_only_for_the_etag(standin: StandIn, tmp_path: Path) -> None:
    name = "singing_style_control/full-00000-of-00001.parquet"

    def download() -> list[str]:
        before = len(standin.requests)
        got = hf_hub_download(
            DATASET,
            name,
            repo_type="dataset",
            endpoint=standin.url,
            cache_dir=tmp_path,
            token=False,
        )
        assert Path(got).read_bytes()[:4] == b"PAR1"
        return [request.method for request in standin.requests[before:]]

    assert download() == ["HEAD", "GET"]
    assert download() == ["HEAD"]


def test_snapshots_and_the_file_system_client_work(standin: StandIn, tmp_path: Path) -> None:
    folder = snapshot_download(
        DATASET, repo_type="dataset", endpoint=standin.url, cache_dir=tmp_path, token=False
    )
    assert (Path(folder) / "README.md").read_text() == "# Boards\n"
    assert len([path for path in Path(folder).rglob("*") if path.is_file()]) == 3
    files = HfFileSystem(endpoint=standin.url, token=False, skip_instance_cache=True)
    path = f"datasets/{DATASET}/singing_style_control/full-00000-of-00001.parquet"
    assert files.info(path)["size"] == 204
    with files.open(path, "rb", block_size=64) as file:
        file.seek(-3, os.SEEK_END)
        assert file.read() == bytes([197, 198, 199])
    assert 206 in {request.status for request in standin.requests}


def test_the_space_is_served_the_same_way(standin: StandIn, tmp_path: Path) -> None:
    space = "lmarena-ai/arena-leaderboard"
    api = HfApi(endpoint=standin.url, token=False)
    [table] = [sibling.rfilename for sibling in api.space_info(space).siblings or ()]
    got = api.hf_hub_download(space, table, repo_type="space", cache_dir=tmp_path)
    assert Path(got).read_text() == "key,Model\na,A\n"


def test_a_changed_file_is_a_new_commit(standin: StandIn, tiny: Path) -> None:
    api = HfApi(endpoint=standin.url, token=False)
    before = api.dataset_info(DATASET).sha
    write(tiny / "lmarena/leaderboard-dataset/README.md", "# More boards\n")
    after = api.dataset_info(DATASET).sha
    assert before != after
    with pytest.raises(RevisionNotFoundError):
        api.dataset_info(DATASET, revision=before)


def test_the_client_sees_which_part_was_not_found(standin: StandIn, tmp_path: Path) -> None:
    api = HfApi(endpoint=standin.url, token=False)
    with pytest.raises(RepositoryNotFoundError):
        api.dataset_info("lmarena-ai/other")
    with pytest.raises(RepositoryNotFoundError):
        api.hf_hub_download("some/model", "config.json", cache_dir=tmp_path)
    with pytest.raises(RevisionNotFoundError):
        api.hf_hub_download(
            DATASET, "README.md", repo_type="dataset", revision="dev", cache_dir=tmp_path
        )
    with pytest.raises(RemoteEntryNotFoundError):
        api.hf_hub_download(DATASET, "none.parquet", repo_type="dataset", cache_dir=tmp_path)
    with pytest.raises(RemoteEntryNotFoundError):
        list(api.list_repo_tree(DATASET, "none", repo_type="dataset"))


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=0-3", 206, slice(0, 4)),
        ("bytes=200-", 206, slice(200, 204)),
        ("bytes=100-99999", 206, slice(100, 204)),
        ("bytes=-4", 206, slice(200, 204)),
        ("bytes=-9999", 206, slice(0, 204)),
        ("bytes=204-", 416, None),
        ("bytes=-0", 416, None),
        ("bytes=9-3", 200, slice(0, 204)),
        ("bytes=0-1,3-4", 200, slice(0, 204)),
        ("lines=1-2", 200, slice(0, 204)),
    ],
)
def test_ranges(standin: StandIn, asked: str, status: int, part: slice | None) -> None:
    path = f"/datasets/{DATASET}/resolve/main/singing_style_control/full-00000-of-00001.parquet"
    whole = ask(standin, path).body
    reply = ask(standin, path, Range=asked)
    assert reply.status == status
    assert reply.body == (b"" if part is None else whole[part])
    if status == 206 and part is not None:
        assert reply.headers["Content-Range"] == f"bytes {part.start}-{part.stop - 1}/204"
    if status == 416:
        assert reply.headers["Content-Range"] == "bytes */204"


def test_head_has_the_headers_of_get_and_no_body(standin: StandIn) -> None:
    path = f"/datasets/{DATASET}/resolve/main/README.md"
    head, get = ask(standin, path, method="HEAD"), ask(standin, path)
    assert head.body == b""
    assert head.headers["Content-Length"] == head.headers["X-Linked-Size"] == str(len(get.body))
    assert head.headers["ETag"] == f'"{hashlib.sha256(get.body).hexdigest()}"'
    stale = ask(standin, path, Range="bytes=0-1", If_Range='"another"')
    assert (stale.status, stale.body) == (200, get.body), "a part of another version is useless"


# ------------------------------------------------------------------------- Epoch and AI Index


def test_epoch_serves_the_newest_vintage_up_to_a_date(tiny: Path) -> None:
    def days(standin: StandIn) -> dict[str, str | None]:
        names = ("notable_ai_models", "all_ai_models", "epoch_capabilities_index", "frontier")
        replies = {name: ask(standin, f"/data/epochdb/{name}.csv") for name in names}
        return {n: r.body.decode()[-11:-1] if r.status == 200 else None for n, r in replies.items()}

    with StandIn(tiny) as standin:
        assert list(days(standin).values()) == ["2030-06-01", "2030-01-01", "2030-06-01", None]
        assert ask(standin, "/data/notable_ai_models.csv").body.endswith(b"2030-06-01\n")
    with StandIn(tiny, epoch_date="2030-05-31") as standin:
        assert list(days(standin).values()) == ["2030-01-01", "2030-01-01", None, None]
        assert ask(standin, "/data/benchmark_data.zip").status == 404


def test_epoch_zips_hold_what_is_recorded(standin: StandIn) -> None:
    def members(name: str) -> dict[str, bytes]:
        archive = zipfile.ZipFile(io.BytesIO(ask(standin, f"/data/{name}").body))
        return {member: archive.read(member) for member in archive.namelist()}

    assert list(members("benchmark_data.zip")) == ["epoch_capabilities_index.csv"]
    models = members("ai_models.zip")
    assert list(models) == ["all_ai_models.csv", "notable_ai_models.csv"]
    assert models["notable_ai_models.csv"].endswith(b"2030-06-01\n")


@pytest.mark.parametrize(
    "path", ["/data/epochdb/notable_ai_models.csv", "/data/ai_models.zip", "/ai_index/2031.zip"]
)
def test_unchanged_files_answer_304(standin: StandIn, path: str) -> None:
    first = ask(standin, path)
    etag = first.headers["ETag"]
    assert first.status == 200
    for known in (etag, f'"other", W/{etag}', "*"):
        again = ask(standin, path, If_None_Match=known)
        assert (again.status, again.body, again.headers["ETag"]) == (304, b"", etag)
    assert ask(standin, path, If_None_Match='"other"').status == 200
    head = ask(standin, path, method="HEAD")
    assert int(head.headers["Content-Length"]) == len(first.body)


def test_epoch_says_when_a_file_was_published(standin: StandIn) -> None:
    reply = ask(standin, "/data/all_ai_models.csv")
    assert reply.headers["Last-Modified"] == "Tue, 01 Jan 2030 00:00:00 GMT"


def test_ai_index_is_a_stable_zip_of_the_published_files(tiny: Path) -> None:
    bodies = []
    for _ in range(2):
        with StandIn(tiny) as standin:
            bodies.append(ask(standin, "/ai_index/2031.zip").body)
            assert ask(standin, "/ai_index/").json() == ["2031"]
            assert ask(standin, "/ai_index/2030.zip").status == 404
            assert ask(standin, "/ai_index/2031").status == 404
        for path in tiny.rglob("*.csv"):
            os.utime(path, (1, 1))  # the zip must not depend on the copy's own times
    assert bodies[0] == bodies[1]
    archive = zipfile.ZipFile(io.BytesIO(bodies[0]))
    root = "PUBLIC DATA_ 2031 AI INDEX REPORT"
    assert archive.namelist() == [
        f"{root}/1. Research/Data/fig_1.1.1.csv",
        f"{root}/2. Säule/Data/fig_2.1.1.csv",
    ]
    assert archive.read(archive.namelist()[1]) == b"\xff not UTF-8"


# --------------------------------------------------------------- the catalog's repository

CATALOG = "/github/api/repos/lmarena/arena-catalog"


def first_commit(standin: StandIn) -> str:
    """Address of the newest commit's tree; without commits one that leads nowhere."""
    commits = ask(standin, f"{CATALOG}/commits?path=data").json()
    return f"{CATALOG}/git/trees/{commits[0]['sha'] if commits else '0' * 40}?recursive=1"


def test_the_catalog_is_a_history_with_a_commit_a_day(standin: StandIn, tiny: Path) -> None:
    pages = [
        ask(standin, f"{CATALOG}/commits?path=data&per_page=1&page={page}").json()
        for page in (1, 2, 3)
    ]
    assert [len(page) for page in pages] == [1, 1, 0]
    commits = [entry for page in pages for entry in page]
    assert commits == ask(standin, f"{CATALOG}/commits?path=data").json()
    days = [entry["commit"]["author"]["date"] for entry in commits]
    assert days == ["2030-03-01T00:00:00Z", "2030-02-01T00:00:00Z"]
    assert ask(standin, f"{CATALOG}/commits?path=docs").json() == []
    newest = commits[0]["sha"]
    tree = ask(standin, f"{CATALOG}/git/trees/{newest}?recursive=1").json()
    blobs = {e["path"]: e for e in tree["tree"] if e["type"] == "blob"}
    assert sorted(blobs) == ["data/leaderboard-image.json", "data/leaderboard-text.json"]
    assert not tree["truncated"]
    for path, entry in blobs.items():
        reply = ask(standin, f"/github/raw/lmarena/arena-catalog/{newest}/{path}")
        assert len(reply.body) == entry["size"]
        counted = b"blob %d\0" % len(reply.body) + reply.body
        assert hashlib.sha1(counted).hexdigest() == entry["sha"]
        recorded = tiny / "lmarena/arena-catalog/2030-03-01" / path.removeprefix("data/")
        assert reply.body == recorded.read_bytes()


@pytest.mark.parametrize(
    "path",
    [
        f"{CATALOG}/git/trees/{'0' * 40}?recursive=1",
        f"{CATALOG}/branches",
        "/github/api/repos/lmarena/other/commits",
        f"/github/raw/lmarena/arena-catalog/{'0' * 40}/data/leaderboard-text.json",
        "/github/raw/lmarena/arena-catalog/main/data/../../../../MANIFEST.csv",
    ],
)
def test_what_the_catalog_does_not_hold_is_refused(standin: StandIn, path: str) -> None:
    assert ask(standin, path).status == 404


# ------------------------------------------------------------------ absent sources and errors


def test_any_source_may_be_absent(tiny: Path, tmp_path: Path) -> None:
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
def test_an_unknown_date_says_what_there_is(tiny: Path, chosen: Row, said: str) -> None:
    with pytest.raises(RecordingError, match=said):
        StandIn(tiny, **chosen)


def test_a_folder_without_recordings_or_with_a_broken_one_is_refused(tmp_path: Path) -> None:
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
def test_hostile_targets_get_a_plain_refusal(standin: StandIn, target: str) -> None:
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


def test_methods_and_bodies_out_of_place_are_refused(
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


def test_an_error_in_an_override_is_an_answer_not_a_hang(tiny: Path) -> None:
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
def test_command_refuses_with_a_clear_error(tiny: Path, arguments: list[str], said: str) -> None:
    given = [argument.format(tiny=tiny) for argument in arguments]
    command = [sys.executable, "-m", "tests.standin", *given]
    done = subprocess.run(
        command, cwd=ROOT, text=True, capture_output=True, timeout=20, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


# --------------------------------------------------------------------------- real recordings


def recorded_days(folder: Path) -> list[str]:
    return sorted(path.parent.name for path in (folder / "hub").glob("*/models.ndjson.zst"))


def test_every_recorded_day_is_served_whole(recordings: Path) -> None:
    for day in recorded_days(recordings):
        rows = recorded_rows(recordings, day)
        with StandIn(recordings, hub_date=day) as standin:
            for sort, limit in (("createdAt", 100), ("downloads", 97)):
                size = limit if len(rows) < 2000 else 1000
                pages = walk(standin, f"/api/models?sort={sort}&limit={size}&{everything(rows)}")
                bare = [{k: v for k, v in row.items() if k != "modelId"} for row in rows]
                assert same_rows([row for page in pages for row in page], bare), (day, sort)
                assert {len(page) for page in pages[:-1]} <= {size}


def test_the_real_client_lists_the_newest_day(recordings: Path) -> None:
    rows = recorded_rows(recordings, recorded_days(recordings)[-1])
    with StandIn(recordings) as standin:
        api = HfApi(endpoint=standin.url, token=False)
        models = list(api.list_models(sort="created_at", expand=THIN))  # type: ignore[arg-type]
    assert Counter(model.id for model in models) == Counter(row["id"] for row in rows)
    created = [model.created_at for model in models]
    known = [day for day in created if day is not None]
    assert known == sorted(known, reverse=True)
    assert created[len(known) :] == [None] * (len(models) - len(known))
    assert len(known) == sum("createdAt" in row for row in rows)
    assert all(day.tzinfo == UTC for day in known[:5])


def manifest(recordings: Path, below: str, column: str = "sha256") -> dict[str, str]:
    with (recordings / "MANIFEST.csv").open(encoding="utf-8", newline="") as lines:
        return {
            row["path"].removeprefix(below): row[column]
            for row in csv.DictReader(lines)
            if row["path"].startswith(below)
        }


def test_every_board_downloads_with_the_listed_digest(recordings: Path, tmp_path: Path) -> None:
    listed = manifest(recordings, "lmarena/leaderboard-dataset/")
    with StandIn(recordings) as standin:
        api = HfApi(endpoint=standin.url, token=False)
        tree = api.list_repo_tree(DATASET, repo_type="dataset", recursive=True)
        found = {e.path: e.lfs.sha256 for e in tree if getattr(e, "lfs", None)}  # type: ignore[union-attr]
        folder = api.snapshot_download(DATASET, repo_type="dataset", cache_dir=tmp_path)
        modified = api.dataset_info(DATASET).last_modified
    observed = manifest(recordings, "lmarena/leaderboard-dataset/", "observation_date")
    assert modified is not None
    assert modified.date().isoformat() == max(days[-10:] for days in observed.values())
    assert found == listed
    on_disk = {name: (Path(folder) / name).read_bytes() for name in listed}
    assert {name: hashlib.sha256(body).hexdigest() for name, body in on_disk.items()} == listed


def test_every_edition_is_zipped_whole_and_unmodified(recordings: Path) -> None:
    with StandIn(recordings) as standin:
        editions = ask(standin, "/ai_index/").json()
        bodies = {edition: ask(standin, f"/ai_index/{edition}.zip").body for edition in editions}
    assert editions
    for edition, body in bodies.items():
        archive = zipfile.ZipFile(io.BytesIO(body))
        root = f"PUBLIC DATA_ {edition} AI INDEX REPORT/"
        found = {name.removeprefix(root): archive.read(name) for name in archive.namelist()}
        listed = manifest(recordings, f"ai_index/{edition}/")
        listed.pop("figure_catalog.csv", None)
        assert {name: hashlib.sha256(data).hexdigest() for name, data in found.items()} == listed


def test_recorded_epoch_trending_and_samples_come_back_verbatim(recordings: Path) -> None:
    newest = {path.name: path for path in sorted((recordings / "epoch").glob("*/*.csv"))}
    trending = sorted((recordings / "hub/trending").glob("*.json"))[-1]
    samples = json.loads((recordings / "hub/samples/responses.json").read_text())
    with StandIn(recordings) as standin:
        for name, path in newest.items():
            assert ask(standin, f"/data/epochdb/{name}").body == path.read_bytes()
        assert ask(standin, "/api/trending").body == trending.read_bytes()
        for sample in samples:
            reply = ask(standin, urlsplit(sample["url"]).path)
            assert reply.status == sample["status"]
            assert reply.body == (recordings / "hub/samples" / sample["file"]).read_bytes()
