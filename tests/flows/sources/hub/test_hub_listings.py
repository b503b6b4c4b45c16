"""Datasets, the listings of the labs, and several trending strips of a day."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import pytest
import zstandard

from flows.sources.http import SourceError
from flows.sources.hub.models import parse_models
from flows.steps import sequence
from flows.steps.build import Clocks, chosen_snapshots, load_raw, transform
from flows.steps.observe import observe
from infra.bench.generate import GeneratedHub
from tests.conftest import settings_for
from tests.standin import Answer, Call, FaultPlan, StandIn
from tests.support.sources import loaded, refused, write_models
from warehouse.archive.archive import Archive
from warehouse.archive.snapshot import ArchiveError
from warehouse.database import duckdb_file
from warehouse.registry.load import first_party_namespaces

DAY, NEXT_DAY = date(2026, 8, 15), date(2026, 8, 16)


def write_datasets(folder: Path, sets: list[dict[str, Any]]) -> Path:
    """Recordings of a small Hub's data sets."""
    path = folder / "hub" / str(DAY) / "datasets.ndjson.zst"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(zstandard.compress(b"\n".join(map(orjson.dumps, sets)) + b"\n"))
    return folder


def some_datasets(number: int) -> list[dict[str, Any]]:
    made = [
        {
            "id": f"agibot-world/set{n}",
            "author": "agibot-world",
            "createdAt": f"2025-03-01T00:00:{n:02}.000Z",
            "downloads": n,
            "downloadsAllTime": 10 * n,
            "likes": n,
            "gated": "auto" if n % 2 else False,
            "tags": ["license:cc-by-nc-sa-4.0", "region:us"],
        }
        for n in range(number)
    ]
    return [made[0] | {"createdAt": "2022-03-02T23:29:22.000Z"}, *made[1:]]


# --- data sets -----------------------------------------------------------------------------------


def test_every_dataset_is_in_raw_and_core(tmp_path: Path) -> None:
    folder = write_datasets(tmp_path / "recordings", some_datasets(23))
    faults = FaultPlan(rate=0.4, seed=2, stall=1, path="/api/datasets")
    with StandIn(folder, page_size=5, faults=faults) as server:
        assert server.sources == ["hub_datasets"]
        settings = settings_for(server, tmp_path, http_timeout_seconds=0.5)
        sealed = observe("hub_datasets", settings, DAY).snapshot
    assert (sealed.rows_seen, sealed.is_complete) == (23, True)
    con = loaded(settings, "hub_datasets")
    assert refused(con) == []
    got = con.execute(
        """SELECT dataset_id_hf, author, created_at::VARCHAR, downloads_30d, downloads_all_time,
        likes, gated, tags_json FROM raw.hub_datasets ORDER BY downloads_30d DESC LIMIT 1"""
    ).fetchall()
    tags = '["license:cc-by-nc-sa-4.0","region:us"]'
    assert got == [
        ("agibot-world/set22", "agibot-world", "2025-03-01 00:00:22", 22, 220, 22, "false", tags)
    ]
    con.close()
    build = tmp_path / "build.duckdb"
    load_raw(build, Archive(settings.archive), [sealed])
    transform(build, "core", Clocks(DAY))
    with duckdb_file.open_read_only(build) as con:
        rows = con.execute(
            "SELECT count(*), min(created_at)::VARCHAR, sum(likes), min(license), min(as_of_date) "
            "FROM core.hub_datasets"
        ).fetchall()
    assert rows == [(23, "2022-03-02 23:29:22", sum(range(23)), "cc-by-nc-sa-4.0", DAY)]


def test_datasets_of_the_trending_strips_are_served_without_a_listing(tmp_path: Path) -> None:
    strip = {
        "recentlyTrending": [
            {"repoType": "model", "repoData": {"id": "a/m", "likes": 1}},
            {"repoType": "dataset", "repoData": {"id": "a/d", "author": "a", "likes": 7}},
        ]
    }
    path = tmp_path / "recordings/hub/trending/2026-08-15T0000.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(strip))
    with StandIn(tmp_path / "recordings") as server:
        settings = settings_for(server, tmp_path)
        sealed = observe("hub_datasets", settings, DAY).snapshot
    assert not sealed.is_complete  # nothing says when they were created
    rows = loaded(settings, "hub_datasets").execute(
        "SELECT dataset_id_hf, author, likes, created_at FROM raw.hub_datasets"
    )
    assert rows.fetchall() == [("a/d", "a", 7, None)]


# --- the labs' own listings ----------------------------------------------------------------------

MODELS = [
    *(
        {"id": f"Qwen/q{n}", "createdAt": f"2026-01-01T00:00:{n:02}.000Z", "downloads": 100}
        for n in range(7)
    ),
    {"id": "google/g", "createdAt": "2025-01-01T00:00:00.000Z", "downloads": 5, "likes": 2},
    {"id": "nobody/n", "createdAt": "2024-01-01T00:00:00.000Z", "downloads": 900},
    {"id": "openai-community/gpt2", "createdAt": "2022-03-02T23:29:04.000Z", "downloads": 50},
]


@pytest.fixture(scope="module")
def labs_and_whole(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Two days of the labs; the long sweep ends on the first one alone."""
    folder = tmp_path_factory.mktemp("labs")
    recordings = write_models(folder / "recordings", MODELS)

    class Failing(StandIn):
        def answer(self, call: Call) -> Answer:
            if call.value("author") is None and self.broken:
                return Answer(503, b"")
            return super().answer(call)

        broken = False

    with Failing(recordings, page_size=3) as server:
        settings = settings_for(server, folder, http_first_wait_seconds=0.001)
        for source in ("hub_namespaces", "hub"):
            observe(source, settings, DAY)
        server.broken = True
        labs = observe("hub_namespaces", settings, NEXT_DAY).snapshot
        with pytest.raises(SourceError, match="HTTP 503"):
            observe("hub", settings, NEXT_DAY)
    return settings.model_copy(update={"sources": ("hub_namespaces", "hub")}), labs


def test_the_labs_listing_is_sealed_as_incomplete(labs_and_whole: Any) -> None:
    _, labs = labs_and_whole
    assert not labs.is_complete
    assert "not the whole Hub" in labs.notes[-1]
    assert labs.rows_seen == 9  # nobody/n is of nobody that the registry knows as a first party
    asked = {
        name
        for name in first_party_namespaces()
        if f"author={name}" in "".join(f.url for f in labs.files)
    }
    assert {"Qwen", "google"} <= asked


def test_a_build_uses_the_labs_listing_on_days_without_the_whole_one(
    labs_and_whole: Any, tmp_path: Path
) -> None:
    settings, _ = labs_and_whole
    archive = Archive(settings.archive)
    chosen = chosen_snapshots(archive, settings.sources, NEXT_DAY)
    assert [s.snapshot_id for s in chosen] == [f"hub_namespaces/{NEXT_DAY}", f"hub/{DAY}"]
    build = tmp_path / "build.duckdb"
    load_raw(build, archive, chosen)
    for layer in ("core", "mart"):
        transform(build, layer, Clocks(NEXT_DAY))
        assert sequence.validate(build, layer).failures("critical") == []
    with duckdb_file.open_read_only(build) as con:
        totals = con.execute(
            """SELECT as_of_date, basis, lab_name, n_models, downloads_30d, downloads_all_time
            FROM mart.hub_lab_totals_daily WHERE country_code = 'CN' ORDER BY ALL"""
        ).fetchall()
        days = con.execute("SELECT DISTINCT as_of_date FROM core.hub_daily_counters").fetchall()
        shares = con.execute("SELECT DISTINCT as_of_date FROM mart.country_share_daily").fetchall()
    assert [row[:2] + row[3:] for row in totals] == [
        (DAY, "whole_listing", 7, 700, None),
        (NEXT_DAY, "lab_namespaces", 7, 700, None),
    ]
    assert days == shares == [(DAY,)]  # a day with only the labs is not a day of the Hub


def test_the_labs_listing_resumes(tmp_path: Path) -> None:
    folder = write_models(tmp_path / "recordings", MODELS)
    with StandIn(folder, page_size=3) as server:
        settings = settings_for(server, tmp_path, hub_requests_per_5_minutes=30_000)
        with pytest.raises(SourceError, match="minutes is used up"):
            observe("hub_namespaces", settings.model_copy(update={"hub_max_minutes": 0.01}), DAY)
        had = len(server.requests)
        assert had > 1
        sealed = observe("hub_namespaces", settings, DAY).snapshot
        targets = [str(r.query) for r in server.requests]
    assert len(targets) == len(set(targets)) == len(sealed.files)
    assert had < len(targets)


# --- several strips of a day ---------------------------------------------------------------------


def test_a_day_has_several_strips_each_fetched_once(recordings: Path, tmp_path: Path) -> None:
    strips = sorted(p.stem for p in (recordings / "hub/trending").glob("2026-03-03T*.json"))
    assert len(strips) > 2
    for _ in range(2):  # the second time, nothing is fetched
        for name in strips:
            with StandIn(recordings, trending_at=name) as server:
                settings = settings_for(server, tmp_path)
                seen = observe("hub_trending", settings, date(2026, 3, 3), name[11:])
                body = (recordings / f"hub/trending/{name}.json").read_bytes()
                assert Archive(settings.archive).read(seen.snapshot.files[0]) == body
                assert len(server.requests) == (not seen.is_reused)
    archive = Archive(settings.archive)
    assert [s.snapshot_id for s in archive.snapshots()] == [f"hub_trending/{n}" for n in strips]
    with StandIn(recordings) as server:  # without a slot, any strip of the day is reused
        again = observe("hub_trending", settings_for(server, tmp_path), date(2026, 3, 3))
        assert (again.is_reused, server.requests) == (True, [])
    assert again.snapshot.slot == strips[-1][11:]


def test_a_strip_is_excluded_and_readmitted_by_its_minute(recordings: Path, tmp_path: Path) -> None:
    with StandIn(recordings) as server:
        settings = settings_for(server, tmp_path)
        for slot in ("0015", "0615"):
            observe("hub_trending", settings, DAY, slot)
    archive = Archive(settings.archive)
    archive.exclude("hub_trending", DAY, "odd", "0015")
    assert [s.slot for s in archive.snapshots()] == ["0615"]
    assert list(archive.excluded()) == [f"hub_trending/{DAY}T0015"]
    archive.include("hub_trending", DAY, "0015")
    assert [s.slot for s in archive.snapshots()] == ["0015", "0615"]


@pytest.mark.parametrize("slot", ["2400", "6:15", "0660", "../x", "615", ""])
def test_only_hhmm_is_accepted_as_a_slot(tmp_path: Path, recordings: Path, slot: str) -> None:
    with StandIn(recordings) as server:
        settings = settings_for(server, tmp_path)
        with pytest.raises(ArchiveError, match="invalid time of day"):
            observe("hub_trending", settings, DAY, slot)
        with pytest.raises(ArchiveError, match="once a day"):
            observe("hub", settings, DAY, "0615")


def test_many_threads_read_small_pages_in_little_memory(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OBSERVATORY_DUCKDB_THREADS", "8")
    monkeypatch.setenv("OBSERVATORY_DUCKDB_MEMORY", "600MB")
    listing = GeneratedHub(80).archive_day(archive, DAY, page_rows=5)
    con = duckdb_file.create(tmp_path / "built.duckdb")
    parse_models(con, archive, listing)
    counts = "SELECT count(*), count(DISTINCT file_name) FROM raw.hub_models"
    read = con.execute(counts).fetchall()
    assert read == [(listing.rows_seen, len(listing.files))]
    con.close()
