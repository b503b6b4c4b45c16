"""The model listing, trending strips and quotas of the stand-in."""

from __future__ import annotations

import base64
import json
import time
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import (
    BadRequestError,
    HfHubHTTPError,
    RepositoryNotFoundError,
)
from huggingface_hub.utils import (  # type: ignore[attr-defined]
    http_backoff,
    parse_ratelimit_headers,
)

from tests.standin import StandIn
from tests.support.standin_client import (
    DATASET,
    ask,
    everything,
    same_rows,
    tiny_rows,
    walk,
    write,
    write_day,
)

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


def test_cursor_is_a_mongo_keyset_on_the_same_host(standin: StandIn) -> None:
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
def test_invalid_queries_are_rejected(standin: StandIn, query: str, status: int) -> None:
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


def test_a_strip_later_than_the_hub_day_is_served_if_there_is_no_other(tmp_path: Path) -> None:
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


def test_quota_counts_down_per_bucket_to_429(tiny: Path) -> None:
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
