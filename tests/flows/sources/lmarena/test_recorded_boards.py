"""Every recorded row of the frozen Space and of the catalog arrives in its raw table."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import duckdb
import pytest

from flows.settings import ALL_SOURCES, Settings
from flows.steps.build import load_raw
from flows.steps.observe import observe
from tests.conftest import DAY, settings_for
from tests.standin import StandIn
from tests.support.arena import (
    ARENA,
    CATALOG,
    SPACE,
    board,
    loaded_newest,
    refused_lines,
    write_board,
)
from tests.support.sources import counts
from warehouse.archive.archive import Archive


@pytest.fixture(scope="module")
def raw(frozen: Settings) -> duckdb.DuckDBPyConnection:
    return loaded_newest(frozen, "lmarena_space", "arena_catalog")


def test_every_record_of_every_table_of_the_space_is_in_raw(
    raw: duckdb.DuckDBPyConnection, listed: dict[str, int]
) -> None:
    recorded = {p.split("/")[-1]: n for p, n in listed.items() if p.startswith(SPACE)}
    assert len(recorded) == 105
    assert counts(raw, "raw.arena_space_tables", "file_name") == recorded
    assert refused_lines(raw) == []


def test_every_entry_of_every_state_of_the_catalog_is_in_raw(
    raw: duckdb.DuckDBPyConnection, listed: dict[str, int]
) -> None:
    recorded = {
        tuple(p.split("/")[2:]): n for p, n in listed.items() if p.startswith(f"{CATALOG}/")
    }
    found = raw.execute(
        """SELECT commit_date::VARCHAR, parse_filename(file_name), count(*)
        FROM raw.arena_catalog_ratings GROUP BY ALL"""
    ).fetchall()
    assert {(day, name): n for day, name, n in found} == recorded
    assert len(recorded) == 33


def test_the_four_headers_of_the_space_are_loaded(raw: duckdb.DuckDBPyConnection) -> None:
    """Each era of the tables has its own columns; '-' is null and never zero."""
    result = raw.execute(
        """SELECT table_date >= '2024-01-09' AS keyed, count(DISTINCT file_name),
            count(model_key) = count(*), count(organization) > 0, count(rating) > 0,
            count(*) FILTER (mt_bench_score = 0 OR mmlu = 0 OR rating = 0)
        FROM raw.arena_space_tables GROUP BY ALL ORDER BY ALL"""
    ).fetchall()
    assert [row[2:] for row in result] == [(False, False, True, 0), (True, True, False, 0)]
    assert [row[1] for row in result] == [10, 95]
    line = raw.execute(
        """SELECT model_name, rating, mt_bench_score, mt_bench_win_rate, mmlu, license, model_key
        FROM raw.arena_space_tables WHERE file_name = 'leaderboard_table_20230619.csv'
        ORDER BY line LIMIT 1"""
    ).fetchall()
    assert line == [("GPT-4", 1227.0, 8.99, "69.38%", 0.864, "Proprietary", None)]
    dated = raw.execute(
        """SELECT DISTINCT file_name FROM raw.arena_space_tables
        WHERE table_date = '2024-04-22' ORDER BY ALL"""
    ).fetchall()
    assert [name for (name,) in dated] == [
        "leaderboard_table_20240422-2.csv",
        "leaderboard_table_20240422.csv",
    ]
    nulls = raw.execute(
        "SELECT count(*) FROM raw.arena_space_tables WHERE rating IS NULL AND "
        "table_date < '2024-01-01'"
    ).fetchall()
    assert nulls == [(141,)]  # '-' in the tables of 2023, counted with grep


def test_the_catalog_is_loaded_as_it_was_committed(
    raw: duckdb.DuckDBPyConnection, recordings: Path
) -> None:
    name = "2025-05-20/leaderboard-text-style-control.json"
    content = json.loads((recordings / CATALOG / name).read_bytes())
    theirs = [
        (category, model, r["rating"], r["rating_q025"], r["rating_q975"])
        for category, models in content.items()
        for model, r in models.items()
    ]
    ours = raw.execute(
        """SELECT source_category, model_name, rating, rating_lower, rating_upper
        FROM raw.arena_catalog_ratings WHERE commit_date = '2025-05-20'
        AND subset = 'text_style_control' ORDER BY line"""
    ).fetchall()
    assert ours == theirs
    subsets = counts(raw, "raw.arena_catalog_ratings", "subset")
    assert set(subsets) == {
        "text",
        "text_style_control",
        "vision",
        "vision_style_control",
        "text_to_image",
    }
    first = counts(raw, "raw.arena_catalog_ratings", "commit_date", "subset")
    assert first[date(2025, 2, 28), "text"] == 4009  # leaderboard-data.json, the older name
    assert first[date(2025, 2, 28), "text_style_control"] == 1616


def test_rows_lead_back_to_commit_and_file(
    raw: duckdb.DuckDBPyConnection, frozen: Settings
) -> None:
    archive = Archive(frozen.archive)
    (snapshot,) = archive.snapshots("arena_catalog")
    found = raw.execute("SELECT DISTINCT file_name, commit_id FROM raw.arena_catalog_ratings")
    commits = dict(found.fetchall())
    assert set(commits) == {f.name for f in snapshot.files}
    for file in snapshot.files:
        assert f"/{commits[file.name]}/data/" in file.url
        assert len(commits[file.name]) == 40
        assert file.name.split(".")[1].startswith(commits[file.name][:12])
    result = {s.source: s.rows_seen for s in archive.snapshots()}
    for source, table in (("lmarena_space", "space_tables"), ("arena_catalog", "catalog_ratings")):
        assert sum(counts(raw, f"raw.arena_{table}", "1").values()) == result[source]


def test_the_snapshot_stores_the_license_terms(frozen: Settings) -> None:
    terms = {s.source: s.redistribution for s in Archive(frozen.archive).snapshots()}
    assert terms == {"lmarena_space": "derived", "arena_catalog": "none"}


def test_a_build_loads_all_arena_sources_and_needs_no_other(small: Path, tmp_path: Path) -> None:
    write_board(small, "text", board(ARENA))
    with StandIn(small) as server:
        settings = settings_for(server, tmp_path)
        assert settings.sources == ("lmarena", "lmarena_space", "arena_catalog")
        assert set(settings.sources) < set(ALL_SOURCES)
        for source in settings.sources:
            observe(source, settings, DAY)
    archive = Archive(settings.archive)
    load_raw(tmp_path / "build.duckdb", archive, archive.snapshots())
    with duckdb.connect(str(tmp_path / "build.duckdb")) as con:
        found = con.execute("SELECT source, rows_seen, files FROM meta.snapshots").fetchall()
    assert {source: files for source, _, files in found} == {
        "lmarena": 1,
        "lmarena_space": 3,
        "arena_catalog": 6,
    }
