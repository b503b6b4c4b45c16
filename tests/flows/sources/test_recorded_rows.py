"""Every recorded row of every source arrives in a raw table or in quarantine, exactly once."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest

from flows.settings import DEFAULT_SOURCES, Settings
from flows.sources.http import SourceError
from flows.steps.observe import observe
from tests.conftest import DAY, settings_for
from tests.standin import Answer, Call, StandIn
from tests.support.sources import (
    BOARDS,
    FULL,
    copy_boards,
    counts,
    listings,
    loaded,
    refused,
)
from warehouse.archive.archive import Archive
from warehouse.archive.snapshot import ArchivedFile
from warehouse.contracts.table import contract

HUB_DAYS = [
    "2025-11-10",
    "2025-11-27",
    *(f"2026-08-{day:02}" for day in range(7, 16)),
    "2026-10-15",
]


@pytest.fixture(scope="module")
def raw(observed: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """Every source, as recorded, in raw tables."""
    con = loaded(observed, *observed.sources)
    yield con
    con.close()


# --- row accounting against MANIFEST.csv ---------------------------------------------------------


def test_no_recorded_row_is_quarantined(raw: duckdb.DuckDBPyConnection) -> None:
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
    """On 2026-08-15 55 recorded models have no task, 37 no library and 16 no downloads."""
    result = raw.execute("""SELECT count(*) FILTER (pipeline_tag IS NULL),
        count(*) FILTER (library_name IS NULL), count(*) FILTER (downloads_30d = 0),
        count(*) FILTER (downloads_all_time IS NOT NULL) FROM raw.hub_models""").fetchall()
    assert result == [(55, 37, 16, 0)]


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
    """The recorded text board has null votes, bounds and licenses."""
    result = raw.execute("""SELECT count(*) FILTER (vote_count IS NULL),
        count(*) FILTER (rating_lower IS NULL), count(*) FILTER (license IS NULL)
        FROM raw.arena_leaderboards WHERE subset = 'text'""").fetchall()
    assert result == [(434_796, 13_897, 4_743)]


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


def test_missing_notable_models_are_an_error(recordings: Path, tmp_path: Path) -> None:
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
    result = {s.source: s.rows_seen for s in archive.snapshots()}
    tables = {"hub": "hub_models", "hub_trending": "hub_trending", "ai_index": "ai_index_rows"}
    for source, table in tables.items():
        assert sum(counts(raw, f"raw.{table}", "1").values()) == result[source]


# --- the archive as a client sees it --------------------------------------------------------------


@pytest.mark.parametrize("source", list(DEFAULT_SOURCES))
def test_a_second_run_on_the_same_day_sends_no_request(
    observed: Settings, standin: StandIn, source: str
) -> None:
    if source not in observed.sources:
        pytest.skip("not recorded")
    before = len(standin.requests)
    assert observe(source, observed, DAY).is_reused
    assert len(standin.requests) == before


def test_two_concurrent_runs_fetch_once(recordings: Path, tmp_path: Path) -> None:
    asked = threading.Event()

    class Slow(StandIn):
        def answer(self, call: Call) -> Answer:
            asked.set()
            threading.Event().wait(0.3)
            return super().answer(call)

    result: list[bool] = []
    with Slow(recordings) as server:
        settings = settings_for(server, tmp_path)

        def one() -> None:
            result.append(observe("hub_trending", settings, DAY).is_reused)

        first, second = threading.Thread(target=one), threading.Thread(target=one)
        first.start()
        assert asked.wait(10)
        second.start()
        first.join(20), second.join(20)
    assert sorted(result) == [False, True]
    assert [r.path for r in server.requests] == ["/api/trending"]


def test_an_unreachable_server_is_a_transient_error(
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


def test_entries_of_the_archive_are_complete(observed: Settings) -> None:
    """Every sidecar entry has url, time, digest, bytes and rows seen."""
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
