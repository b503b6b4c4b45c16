"""Every source over HTTP: each recorded row arrives in raw or in quarantine, and none twice."""

from __future__ import annotations

import csv
import json
import re
import shutil
import threading
import zipfile
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

import duckdb
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from flows.settings import DEFAULT_SOURCES, Settings
from flows.sources import SOURCES
from flows.sources.formats.zips import DAMAGED_ZIP, open_zip
from flows.sources.http import SourceError
from flows.steps.observe import observe
from tests.conftest import DAY, settings_for
from tests.standin import Answer, Call, RefusalError, StandIn
from tests.standin.web import json_answer
from warehouse.archive.archive import Archive
from warehouse.archive.snapshot import ArchivedFile
from warehouse.contracts.table import contract
from warehouse.database.duckdb_file import create_tables

NEXT_DAY = date(2026, 8, 16)
BOARDS = "lmarena/leaderboard-dataset"
FULL = "full-00000-of-00001.parquet"
HUB_DAYS = [
    "2025-11-10",
    "2025-11-27",
    *(f"2026-08-{day:02}" for day in range(7, 16)),
    "2026-10-15",
]


# --- helpers -------------------------------------------------------------------------------------


def loaded(settings: Settings, *sources: str) -> duckdb.DuckDBPyConnection:
    """Raw tables in memory, with every snapshot of the archive parsed."""
    con = duckdb.connect()
    create_tables(con)
    archive = Archive(settings.archive)
    for source in sources:
        for snapshot in archive.snapshots(source):
            SOURCES[source].parse(con, archive, snapshot)
    return con


def counts(con: duckdb.DuckDBPyConnection, table: str, *by: str) -> dict[Any, int]:
    columns = ", ".join(by)
    rows = con.execute(f"SELECT {columns}, count(*) FROM {table} GROUP BY ALL").fetchall()
    return {row[:-1] if len(by) > 1 else row[0]: row[-1] for row in rows}


def refused(con: duckdb.DuckDBPyConnection) -> list[tuple[str, int, str]]:
    """Table, line and reason of what is in quarantine."""
    query = "SELECT table_name, line, reason FROM raw.quarantine ORDER BY ALL"
    return con.execute(query).fetchall()


@pytest.fixture(scope="session")
def listed(recordings: Path) -> dict[str, int]:
    """Rows of every recorded file, as MANIFEST.csv says."""
    with (recordings / "MANIFEST.csv").open(encoding="utf-8", newline="") as lines:
        return {r["path"]: int(r["rows"]) for r in csv.DictReader(lines) if r["rows"]}


@pytest.fixture(scope="module")
def raw(observed: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """Every source, as recorded, in raw tables."""
    con = loaded(observed, *observed.sources)
    yield con
    con.close()


def write_models(folder: Path, models: list[dict[str, Any]], day: str = "2026-08-15") -> Path:
    """Recordings of a small Hub."""
    path = folder / "hub" / day / "models.ndjson.zst"
    path.parent.mkdir(parents=True)
    path.write_bytes(zstandard.compress(b"\n".join(map(orjson.dumps, models)) + b"\n"))
    return folder


def some_models(number: int) -> list[dict[str, Any]]:
    """The oldest of them is as old as the Hub can say."""
    made = [
        {"id": f"lab{n % 7}/m{n}", "createdAt": f"2026-01-01T00:00:{n:02}.000Z", "downloads": n}
        for n in range(number)
    ]
    return [made[0] | {"createdAt": "2022-03-02T23:29:04.000Z"}, *made[1:]]


def listings(server: StandIn, status: int = 200) -> list[str]:
    """Cursor of every listing page that was asked for and answered so; '' is the first page."""
    return [
        r.query.get("cursor", [""])[0]
        for r in server.requests
        if r.path == "/api/models" and r.status == status
    ]


def copy_boards(recordings: Path, folder: Path, *subsets: str) -> Path:
    for subset in subsets:
        target = folder / BOARDS / subset / FULL
        target.parent.mkdir(parents=True)
        shutil.copyfile(recordings / BOARDS / subset / FULL, target)
    return folder


def downloads(server: StandIn) -> list[str]:
    """Files of the data set whose bytes were sent."""
    return [
        r.path.split("/resolve/")[1].split("/", 1)[1]
        for r in server.requests
        if "/resolve/" in r.path and r.method == "GET" and r.status == 200
    ]


# --- row accounting against MANIFEST.csv ---------------------------------------------------------


def test_nothing_recorded_is_refused(raw: duckdb.DuckDBPyConnection) -> None:
    assert refused(raw) == []


@pytest.mark.parametrize("day", HUB_DAYS)
def test_every_hub_model_of_a_day_is_in_raw(
    recordings: Path, listed: dict[str, int], tmp_path: Path, day: str
) -> None:
    recorded = recordings / "hub" / day / "models.ndjson.zst"
    with StandIn(recordings, hub_date=day) as server:
        settings = settings_for(server, tmp_path, hub_page_rows=1000 if day > "2026-10" else 97)
        pages = len(observe("hub", settings, date.fromisoformat(day)).snapshot.files)
    con = loaded(settings, "hub")
    assert pages == -(-listed[f"hub/{day}/models.ndjson.zst"] // settings.hub_page_rows)
    assert listings(server)[pages:] == [""]  # what was created meanwhile: nothing
    assert counts(con, "raw.hub_models", "snapshot_id") == {
        f"hub/{day}": listed[f"hub/{day}/models.ndjson.zst"]
    }
    assert refused(con) == []
    theirs = con.sql(
        "SELECT id, downloads, likes, pipeline_tag, tags FROM read_json(?, format = "
        "'newline_delimited', columns = {id: 'VARCHAR', downloads: 'BIGINT', likes: 'BIGINT', "
        "pipeline_tag: 'VARCHAR', tags: 'VARCHAR'})",
        params=[str(recorded)],
    )
    ours = con.sql(
        "SELECT model_id_hf, downloads_30d, likes, pipeline_tag, tags_json FROM raw.hub_models"
    )
    assert theirs.except_(ours).fetchall() == []
    assert ours.except_(theirs).fetchall() == []


def test_missing_stays_missing_and_zero_stays_zero(raw: duckdb.DuckDBPyConnection) -> None:
    """archive/README.md: on 2026-08-15 55 models have no task, 37 no library, 16 no downloads."""
    told = raw.execute("""SELECT count(*) FILTER (pipeline_tag IS NULL),
        count(*) FILTER (library_name IS NULL), count(*) FILTER (downloads_30d = 0),
        count(*) FILTER (downloads_all_time IS NOT NULL) FROM raw.hub_models""").fetchall()
    assert told == [(55, 37, 16, 0)]


@pytest.mark.parametrize("at", ["2026-03-02T1217", "2026-05-17", "2026-07-31T1407"])
def test_every_trending_item_is_in_raw(recordings: Path, tmp_path: Path, at: str) -> None:
    with StandIn(recordings, trending_at=at) as server:
        settings = settings_for(server, tmp_path)
        observe("hub_trending", settings, DAY)
        strip = json.loads(server.trending.read_bytes())["recentlyTrending"]
    con = loaded(settings, "hub_trending")
    ids = con.execute("SELECT model_id_hf FROM raw.hub_trending ORDER BY position").fetchall()
    assert [i for (i,) in ids] == [item["repoData"]["id"] for item in strip]
    assert refused(con) == []


def test_every_line_of_every_board_is_in_raw(
    raw: duckdb.DuckDBPyConnection, listed: dict[str, int]
) -> None:
    recorded = {
        path.split("/")[2]: rows
        for path, rows in listed.items()
        if path.startswith(BOARDS) and path.endswith(FULL)
    }
    assert len(recorded) == 12
    assert counts(raw, "raw.arena_leaderboards", "subset") == recorded


@pytest.mark.parametrize("subset", ["vision", "webdev"])  # doubles for counts, and whole numbers
def test_a_board_is_loaded_as_it_was_published(
    raw: duckdb.DuckDBPyConnection, recordings: Path, subset: str
) -> None:
    columns = "model_name, rating, rating_lower, rating_upper, vote_count, rank, category"
    ours = raw.sql(
        f"SELECT line, {columns}, organization, leaderboard_publish_date FROM "
        "raw.arena_leaderboards WHERE subset = ?",
        params=[subset],
    )
    theirs = raw.sql(
        f"SELECT file_row_number + 1, {columns}, nullif(organization, ''), "
        "leaderboard_publish_date::DATE FROM read_parquet(?, file_row_number = true)",
        params=[str(recordings / BOARDS / subset / FULL)],
    )
    assert theirs.except_(ours).fetchall() == []


def test_a_null_on_a_board_stays_null(raw: duckdb.DuckDBPyConnection) -> None:
    """archive/README.md, section 2: null votes and null bounds of the text board."""
    told = raw.execute("""SELECT count(*) FILTER (vote_count IS NULL),
        count(*) FILTER (rating_lower IS NULL), count(*) FILTER (license IS NULL)
        FROM raw.arena_leaderboards WHERE subset = 'text'""").fetchall()
    assert told == [(434_796, 13_897, 4_743)]


def newest_epoch(listed: dict[str, int], day: str) -> dict[str, int]:
    """Rows of the newest recording of each file by a day, of those that have an address."""
    newest = {
        path.split("/")[2].removesuffix(".csv"): rows
        for path, rows in sorted(listed.items())
        if path.startswith("epoch/") and path.split("/")[1] <= day
    }
    return {n: r for n, r in newest.items() if n not in ("organizations", "model_versions")}


def epoch_counts(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    found = counts(con, "raw.epoch_models", "file_name")
    ((index,),) = con.execute("SELECT count(*) FROM raw.epoch_capabilities").fetchall()
    return found | ({"epoch_capabilities_index": index} if index else {})


def test_every_epoch_record_of_the_newest_vintages_is_in_raw(
    raw: duckdb.DuckDBPyConnection, listed: dict[str, int]
) -> None:
    found = epoch_counts(raw)
    assert found == newest_epoch(listed, "2026-05-02")
    assert sum(found.values()) == 4469


@pytest.mark.parametrize("day", ["2024-07-16", "2025-05-06"])  # other headers, other columns
def test_every_epoch_record_of_an_older_vintage_is_in_raw(
    recordings: Path, listed: dict[str, int], tmp_path: Path, day: str
) -> None:
    with StandIn(recordings, epoch_date=day) as server:
        settings = settings_for(server, tmp_path)
        observe("epoch", settings, DAY)
    con = loaded(settings, "epoch")
    assert refused(con) == []
    assert epoch_counts(con) == newest_epoch(listed, day)


def test_without_the_notable_models_there_is_no_epoch(recordings: Path, tmp_path: Path) -> None:
    with (
        StandIn(recordings, epoch_date="2024-06-03") as server,
        pytest.raises(SourceError, match="HTTP 404") as failed,
    ):
        observe("epoch", settings_for(server, tmp_path), DAY)
    assert "notable_ai_models.csv" in str(failed.value)


def test_every_record_of_both_ai_index_editions_is_in_raw(
    raw: duckdb.DuckDBPyConnection, listed: dict[str, int]
) -> None:
    recorded = {
        (int(parts[1]), "/".join(parts[2:])): rows
        for path, rows in listed.items()
        if (parts := path.split("/"))[0] == "ai_index" and "Data" in parts
    }
    found = counts(raw, "raw.ai_index_rows", "edition", "file_name")
    assert found == {name: rows for name, rows in recorded.items() if rows}
    assert {edition for edition, _ in found} == {2025, 2026}


def test_rows_lead_back_to_the_sidecar(raw: duckdb.DuckDBPyConnection, observed: Settings) -> None:
    archive = Archive(observed.archive)
    for table, source in (("hub_models", "hub"), ("arena_leaderboards", "lmarena")):
        found = raw.execute(f"SELECT DISTINCT snapshot_id, snapshot_date FROM raw.{table}")
        assert found.fetchall() == [(f"{source}/{DAY}", DAY)]
    told = {s.source: s.rows_seen for s in archive.snapshots()}
    tables = {"hub": "hub_models", "hub_trending": "hub_trending", "ai_index": "ai_index_rows"}
    for source, table in tables.items():
        assert sum(counts(raw, f"raw.{table}", "1").values()) == told[source]


# --- the archive as a client sees it --------------------------------------------------------------


@pytest.mark.parametrize("source", list(DEFAULT_SOURCES))
def test_a_second_run_of_the_day_asks_for_nothing(
    observed: Settings, standin: StandIn, source: str
) -> None:
    if source not in observed.sources:
        pytest.skip("not recorded")
    before = len(standin.requests)
    assert observe(source, observed, DAY).is_reused
    assert len(standin.requests) == before


def test_two_runs_at_once_ask_once(recordings: Path, tmp_path: Path) -> None:
    asked = threading.Event()

    class Slow(StandIn):
        def answer(self, call: Call) -> Answer:
            asked.set()
            threading.Event().wait(0.3)
            return super().answer(call)

    told: list[bool] = []
    with Slow(recordings) as server:
        settings = settings_for(server, tmp_path)

        def one() -> None:
            told.append(observe("hub_trending", settings, DAY).is_reused)

        first, second = threading.Thread(target=one), threading.Thread(target=one)
        first.start()
        assert asked.wait(10)
        second.start()
        first.join(20), second.join(20)
    assert sorted(told) == [False, True]
    assert [r.path for r in server.requests] == ["/api/trending"]


# --- hub -----------------------------------------------------------------------------------------


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
def test_a_sweep_goes_on_where_the_server_died(tmp_path: Path, after: int) -> None:
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


def test_a_sweep_of_another_hub_starts_anew(tmp_path: Path) -> None:
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


def test_a_cursor_that_is_no_longer_taken_starts_the_sweep_anew(tmp_path: Path) -> None:
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


def test_an_empty_listing_is_no_observation(tmp_path: Path) -> None:
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


def test_a_listing_that_goes_in_a_circle_is_stopped(tmp_path: Path) -> None:
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


def test_duplicates_and_items_without_id_are_kept_apart_with_the_reason(tmp_path: Path) -> None:
    models = some_models(12)
    first, renamed = models[3], {**models[4], "id": "lab/renamed"}
    folder = write_models(tmp_path / "recordings", models)
    listing = {m["id"]: m for m in StandIn(folder).models.rows}
    extra = (
        {**listing[first["id"]], "downloads": 777},  # met first: this one is kept
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
        "downloads_30d: expected integer, 0 or more": 1,
        "likes: expected integer, 0 or more": 1,
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
    told = con.execute(
        "SELECT downloads_30d FROM raw.hub_models WHERE model_id_hf = ?", [first["id"]]
    ).fetchall()
    assert told == [(777,)]


def test_a_refused_record_is_kept_as_it_came_and_names_its_page(tmp_path: Path) -> None:
    folder = write_models(tmp_path / "recordings", some_models(2))
    with Faulty(folder) as server:
        server.more = ({"downloads": 5, "tags": ["a"]}, {"id": 7})
        settings = settings_for(server, tmp_path)
        observe("hub", settings, DAY)
    told = loaded(settings, "hub").execute("FROM raw.quarantine ORDER BY line").fetchall()
    page = ("hub/2026-08-15", DAY, "raw.hub_models", "000001.json.zst")
    assert [row[:6] for row in told] == [(*page, 1, "missing id"), (*page, 2, "missing id")]
    # Nothing of this machine: the same bytes elsewhere must give the same table.
    assert [json.loads(row[6]) for row in told] == [{"downloads": 5, "tags": ["a"]}, {"id": 7}]


def test_of_a_key_that_stands_twice_the_first_counts_and_the_sweep_goes_on(tmp_path: Path) -> None:
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
    told = "likes: expected integer, 0 or more"
    assert refused(con) == [("raw.hub_models", 3, told)]
    assert con.execute("SELECT count(*) FROM raw.hub_models").fetchone() == (6,)


def test_a_model_that_slid_to_the_next_page_is_refused_there_by_its_line(tmp_path: Path) -> None:
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
    told = "SELECT file_name, line, reason FROM raw.quarantine ORDER BY ALL"
    assert con.execute(told).fetchall() == [
        ("000002.json.zst", 1, "duplicate"),
        ("000003.json.zst", 1, "duplicate"),
    ]
    assert con.execute("SELECT count(*) FROM raw.hub_models").fetchone() == (9,)


def test_names_from_outside_stay_text(tmp_path: Path) -> None:
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


def test_the_sidecar_says_how_far_down_the_sweep_came(tmp_path: Path, observed: Settings) -> None:
    snapshot = Archive(observed.archive).snapshot("hub", DAY)
    assert snapshot is not None
    assert "2022-03-02 was reached" in snapshot.notes[0]
    assert snapshot.is_complete
    with StandIn(write_models(tmp_path / "recordings", some_models(5)[1:])) as server:
        torso = observe("hub", settings_for(server, tmp_path), DAY).snapshot
    assert "not reached" in torso.notes[0]
    assert not torso.is_complete


# --- trending ------------------------------------------------------------------------------------


def test_trending_items_that_cannot_be_used_are_kept_apart(
    recordings: Path, tmp_path: Path
) -> None:
    sound = {"repoType": "model", "repoData": {"id": "a/b", "downloads": 3, "likes": 1}}
    odd = {"repoType": "model", "repoData": {"id": "a/c", "downloads": "many"}}
    strip = [sound, {"repoType": "model"}, 5, None, odd, {"repoData": {"id": "a/d"}}]

    class Strip(StandIn):
        def answer(self, call: Call) -> Answer:
            return Answer(200, orjson.dumps({"recentlyTrending": strip}))

    with Strip(recordings) as server:
        settings = settings_for(server, tmp_path)
        observe("hub_trending", settings, DAY)
    con = loaded(settings, "hub_trending")
    kept = counts(con, "raw.hub_trending", "model_id_hf", "position", "downloads_30d")
    assert kept == {("a/b", 1, 3): 1, ("a/c", 5, None): 1}
    table = "raw.hub_trending"
    assert refused(con) == [
        (table, 2, "missing id or type"),
        (table, 3, "missing id or type"),
        (table, 4, "missing id or type"),
        (table, 5, "downloads_30d: expected integer"),
        (table, 6, "missing id or type"),
    ]


def test_a_strip_that_was_kept_and_not_sealed_is_asked_for_again(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with StandIn(recordings) as server:
        settings = settings_for(server, tmp_path)
        with monkeypatch.context() as patch:
            patch.setattr("warehouse.archive.draft.Draft.seal", lambda *_, **__: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                observe("hub_trending", settings, DAY)
        assert observe("hub_trending", settings, DAY).snapshot.rows_seen == 10
    assert sum(counts(loaded(settings, "hub_trending"), "raw.hub_trending", "1").values()) == 10


# --- lmarena -------------------------------------------------------------------------------------


def test_a_second_day_downloads_only_what_changed(recordings: Path, tmp_path: Path) -> None:
    subsets = ("document_style_control", "image_edit", "webdev")
    folder = copy_boards(recordings, tmp_path / "recordings", *subsets)
    with StandIn(folder) as server:
        settings = settings_for(server, tmp_path)
        first = observe("lmarena", settings, DAY).snapshot
        assert sorted(downloads(server)) == [f"{s}/{FULL}" for s in subsets]
        board = folder / BOARDS / "webdev" / FULL
        pq.write_table(pq.read_table(board).slice(0, 1800), board)
        copy_boards(recordings, folder, "video_edit")
        server.requests.clear()
        second = observe("lmarena", settings, NEXT_DAY).snapshot
        assert sorted(downloads(server)) == [f"video_edit/{FULL}", f"webdev/{FULL}"]
    before = {f.name: f.path for f in first.files}
    after = {f.name: f.path for f in second.files}
    same = {name for name in after if after[name] == before.get(name)}
    assert same == {f"{s}/{FULL}" for s in subsets[:2]}
    assert [f.retrieved_at.date() for f in second.files] == [second.retrieved_at.date()] * 4
    found = counts(loaded(settings, "lmarena"), "raw.arena_leaderboards", "snapshot_date", "subset")
    assert found[NEXT_DAY, "webdev"] == 1800
    assert found[NEXT_DAY, "video_edit"] == 133
    assert found[NEXT_DAY, "image_edit"] == found[DAY, "image_edit"] == 1268


def test_a_renamed_board_keeps_its_new_name_and_is_not_fetched(
    recordings: Path, tmp_path: Path
) -> None:
    folder = copy_boards(recordings, tmp_path / "recordings", "video_edit")
    with StandIn(folder) as server:
        settings = settings_for(server, tmp_path)
        observe("lmarena", settings, DAY)
        (folder / BOARDS / "video_edit").rename(folder / BOARDS / "video_edit_raw")
        server.requests.clear()
        observe("lmarena", settings, NEXT_DAY)
        assert downloads(server) == []
    found = counts(loaded(settings, "lmarena"), "raw.arena_leaderboards", "snapshot_date", "subset")
    assert found == {(DAY, "video_edit"): 133, (NEXT_DAY, "video_edit_raw"): 133}


def test_only_the_whole_history_is_fetched_and_no_path_is_taken_on_trust(
    recordings: Path, tmp_path: Path
) -> None:
    class Hostile(StandIn):
        def answer(self, call: Call) -> Answer:
            answer = super().answer(call)
            if "tree" not in call.segments:
                return answer
            tree = json.loads(answer.body)
            entry = next(e for e in tree if e["type"] == "file")
            paths = ("../x", "/etc", "a/../b", "TEXT", "text\0", "a b", "")
            tree += [{**entry, "path": f"{path}/{FULL}"} for path in paths]
            return Answer(200, json.dumps(tree).encode(), answer.headers)

    folder = copy_boards(recordings, tmp_path / "recordings", "video_edit")
    board = folder / BOARDS / "video_edit"
    shutil.copyfile(board / FULL, board / "latest-00000-of-00001.parquet")
    (folder / BOARDS / "README.md").write_text("# boards")
    with Hostile(folder) as server:
        settings = settings_for(server, tmp_path)
        snapshot = observe("lmarena", settings, DAY).snapshot
        assert downloads(server) == [f"video_edit/{FULL}"]
    assert [f.name for f in snapshot.files] == [f"video_edit/{FULL}"]


def test_bytes_that_are_not_what_the_tree_says_are_refused(
    recordings: Path, tmp_path: Path
) -> None:
    class Swapped(StandIn):
        def answer(self, call: Call) -> Answer:
            answer = super().answer(call)
            if "resolve" not in call.segments:
                return answer
            flipped = answer.body[:99] + bytes([answer.body[99] ^ 1]) + answer.body[100:]
            return Answer(answer.status, flipped, answer.headers)

    folder = copy_boards(recordings, tmp_path / "recordings", "video_edit")
    with Swapped(folder) as server, pytest.raises(SourceError, match=r"but the tree says"):
        observe("lmarena", settings_for(server, tmp_path), DAY)
    assert Archive(tmp_path / "archive").snapshots() == []


def test_board_lines_that_cannot_be_used_are_kept_apart(recordings: Path, tmp_path: Path) -> None:
    folder = copy_boards(recordings, tmp_path / "recordings", "video_edit")
    path = folder / BOARDS / "video_edit" / FULL
    rows = pq.read_table(path).to_pylist()
    for row in rows:
        row["rating"] = str(row["rating"])  # a producer may well turn to text
    rows[0]["model_name"] = ""
    rows[1]["category"] = None
    rows[2]["rating"] = "high"
    rows[3]["rating"] = ""
    pq.write_table(pa.Table.from_pylist(rows), path)
    with StandIn(folder) as server:
        settings = settings_for(server, tmp_path)
        observe("lmarena", settings, DAY)
    con = loaded(settings, "lmarena")
    table, gone = "raw.arena_leaderboards", "missing model, category or date"
    bent = "rating: expected number"
    assert refused(con) == [(table, 1, gone), (table, 2, gone), (table, 3, bent)]
    kept = con.execute(f"SELECT line, rating FROM {table} ORDER BY line LIMIT 2").fetchall()
    assert kept == [(4, None), (5, float(rows[4]["rating"]))]
    record = con.execute("SELECT record FROM raw.quarantine WHERE line = 3").fetchall()[0][0]
    assert json.loads(record)["rating"] == "high"
    assert str(tmp_path) not in record


def test_a_hub_that_is_away_is_told_as_such(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("flows.sources.http.time.sleep", waits.append)
    with StandIn(copy_boards(recordings, tmp_path / "recordings", "video_edit")) as server:
        settings = settings_for(server, tmp_path)
    for source in ("lmarena", "hub", "hub_trending", "epoch", "ai_index"):
        with pytest.raises(SourceError, match=f"^{source}: ") as failed:
            observe(source, settings, DAY)
        assert failed.value.is_transient, source
    assert Archive(settings.archive).snapshots() == []
    assert 0 < max(waits) <= 8 * settings.http_first_wait_seconds  # of every source


# --- epoch ---------------------------------------------------------------------------------------


@pytest.fixture
def vintage(recordings: Path, tmp_path: Path) -> Path:
    """One vintage of notable models and of the capabilities index (which comes in a zip)."""
    folder = tmp_path / "recordings" / "epoch" / "2026-05-02"
    folder.mkdir(parents=True)
    shutil.copy(recordings / "epoch/2026-05-02/notable_ai_models.csv", folder)
    shutil.copy(recordings / "epoch/2026-03-09/epoch_capabilities_index.csv", folder)
    return tmp_path / "recordings"


def epoch_answers(server: StandIn) -> dict[str, int]:
    return {r.path.split("/")[-1]: r.status for r in server.requests if r.status != 404}


def test_an_unchanged_vintage_is_not_sent_again(vintage: Path, tmp_path: Path) -> None:
    with StandIn(vintage) as server:
        settings = settings_for(server, tmp_path)
        first = observe("epoch", settings, DAY).snapshot
        assert epoch_answers(server) == {"notable_ai_models.csv": 200, "benchmark_data.zip": 200}
        server.requests.clear()
        second = observe("epoch", settings, NEXT_DAY).snapshot
        assert epoch_answers(server) == {"notable_ai_models.csv": 304, "benchmark_data.zip": 304}
    assert sum(r.bytes for r in server.requests if r.status == 304) == 0
    assert [f.path for f in second.files] == [f.path for f in first.files]
    assert second.rows_seen == first.rows_seen == 1011 + 583
    found = counts(loaded(settings, "epoch"), "raw.epoch_models", "snapshot_date")
    assert found == {DAY: 1011, NEXT_DAY: 1011}
    assert "frontier_ai_models.csv is not offered" in " ".join(second.notes)


def test_a_vintage_whose_bytes_were_lost_is_asked_for_again(vintage: Path, tmp_path: Path) -> None:
    with StandIn(vintage) as server:
        settings = settings_for(server, tmp_path)
        lost = observe("epoch", settings, DAY).snapshot.find("notable")[0]
        (settings.archive / lost.path).write_bytes(b"rot")
        server.requests.clear()
        again = observe("epoch", settings, NEXT_DAY).snapshot.find("notable")[0]
        assert epoch_answers(server) == {"notable_ai_models.csv": 200, "benchmark_data.zip": 304}
    assert Archive(settings.archive).read(again).count(b"\n") > 1011
    assert again.path != lost.path


def test_epoch_cells_of_another_type_are_kept_apart(vintage: Path, tmp_path: Path) -> None:
    path = vintage / "epoch/2026-05-02/notable_ai_models.csv"
    with path.open(encoding="utf-8", newline="") as lines:
        header, *rows = csv.reader(lines)
    rows[0][header.index("Publication date")] = "soon"
    rows[1][header.index("Parameters")] = "many"
    rows[2][header.index("Parameters")] = "  "
    rows[3][header.index("Model")] = 'A "quoted", name\nover two lines'
    with path.open("w", encoding="utf-8", newline="") as lines:
        csv.writer(lines, lineterminator="\n").writerows([header, *rows])
    with StandIn(vintage) as server:
        settings = settings_for(server, tmp_path)
        observe("epoch", settings, DAY)
    con = loaded(settings, "epoch")
    table = "raw.epoch_models"
    assert refused(con) == [
        (table, 1, "publication_date: expected YYYY-MM-DD"),
        (table, 2, "parameters: expected number"),
    ]
    kept = con.execute(
        f"SELECT line, parameters, model_name_epoch FROM {table} WHERE line < 5 ORDER BY line"
    ).fetchall()
    assert [row[:2] for row in kept[:2]] == [(2, None), (3, None)]
    assert kept[2][2] == 'A "quoted", name\nover two lines'
    notes = "SELECT kind, column_name, record FROM raw.quarantine WHERE line = 2"
    assert con.execute(notes).fetchall() == [("cell", "parameters", "many")]


# --- ai index ------------------------------------------------------------------------------------


@pytest.fixture
def editions(recordings: Path, tmp_path: Path) -> Path:
    """Some figures of both editions, one of them in Mac Roman."""
    figures = {
        "2025": ["fig_1.3.1.csv", "fig_1.3.2.csv", "fig_2.1.36.csv"],
        "2026": ["fig_1.1.1.csv", "fig_4.3.1.csv", "fig_6.4,2.csv"],
    }
    for edition, names in figures.items():
        for name in names:
            (found,) = (recordings / "ai_index" / edition).rglob(name)
            target = tmp_path / "recordings" / found.relative_to(recordings)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(found, target)
    return tmp_path / "recordings"


def index_rows(settings: Settings) -> list[tuple[Any, ...]]:
    con = loaded(settings, "ai_index")
    assert refused(con) == []
    return con.execute("FROM raw.ai_index_rows ORDER BY ALL").fetchall()


def zipped(edition: Path, target: Path, **how: Any) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, **how) as bundle:
        for path in sorted(edition.rglob("*.csv"), reverse=True):
            bundle.write(path, f"My download/{path.relative_to(edition)}")
        bundle.writestr("__MACOSX/1. X/Data/._fig_1.3.1.csv", b"\0\1 resource fork")
        bundle.writestr("My download/1. X/Data/notes.txt", b"no figure")


@pytest.mark.parametrize("form", ["folder", "zip"])
def test_editions_laid_down_by_hand_give_the_same_rows_as_by_url(
    editions: Path, tmp_path: Path, form: str
) -> None:
    with StandIn(editions) as server:
        by_url = settings_for(server, tmp_path / "url")
        observe("ai_index", by_url, DAY)
        assert len(server.requests) == 2
        server.requests.clear()
        laid = tmp_path / "laid"
        laid.mkdir()
        for edition in (editions / "ai_index").iterdir():
            if form == "folder":
                shutil.copytree(edition, laid / f"PUBLIC DATA_ {edition.name} AI INDEX REPORT")
            else:
                zipped(edition, laid / f"{edition.name}.zip")
        by_hand = settings_for(server, tmp_path / "hand", ai_index_files=laid)
        observe("ai_index", by_hand, DAY)
        assert server.requests == []
    rows = index_rows(by_hand)
    assert rows == index_rows(by_url)
    assert len({row[4] for row in rows}) == 6


def test_one_edition_by_hand_and_the_other_by_url(editions: Path, tmp_path: Path) -> None:
    laid = tmp_path / "laid"
    shutil.copytree(editions / "ai_index/2025", laid / "2025")
    with StandIn(editions) as server:
        settings = settings_for(server, tmp_path, ai_index_files=laid)
        observe("ai_index", settings, DAY)
        assert [r.path for r in server.requests] == ["/ai_index/2026.zip"]
    assert {row[2] for row in index_rows(settings)} == {2025, 2026}


def test_editions_that_the_card_does_not_list_are_kept_and_stop_nothing(
    editions: Path, tmp_path: Path
) -> None:
    """As next year's will come: figures and headers move, so nothing is taken on trust."""
    laid = tmp_path / "laid"
    shutil.copytree(editions / "ai_index", laid)
    shutil.copytree(laid / "2025", laid / "PUBLIC DATA_ 2027 AI INDEX REPORT")
    for table in (laid / "PUBLIC DATA_ 2027 AI INDEX REPORT").rglob("*.csv"):
        table.write_bytes(b"Other," + table.read_bytes())
    shutil.copytree(laid / "2026", laid / "2028 draft")  # one of its files is not UTF-8
    with StandIn(editions) as server:
        settings = settings_for(server, tmp_path, ai_index_files=laid)
        snapshot = observe("ai_index", settings, DAY).snapshot
    assert [f.name for f in snapshot.files] == ["2025.zip", "2026.zip", "2027.zip"]
    kept, aside = snapshot.notes
    assert kept == (
        "edition 2027 is not on the source card: its tables are loaded, but no figure is mapped"
    )
    assert aside.startswith("edition 2028 not loaded: ") and "is not UTF-8" in aside
    rows = index_rows(settings)
    assert {row[2] for row in rows} == {2025, 2026, 2027}
    assert [sum(row[2] == e for row in rows) for e in (2025, 2027)] == [7 + 53 + 28] * 2


def test_an_edition_that_is_nowhere_is_noted_and_none_at_all_is_an_error(
    editions: Path, tmp_path: Path
) -> None:
    shutil.rmtree(editions / "ai_index/2025")
    with StandIn(editions) as server:
        settings = settings_for(server, tmp_path)
        notes = observe("ai_index", settings, DAY).snapshot.notes
        assert [n.split(" is")[0] for n in notes] == ["edition 2025"]
        nowhere = settings.model_copy(update={"ai_index_url": server.url + "/none/{edition}.zip"})
        with pytest.raises(SourceError, match="no edition is available") as failed:
            observe("ai_index", nowhere, NEXT_DAY)
        assert "OBSERVATORY_AI_INDEX_FILES" in str(failed.value)
        lost = settings.model_copy(update={"ai_index_files": tmp_path / "nowhere"})
        with pytest.raises(SourceError, match="folder for edition files does not exist"):
            observe("ai_index", lost, NEXT_DAY)


def test_no_query_part_of_an_address_that_looks_secret_is_kept(
    editions: Path, tmp_path: Path
) -> None:
    with StandIn(editions) as server:
        template = server.url + "/ai_index/{edition}.zip?access_token=hunter2"
        settings = settings_for(server, tmp_path).model_copy(update={"ai_index_url": template})
        observe("ai_index", settings, DAY)
        assert parse_qs("access_token=hunter2") == server.requests[0].query
    sidecar = (settings.archive / f"ai_index/{DAY}/snapshot.json").read_text()
    assert "hunter2" not in sidecar


def test_a_zip_with_any_byte_flipped_is_refused_or_read_as_it_was(
    editions: Path, tmp_path: Path
) -> None:
    zipped(editions / "ai_index/2025", tmp_path / "2025.zip")
    whole = (tmp_path / "2025.zip").read_bytes()

    def members(data: bytes) -> dict[str, bytes]:
        with open_zip(data) as bundle:
            figures = [name for name in bundle.namelist() if "/Data/fig_" in name]
            return {name: bundle.read(name) for name in figures}

    sound, refusals = members(whole), 0
    for position in range(len(whole)):
        flipped = whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :]
        try:
            assert members(flipped) == sound
        except DAMAGED_ZIP:
            refusals += 1
    assert len(whole) / 2 < refusals < len(whole)


def test_an_edition_with_a_flipped_byte_is_refused_or_read_as_it_was(
    editions: Path, tmp_path: Path
) -> None:
    laid = tmp_path / "laid"
    laid.mkdir()
    zipped(editions / "ai_index/2025", laid / "2025.zip")
    whole = (laid / "2025.zip").read_bytes()
    with StandIn(editions) as server:
        settings = settings_for(server, tmp_path, ai_index_files=laid)
        observe("ai_index", settings, DAY)
        rows, refusals = index_rows(settings), 0
        for position in range(0, len(whole), 151):
            flipped = whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :]
            (laid / "2025.zip").write_bytes(flipped)
            shutil.rmtree(settings.archive)
            try:
                observe("ai_index", settings, DAY)
            except SourceError as error:
                refusals += 1
                assert "2026-08-15 edition 2025: " in str(error)
            else:  # a byte that no reader looks at, such as a time stamp
                assert index_rows(settings) == rows
    assert refusals


def test_entries_of_the_archive_are_complete(observed: Settings) -> None:
    """What the blueprint asks of a sidecar: url, time, digest, bytes, rows seen."""
    archive = Archive(observed.archive)
    assert [s.source for s in archive.snapshots()] == sorted(observed.sources)
    for snapshot in archive.snapshots():
        assert snapshot.is_complete == (snapshot.source != "hub_namespaces")
        assert not snapshot.is_sample
        for file in snapshot.files:
            assert_entry(archive, file)


def assert_entry(archive: Archive, file: ArchivedFile) -> None:
    assert file.url.startswith("http://127.0.0.1:")
    assert file.rows_seen is not None
    assert file.rows_seen or "author=" in file.url  # a lab may have no model
    assert len(file.sha256) == 64
    assert len(archive.read(file)) == file.bytes
    assert file.retrieved_at.tzinfo is not None


def test_every_raw_column_of_a_source_is_in_its_contract(raw: duckdb.DuckDBPyConnection) -> None:
    for table in ("raw.hub_models", "raw.arena_leaderboards", "raw.epoch_models"):
        described = [row[0] for row in raw.execute(f"DESCRIBE {table}").fetchall()]
        assert described == list(contract(table).columns)
