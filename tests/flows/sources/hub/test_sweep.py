"""A sweep of the Hub over HTTP: it resumes, stops at its end, and quarantines unsound items."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

import orjson
import pytest

from flows.settings import Settings
from flows.sources.http import SourceError
from flows.steps.observe import observe
from tests.conftest import DAY, settings_for
from tests.standin import Answer, Call, RefusalError, StandIn
from tests.standin.web import json_answer
from tests.support.sources import (
    counts,
    listings,
    loaded,
    refused,
    some_models,
    write_models,
)
from warehouse.archive.archive import Archive


class Dying(StandIn):
    """Dies while it sends a page of the listing, connections and all."""

    def __init__(self, folder: Path, *, after: int, **more: Any) -> None:
        super().__init__(folder, **more)
        self.left = after

    def answer(self, call: Call) -> Answer:
        if call.segments == ("api", "models"):
            if self.left == 0:
                self._server.close()
            self.left -= 1
        return super().answer(call)


@pytest.mark.parametrize("after", [1, 4, 9])
def test_a_sweep_resumes_after_the_server_died(tmp_path: Path, after: int) -> None:
    folder = write_models(tmp_path / "recordings", some_models(50))
    with Dying(folder, after=after, page_size=5) as dying:
        settings = settings_for(dying, tmp_path)
        port = urlsplit(dying.url).port
        with pytest.raises(SourceError, match="no response after retries") as failed:
            observe("hub", settings, DAY)
    assert failed.value.is_transient
    archive = Archive(settings.archive)
    assert archive.snapshots() == []
    assert archive.unfinished() == [archive.folder("hub", DAY)]
    had = listings(dying)[1:after]
    with StandIn(folder, port=port or 0, page_size=5) as server:
        sealed = observe("hub", settings, DAY).snapshot
    assert len(had) == after - 1
    assert not set(had) & set(listings(server))
    assert len(listings(server)) == 10 - after + 1  # and the newest again
    assert (len(sealed.files), sealed.rows_seen) == (10, 50)
    con = loaded(settings, "hub")
    assert counts(con, "raw.hub_models", "downloads_30d") == dict.fromkeys(range(50), 1)
    assert refused(con) == []


def test_a_sweep_that_died_after_its_last_page_is_only_sealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_models(tmp_path / "recordings", some_models(20))
    with StandIn(folder, page_size=5) as server:
        settings = settings_for(server, tmp_path)
        with monkeypatch.context() as patch:
            patch.setattr("warehouse.archive.draft.Draft.seal", lambda *_, **__: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                observe("hub", settings, DAY)
        asked = len(server.requests)
        assert observe("hub", settings, DAY).snapshot.rows_seen == 20
        assert listings(server)[asked:] == [""]  # the newest, again: nothing was created meanwhile


def test_a_sweep_of_another_hub_restarts(tmp_path: Path) -> None:
    """Two halves of two Hubs are no observation of either, and a token stays with its host."""
    folder = write_models(tmp_path / "recordings", some_models(50))
    with Dying(folder, after=4, page_size=5) as dying:
        with pytest.raises(SourceError):
            observe("hub", settings_for(dying, tmp_path), DAY)
        first = dying.url
    other = write_models(tmp_path / "other", some_models(12))
    with StandIn(other, page_size=5) as server:
        assert server.url != first
        settings = settings_for(server, tmp_path)
        sealed = observe("hub", settings, DAY).snapshot
    assert len(listings(server)) == 4  # three pages, and the newest again
    assert sealed.rows_seen == 12
    assert {f.url.split("/api")[0] for f in sealed.files} == {server.url}


class Forgetful(StandIn):
    """Takes no cursor that it has not given itself."""

    def __init__(self, folder: Path, **more: Any) -> None:
        super().__init__(folder, **more)
        self.given: set[str] = set()

    def answer(self, call: Call) -> Answer:
        cursor = call.value("cursor") if call.segments == ("api", "models") else None
        if cursor is not None and cursor not in self.given:
            raise RefusalError(400, "Invalid cursor")
        answer = super().answer(call)
        link = answer.headers.get("Link", "").partition(">")[0].lstrip("<")
        self.given |= set(parse_qs(urlsplit(link).query).get("cursor", []))
        return answer


def test_a_rejected_cursor_restarts_the_sweep(tmp_path: Path) -> None:
    folder = write_models(tmp_path / "recordings", some_models(50))
    with Dying(folder, after=4, page_size=5) as dying:
        settings, port = settings_for(dying, tmp_path), urlsplit(dying.url).port
        with pytest.raises(SourceError):
            observe("hub", settings, DAY)
    with Forgetful(folder, port=port or 0, page_size=5) as server:
        sealed = observe("hub", settings, DAY).snapshot
    assert listings(server, 400) != []
    assert (len(sealed.files), sealed.rows_seen) == (10, 50)
    assert refused(loaded(settings, "hub")) == []


class Empty(StandIn):
    """Lists nothing."""

    def answer(self, call: Call) -> Answer:
        if call.segments == ("api", "models"):
            return json_answer([])
        return super().answer(call)


def test_an_empty_listing_is_an_error(tmp_path: Path) -> None:
    folder = write_models(tmp_path / "recordings", some_models(20))
    with Empty(folder) as server:
        settings, port = settings_for(server, tmp_path), urlsplit(server.url).port
        with pytest.raises(SourceError, match="contains no models") as failed:
            observe("hub", settings, DAY)
    assert failed.value.is_transient
    with StandIn(folder, port=port or 0) as server:
        assert observe("hub", settings, DAY).snapshot.rows_seen == 20


class Elsewhere(StandIn):
    """Sends the next page's address with another text in it."""

    change: tuple[str, str] = ("", "")

    def answer(self, call: Call) -> Answer:
        answer = super().answer(call)
        if "Link" not in answer.headers:
            return answer
        link = answer.headers["Link"].replace(*self.change)
        return Answer(answer.status, answer.body, {**answer.headers, "Link": link})


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_link_to_another_host_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_" + "x" * 34)
    folder = write_models(tmp_path / "recordings", some_models(50))
    with StandIn(folder) as stranger, Elsewhere(folder, page_size=5) as server:
        server.change = (server.url, stranger.url.replace("http", scheme, 1))
        with pytest.raises(SourceError, match="another host") as failed:
            observe("hub", settings_for(server, tmp_path), DAY)
        assert f"2026-08-15 the next page is on another host\n  where: {scheme}://" in str(
            failed.value
        )
        assert "authorization" in server.requests[0].headers
        assert stranger.requests == []
    assert Archive(tmp_path / "archive").snapshots() == []


def test_a_listing_that_repeats_itself_is_stopped(tmp_path: Path) -> None:
    class Circle(StandIn):
        def answer(self, call: Call) -> Answer:
            answer = super().answer(call)
            link = f'<{self.url}/api/models?cursor={len(self.requests) % 3}>; rel="next"'
            return Answer(200, b"[]", {**answer.headers, "Link": link})

        def respond(self, call: Call) -> Answer:
            plain = Call(call.method, call.target, call.segments, (), call.headers)
            return super().respond(plain)

    folder = write_models(tmp_path / "recordings", some_models(5))
    with Circle(folder) as server:
        with pytest.raises(SourceError, match="repeats itself"):
            observe("hub", settings_for(server, tmp_path), DAY)
        assert len(server.requests) < 8


class Faulty(StandIn):
    """Adds items to the first page that no Hub should send."""

    more: tuple[Any, ...] = ()

    def answer(self, call: Call) -> Answer:
        answer = super().answer(call)
        if call.segments == ("api", "models") and call.value("cursor") is None:
            items = [*self.more, *orjson.loads(answer.body)]
            return Answer(answer.status, orjson.dumps(items), answer.headers)
        return answer


def test_duplicates_and_items_without_id_are_quarantined_with_the_reason(tmp_path: Path) -> None:
    models = some_models(12)
    first, renamed = models[3], {**models[4], "id": "lab/renamed"}
    folder = write_models(tmp_path / "recordings", models)
    listing = {m["id"]: m for m in StandIn(folder).models.rows}
    extra = (
        {**listing[first["id"]], "downloads": 777},  # the first one counts
        {"downloads": 5},
        {"id": "", "likes": 1},
        {"id": None},
        {"id": 7},
        {"id": {"a": 1}},
        {**renamed, "_id": listing[models[4]["id"]]["_id"]},  # one object under two names
        {"id": "odd/downloads", "downloads": "many"},
        {"id": "odd/likes", "likes": 1e30},
        {"id": "odd/created", "createdAt": "yesterday"},
        {"id": "odd/size", "safetensors": {"total": "large"}},
        {"id": "odd/score", "trendingScore": [1]},
    )
    with Faulty(folder, page_size=4) as server:
        server.more = extra
        settings = settings_for(server, tmp_path)
        sealed = observe("hub", settings, DAY).snapshot
    con = loaded(settings, "hub")
    reasons = Counter(reason for _, _, reason in refused(con))
    cells = {
        "downloads_30d: expected integer, 0 or more, at most 1e+12": 1,
        "likes: expected integer, 0 or more, at most 1e+12": 1,
        "created_at: expected YYYY-MM-DDTHH:MM:SSZ": 1,
        "parameters_total: expected integer": 1,
        "trending_score: expected number": 1,
    }
    assert reasons == {"missing id": 5, "duplicate": 2, **cells}
    kept = counts(con, "raw.hub_models", "model_id_hf")
    assert {f"odd/{n}" for n in ("downloads", "likes", "created", "size", "score")} <= set(kept)
    assert sum(kept.values()) == len(models) + len(extra) - 5 - 2
    assert sealed.rows_seen == len(models) + len(extra) - 2
    assert set(kept.values()) == {1}
    assert "lab/renamed" in kept
    assert models[4]["id"] not in kept
    result = con.execute(
        "SELECT downloads_30d FROM raw.hub_models WHERE model_id_hf = ?", [first["id"]]
    ).fetchall()
    assert result == [(777,)]


def test_a_rejected_record_is_stored_as_received_with_its_page(tmp_path: Path) -> None:
    folder = write_models(tmp_path / "recordings", some_models(2))
    with Faulty(folder) as server:
        server.more = ({"downloads": 5, "tags": ["a"]}, {"id": 7})
        settings = settings_for(server, tmp_path)
        observe("hub", settings, DAY)
    result = loaded(settings, "hub").execute("FROM raw.quarantine ORDER BY line").fetchall()
    page = ("hub/2026-08-15", DAY, "raw.hub_models", "000001.json.zst")
    assert [row[:6] for row in result] == [(*page, 1, "missing id"), (*page, 2, "missing id")]
    # Nothing of this machine: the same bytes elsewhere must give the same table.
    assert [json.loads(row[6]) for row in result] == [{"downloads": 5, "tags": ["a"]}, {"id": 7}]


def test_the_first_of_a_repeated_key_counts(tmp_path: Path) -> None:
    class Twice(StandIn):
        def answer(self, call: Call) -> Answer:
            answer = super().answer(call)
            odd = b'[{"id":"odd/twice","likes":3,"likes":4},{"id":"odd/text","safetensors":"x"},'
            more = odd + b'{"id":"odd/number","likes":1.5,"likes":1},'
            return Answer(answer.status, more + answer.body[1:], answer.headers)

    with Twice(write_models(tmp_path / "recordings", some_models(3))) as server:
        settings = settings_for(server, tmp_path)
        observe("hub", settings, DAY)
    con = loaded(settings, "hub")
    odd = "SELECT model_id_hf, likes FROM raw.hub_models WHERE author = 'odd' ORDER BY ALL"
    assert con.execute(odd).fetchall() == [
        ("odd/number", None),
        ("odd/text", None),
        ("odd/twice", 3),
    ]
    result = "likes: expected integer, 0 or more, at most 1e+12"
    assert refused(con) == [("raw.hub_models", 3, result)]
    assert con.execute("SELECT count(*) FROM raw.hub_models").fetchone() == (6,)


def test_a_model_that_moved_to_the_next_page_is_quarantined_there(tmp_path: Path) -> None:
    class Sliding(StandIn):
        """Every page but the first begins with the model that ended the one before."""

        last: ClassVar[dict[str | None, Any]] = {}

        def answer(self, call: Call) -> Answer:
            answer = super().answer(call)
            items = orjson.loads(answer.body)
            behind = re.search("cursor=([^&>]*)", answer.headers.get("Link", ""))
            if behind:
                self.last[unquote(behind[1])] = items[-1]
            again = self.last.get(call.value("cursor"))
            items = [again, *items] if again else items
            return Answer(answer.status, orjson.dumps(items), answer.headers)

    with Sliding(write_models(tmp_path / "recordings", some_models(9)), page_size=3) as server:
        settings = settings_for(server, tmp_path)
        observe("hub", settings, DAY)
    con = loaded(settings, "hub")
    result = "SELECT file_name, line, reason FROM raw.quarantine ORDER BY ALL"
    assert con.execute(result).fetchall() == [
        ("000002.json.zst", 1, "duplicate"),
        ("000003.json.zst", 1, "duplicate"),
    ]
    assert con.execute("SELECT count(*) FROM raw.hub_models").fetchone() == (9,)


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    names = [
        "'; DROP TABLE raw.hub_models; --",
        "../../x",
        "a/b\x1b[2J",
        "a/\0b",
        "\u202ex/y",
        "𝕏/😀",
    ]
    with Faulty(write_models(tmp_path / "recordings", some_models(1))) as server:
        server.more = tuple({"id": name, "tags": [name]} for name in names)
        settings = settings_for(server, tmp_path)
        observe("hub", settings, DAY)
    con = loaded(settings, "hub")
    assert set(names) <= set(counts(con, "raw.hub_models", "model_id_hf"))
    assert refused(con) == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["archive", "recordings"]


def test_the_sidecar_says_whether_the_oldest_item_was_reached(
    tmp_path: Path, observed: Settings
) -> None:
    snapshot = Archive(observed.archive).snapshot("hub", DAY)
    assert snapshot is not None
    assert "2022-03-02 was reached" in snapshot.notes[0]
    assert snapshot.is_complete
    with StandIn(write_models(tmp_path / "recordings", some_models(5)[1:])) as server:
        torso = observe("hub", settings_for(server, tmp_path), DAY).snapshot
    assert "not reached" in torso.notes[0]
    assert not torso.is_complete
