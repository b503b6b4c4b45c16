"""The sources beside LMArena's data set, and the data set's own boards of every kind."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import logging
import math
import os
import pickle
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows.cli.exit_codes import exit_code
from flows.settings import ALL_SOURCES, Settings
from flows.sources import SOURCES
from flows.sources.http import SourceError
from flows.sources.lmarena.space_boards import boards
from flows.steps.build import load_raw
from flows.steps.observe import observe
from tests.conftest import DAY, settings_for
from tests.flows.sources.lmarena.test_pickle_reader import MODELS, Does, flat, result
from tests.standin import Answer, Call, StandIn
from warehouse.archive.archive import Archive
from warehouse.database.duckdb_file import create_tables

NEXT_DAY = DAY + timedelta(1)
SPACE, CATALOG, DATASET = "lmarena/space", "lmarena/arena-catalog", "lmarena/leaderboard-dataset"
FULL = "full-00000-of-00001.parquet"
HTML = b"<!doctype html><html><body>We will be back soon.</body></html>\n"
Change = Callable[[bytes], bytes]


# --- helpers -------------------------------------------------------------------------------------


def loaded(settings: Settings, *sources: str) -> duckdb.DuckDBPyConnection:
    """Raw tables in memory, from the newest snapshot of each source."""
    con = duckdb.connect()
    create_tables(con)
    archive = Archive(settings.archive)
    for source in sources:
        SOURCES[source].parse(con, archive, archive.snapshots(source)[-1])
    return con


def counts(con: duckdb.DuckDBPyConnection, table: str, *by: str) -> dict[Any, int]:
    rows = con.execute(f"SELECT {', '.join(by)}, count(*) FROM {table} GROUP BY ALL").fetchall()
    return {row[:-1] if len(by) > 1 else row[0]: row[-1] for row in rows}


def refused(con: duckdb.DuckDBPyConnection) -> list[tuple[str, int, str]]:
    """File, line and reason of what is in quarantine."""
    return con.execute("SELECT file_name, line, reason FROM raw.quarantine ORDER BY ALL").fetchall()


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def sent(server: StandIn) -> list[str]:
    """Names of the files whose bytes were sent."""
    return [
        r.path.rsplit("/", 1)[1]
        for r in server.requests
        if r.method == "GET" and r.status == 200 and ("/resolve/" in r.path or "/raw/" in r.path)
    ]


@pytest.fixture(scope="session")
def listed(recordings: Path) -> dict[str, int]:
    """Rows of every recorded file, as MANIFEST.csv says."""
    with (recordings / "MANIFEST.csv").open(encoding="utf-8", newline="") as lines:
        return {r["path"]: int(r["rows"]) for r in csv.DictReader(lines) if r["rows"]}


@pytest.fixture(scope="module")
def frozen(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Space and catalog observed once from the recordings; read it, do not write to it."""
    with StandIn(recordings) as server:
        settings = settings_for(server, tmp_path_factory.mktemp("frozen"))
        for source in ("lmarena_space", "arena_catalog"):
            observe(source, settings, DAY)
    return settings


@pytest.fixture(scope="module")
def raw(frozen: Settings) -> duckdb.DuckDBPyConnection:
    return loaded(frozen, "lmarena_space", "arena_catalog")


# --- row accounting against MANIFEST.csv ---------------------------------------------------------


def test_every_record_of_every_table_of_the_space_is_in_raw(
    raw: duckdb.DuckDBPyConnection, listed: dict[str, int]
) -> None:
    recorded = {p.split("/")[-1]: n for p, n in listed.items() if p.startswith(SPACE)}
    assert len(recorded) == 105
    assert counts(raw, "raw.arena_space_tables", "file_name") == recorded
    assert refused(raw) == []


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


def test_the_four_headers_of_the_space_give_what_they_have(raw: duckdb.DuckDBPyConnection) -> None:
    """lmarena.md, section 3: which column exists when; '-' is null and never zero."""
    told = raw.execute(
        """SELECT table_date >= '2024-01-09' AS keyed, count(DISTINCT file_name),
            count(model_key) = count(*), count(organization) > 0, count(rating) > 0,
            count(*) FILTER (mt_bench_score = 0 OR mmlu = 0 OR rating = 0)
        FROM raw.arena_space_tables GROUP BY ALL ORDER BY ALL"""
    ).fetchall()
    assert [row[2:] for row in told] == [(False, False, True, 0), (True, True, False, 0)]
    assert [row[1] for row in told] == [10, 95]
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
    told = {s.source: s.rows_seen for s in archive.snapshots()}
    for source, table in (("lmarena_space", "space_tables"), ("arena_catalog", "catalog_ratings")):
        assert sum(counts(raw, f"raw.arena_{table}", "1").values()) == told[source]


def test_terms_travel_with_the_snapshot(frozen: Settings) -> None:
    terms = {s.source: s.redistribution for s in Archive(frozen.archive).snapshots()}
    assert terms == {"lmarena_space": "derived", "arena_catalog": "none"}


# --- the second day ------------------------------------------------------------------------------


@pytest.fixture
def small(recordings: Path, tmp_path: Path) -> Path:
    """Three tables of the Space, three states of the catalog."""
    folder = tmp_path / "recordings"
    for day in ("20230619", "20240422-2", "20250330"):
        name = f"{SPACE}/leaderboard_table_{day}.csv"
        write(folder / name, (recordings / name).read_bytes())
    for day in ("2025-05-13", "2025-05-20", "2025-12-11"):
        for board in ("image", "vision"):
            name = f"{CATALOG}/{day}/leaderboard-{board}.json"
            write(folder / name, (recordings / name).read_bytes())
    return folder


def test_a_frozen_space_is_downloaded_once(small: Path, tmp_path: Path) -> None:
    with StandIn(small) as server:
        settings = settings_for(server, tmp_path)
        first = observe("lmarena_space", settings, DAY).snapshot
        assert len(sent(server)) == 3
        server.requests.clear()
        second = observe("lmarena_space", settings, NEXT_DAY).snapshot
        assert sent(server) == []
        assert [f.path for f in second.files] == [f.path for f in first.files]
        (settings.archive / first.files[1].path).write_bytes(b"rot")
        observe("lmarena_space", settings, NEXT_DAY + timedelta(1))
        assert sent(server) == [first.files[1].name]


def test_other_files_of_the_space_are_left_alone(small: Path, tmp_path: Path) -> None:
    for name in ("app.py", "arena_hard_auto.csv", "leaderboard_table_2025.csv", "README.md"):
        write(small / SPACE / name, "import os\n")
    write(small / SPACE / "elo_results_20240329.pkl", pickle.dumps(result()))
    with StandIn(small) as server:
        snapshot = observe("lmarena_space", settings_for(server, tmp_path), DAY).snapshot
    assert len(snapshot.files) == 3
    assert "pickles not fetched (OBSERVATORY_SPACE_PICKLES is not set)" in snapshot.notes


def test_known_commits_and_unchanged_files_are_not_fetched_again(
    small: Path, tmp_path: Path, recordings: Path
) -> None:
    with StandIn(small) as server:
        settings = settings_for(server, tmp_path)
        first = observe("arena_catalog", settings, DAY).snapshot
        # image.json is the same on 2025-05-13 and 05-20: six files, five downloads
        assert (len(first.files), len(sent(server))) == (6, 5)
        server.requests.clear()
        second = observe("arena_catalog", settings, NEXT_DAY).snapshot
        assert [r.path.rsplit("/", 1)[1] for r in server.requests] == ["commits"]
        assert [f.path for f in second.files] == [f.path for f in first.files]
        name = "2025-12-17/leaderboard-text-style-control.json"
        write(small / CATALOG / name, (recordings / CATALOG / name).read_bytes())
        server.requests.clear()
        third = observe("arena_catalog", settings, NEXT_DAY + timedelta(1)).snapshot
        assert sent(server) == ["leaderboard-text-style-control.json"]
        assert len(server.requests) == 3  # the commits, one tree, one file
    assert third.rows_seen == first.rows_seen + 7462
    assert counts(loaded(settings, "arena_catalog"), "raw.arena_catalog_ratings", "1") == {
        1: third.rows_seen
    }


def test_a_history_longer_than_a_page_is_read_whole(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.sources.lmarena.catalog_repository._PAGE", 1)
    with StandIn(small) as server:
        snapshot = observe("arena_catalog", settings_for(server, tmp_path), DAY).snapshot
        asked = [r.query["page"][0] for r in server.requests if r.path.endswith("/commits")]
    assert asked == ["1", "2", "3", "4"]
    assert len(snapshot.files) == 6


class Quota(StandIn):
    """GitHub's API without a token: so many requests an hour, then 403."""

    left = 3
    headers: tuple[str, ...] = ()

    def answer(self, call: Call) -> Answer:
        if call.segments[:2] != ("github", "api"):
            return super().answer(call)
        self.headers += (call.headers.get("authorization", ""),)
        self.left -= 1
        if self.left >= 0:
            return super().answer(call)
        told = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1786791600"}
        return Answer(403, b'{"message":"API rate limit exceeded for 203.0.113.7."}', told)


def test_a_used_up_quota_says_when_and_the_next_run_goes_on(small: Path, tmp_path: Path) -> None:
    with Quota(small) as server:
        settings = settings_for(server, tmp_path)
        with pytest.raises(SourceError, match="HTTP 403") as failed:
            observe("arena_catalog", settings, DAY)
        told = str(failed.value)
        assert "the quota is used up until 2026-08-15 11:00 UTC" in told
        assert "set GITHUB_TOKEN" in told
        assert exit_code(failed.value) == 3
        had = sent(server)
        server.requests.clear()
        server.left = 3
        snapshot = observe("arena_catalog", settings, DAY).snapshot
    assert len(had) == 3  # two commits: image, vision, and vision alone
    assert len(sent(server)) == 2
    assert len(snapshot.files) == 6
    assert server.headers[0] == ""


def test_a_quota_told_as_429_is_told_alike(small: Path, tmp_path: Path) -> None:
    class Busy(StandIn):
        def answer(self, call: Call) -> Answer:
            return Answer(429, b"{}", {"x-ratelimit-remaining": "0"})

    with Busy(small) as server, pytest.raises(SourceError, match="set GITHUB_TOKEN") as failed:
        observe("arena_catalog", settings_for(server, tmp_path), DAY)
    assert "an unknown time" in str(failed.value)
    assert failed.value.is_transient


def test_the_token_goes_to_the_api_alone_and_is_kept_nowhere(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_secret")
    with Quota(small) as server:
        server.left = 99
        observe("arena_catalog", settings_for(server, tmp_path), DAY)
        with_token = {r.path.split("/")[2]: "authorization" in r.headers for r in server.requests}
    assert set(server.headers) == {"Bearer ghp_secret"}
    assert with_token == {"api": True, "raw": False}
    assert "ghp_secret" not in caplog.text
    for path in (tmp_path / "archive").rglob("*"):
        assert not path.is_file() or b"ghp_secret" not in path.read_bytes()


# --- the pickles ---------------------------------------------------------------------------------


@pytest.fixture
def pickled(small: Path) -> Path:
    """A Space with pickles of two eras; none is recorded, so they are written as FastChat did."""
    medians = flat(elo_rating_median=dict.fromkeys(MODELS, 1000))
    write(small / SPACE / "elo_results_20230522.pkl", pickle.dumps(medians))
    late = {"text": {"full": result(), "hard_6_style_control": result()}, "webdev": result("named")}
    write(small / SPACE / "elo_results_20250801.pkl", pickle.dumps(late, 4))
    return small


def test_pickles_are_kept_as_parquet_under_their_own_digest(pickled: Path, tmp_path: Path) -> None:
    with StandIn(pickled) as server:
        settings = settings_for(server, tmp_path, space_pickles=True)
        snapshot = observe("lmarena_space", settings, DAY).snapshot
        server.requests.clear()
        again = observe("lmarena_space", settings, NEXT_DAY).snapshot
        assert sent(server) == []
    kept = snapshot.find("elo_results_")
    assert [f.name for f in kept] == [
        "elo_results_20230522.parquet",
        "elo_results_20250801.parquet",
    ]
    for file in kept:
        original = pickled / SPACE / file.name.replace(".parquet", ".pkl")
        assert file.url.endswith(original.name)
        assert file.http_etag == hashlib.sha256(original.read_bytes()).hexdigest()
        held = pl.read_parquet(Archive(settings.archive).verify_file(file))
        assert held.equals(boards(original.read_bytes()))
        assert file.rows_seen == held.height
    assert [f.path for f in again.files] == [f.path for f in snapshot.files]
    bytes_held = [p.read_bytes()[:2] for p in settings.archive.rglob("*") if p.is_file()]
    assert not [b for b in bytes_held if b == b"\x80\x04"]  # no pickle anywhere


def test_ratings_of_pickles_are_loaded_with_method_date_and_board(
    pickled: Path, tmp_path: Path
) -> None:
    with StandIn(pickled) as server:
        settings = settings_for(server, tmp_path, space_pickles=True)
        snapshot = observe("lmarena_space", settings, DAY).snapshot
    con = loaded(settings, "lmarena_space")
    table = "raw.arena_space_ratings"
    assert refused(con) == []
    assert counts(con, table, "file_name", "table_date", "subset", "rating_kind") == {
        ("elo_results_20230522.pkl", date(2023, 5, 22), "text", "elo_online"): 3,
        ("elo_results_20230522.pkl", date(2023, 5, 22), "text", "elo_median"): 3,
        ("elo_results_20250801.pkl", date(2025, 8, 1), "text", "bradley_terry"): 3,
        ("elo_results_20250801.pkl", date(2025, 8, 1), "text", "elo_online"): 3,
        ("elo_results_20250801.pkl", date(2025, 8, 1), "text_style_control", "bradley_terry"): 3,
        ("elo_results_20250801.pkl", date(2025, 8, 1), "text_style_control", "elo_online"): 3,
        ("elo_results_20250801.pkl", date(2025, 8, 1), "webdev", "bradley_terry"): 3,
        ("elo_results_20250801.pkl", date(2025, 8, 1), "webdev", "elo_online"): 3,
    }
    in_pickles = sum(f.rows_seen or 0 for f in snapshot.find("elo_results_"))
    assert sum(counts(con, table, "1").values()) == in_pickles == 24
    row = con.execute(
        f"""SELECT source_category, rating, rating_lower, rating_upper, variance, vote_count, rank
        FROM {table} WHERE model_name = ? AND rating_kind = 'bradley_terry'
        AND subset = 'text_style_control'""",
        [MODELS[0]],
    ).fetchall()
    assert row == [("hard_6", 1186.5, 1183.0, 1190.0, 2.5, 57000, 1)]


def test_figures_of_a_pickle_that_do_not_fit_are_kept_apart(pickled: Path, tmp_path: Path) -> None:
    odd = result()
    odd["leaderboard_table_df"] = odd["leaderboard_table_df"].assign(
        num_battles=[10.5, 3.0, math.nan], final_ranking=[1, 2, 1e11]
    )
    write(pickled / SPACE / "elo_results_20240110.pkl", pickle.dumps(odd))
    with StandIn(pickled) as server:
        settings = settings_for(server, tmp_path, space_pickles=True)
        observe("lmarena_space", settings, DAY)
    con = loaded(settings, "lmarena_space")
    name = "elo_results_20240110.pkl"
    assert refused(con) == [
        (name, 1, "vote_count: expected integer"),
        (name, 3, "rank: expected integer"),
    ]
    told = "SELECT kind, column_name, record FROM raw.quarantine ORDER BY line"
    assert con.execute(told).fetchall() == [
        ("cell", "vote_count", "10.5"),
        ("cell", "rank", "100000000000.0"),
    ]
    kept = "SELECT line, rating, vote_count, rank FROM raw.arena_space_ratings WHERE line < 4"
    found = con.execute(f"{kept} AND file_name = ? ORDER BY line", [name]).fetchall()
    assert [row[0] for row in found] == [1, 2, 3]  # the ratings themselves are sound
    assert [row[2:] for row in found] == [(None, 1), (3, 2), (None, None)]


def test_a_hostile_pickle_stops_the_source_and_does_nothing(pickled: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    hostile = {"text": {"full": Does(os.system, f"touch {trace}")}}
    write(pickled / SPACE / "elo_results_20240110.pkl", pickle.dumps(hostile))
    with StandIn(pickled) as server:
        settings = settings_for(server, tmp_path, space_pickles=True)
        with pytest.raises(SourceError, match="no table of ratings in a known shape") as failed:
            observe("lmarena_space", settings, DAY)
        assert "elo_results_20240110.pkl" in str(failed.value)
        had = set(sent(server))
        server.requests.clear()
        write(pickled / SPACE / "elo_results_20240110.pkl", pickle.dumps(result()))
        observe("lmarena_space", settings, DAY)  # goes on with what it had
        assert not had - {"elo_results_20240110.pkl"} & set(sent(server))
    assert not trace.exists()
    (aside,) = (settings.archive / "lmarena_space" / str(DAY) / "refused").iterdir()
    assert aside.read_bytes() == pickle.dumps(hostile)


# --- faults --------------------------------------------------------------------------------------


class Faulty(StandIn):
    """Changes the answers whose address holds a text."""

    def __init__(self, folder: Path, address: str, change: Change) -> None:
        super().__init__(folder)
        self.address, self.change = address, change

    def answer(self, call: Call) -> Answer:
        answer = super().answer(call)
        if self.address in call.target:
            return Answer(answer.status, self.change(answer.body), answer.headers)
        return answer


@dataclass(frozen=True)
class Fault:
    """A recorded file, or with a / in front every answer whose address holds this; how changed."""

    source: str
    what: str
    change: Change
    told: tuple[str, ...]


def half(data: bytes) -> bytes:
    return data[: len(data) // 2 + 3]


TABLE = f"{SPACE}/leaderboard_table_20250330.csv"
BOARD = f"{CATALOG}/2025-12-11/leaderboard-vision.json"
FAULTS = {
    "space: web page for the tree": Fault(
        "lmarena_space", "/tree/", lambda _: HTML, ("no usable response", "arena-leaderboard")
    ),
    "space: web page for a table": Fault(
        "lmarena_space", "/resolve/", lambda _: HTML, ("no usable response", "size")
    ),
    "space: other bytes on the way": Fault(
        "lmarena_space", "/resolve/", lambda b: b[:-9] + b"x" * 9, ("but the tree says",)
    ),
    "space: web page as a table": Fault(
        "lmarena_space", TABLE, lambda _: HTML, ("leaderboard_table_20250330.csv: line 1", "missing")
    ),
    "space: cut on the way": Fault(
        "lmarena_space", "/resolve/", lambda b: b[:-9], ("no usable response",)
    ),
    "space: cut where it lies": Fault(
        "lmarena_space", TABLE, half, ("leaderboard_table_20250330.csv: line", "cells, but")
    ),
    "space: header twice": Fault(
        "lmarena_space",
        TABLE,
        lambda b: b.replace(b"MMLU,", b"Model,", 1),
        ("line 1", "repeated ['Model']"),
    ),
    "space: unknown column": Fault(
        "lmarena_space",
        TABLE,
        lambda b: b.replace(b"MMLU,", b"MMLU-Pro,", 1),
        ("line 1", "unknown in raw.arena_space_tables ['MMLU-Pro']"),
    ),
    "space: no record": Fault(
        "lmarena_space", TABLE, lambda b: b[: b.index(b"\n") + 1], ("has a header but no records",)
    ),
    "space: other encoding": Fault(
        "lmarena_space", TABLE, lambda b: b.decode().encode("utf-16"), ("byte 0 is not UTF-8",)
    ),
    "space: open quote": Fault(
        "lmarena_space", TABLE, lambda b: b + b'"a,b\n', ("the file seems incomplete",)
    ),
    "catalog: web page for the commits": Fault(
        "arena_catalog", "/commits?", lambda _: HTML, ("commits-1.json", "JSONDecodeError")
    ),
    "catalog: other JSON": Fault(
        "arena_catalog", "/commits?", lambda _: b'{"message": "hi"}', ("is not a list of commits",)
    ),
    "catalog: a commit that is no commit": Fault(
        "arena_catalog",
        "/commits?",
        lambda b: json.dumps([{**e, "sha": "../../etc"} for e in json.loads(b)]).encode(),
        ("is not the id of a commit",),
    ),
    "catalog: tree in part": Fault(
        "arena_catalog",
        "/git/trees/",
        lambda b: json.dumps(json.loads(b) | {"truncated": True}).encode(),
        ("tree.json", "the tree is incomplete"),
    ),
    "catalog: web page for a tree": Fault(
        "arena_catalog", "/git/trees/", lambda _: HTML, ("tree.json", "JSONDecodeError")
    ),
    "catalog: torn on the way": Fault(
        "arena_catalog", "/github/raw/", half, ("leaderboard-image.json", "but the tree says")
    ),
    "catalog: torn where it lies": Fault(
        "arena_catalog", BOARD, half, ("leaderboard-vision.json", "JSONDecodeError")
    ),
    "catalog: web page as a board": Fault(
        "arena_catalog", BOARD, lambda _: HTML, ("leaderboard-vision.json", "JSONDecodeError")
    ),
    "catalog: no board": Fault(
        "arena_catalog", BOARD, lambda _: b'{"full": 7}', ("the category 'full' has 7 instead of models",)
    ),
    "catalog: a list": Fault("arena_catalog", BOARD, lambda _: b"[]", ("is JSON but not a board",)),
    "catalog: half a character": Fault(
        "arena_catalog",
        BOARD,
        lambda _: b'{"full": {"\\ud800": {"rating": 1}}}',
        ("UnicodeEncodeError",),
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_damaged_answer_is_refused_and_the_source_may_recover(
    small: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = FAULTS[name]
    spoilt = shutil.copytree(small, tmp_path / "spoilt")
    if not fault.what.startswith("/"):
        path = spoilt / fault.what
        path.write_bytes(fault.change(path.read_bytes()))
    address = fault.what if fault.what.startswith("/") else "never"
    with Faulty(spoilt, address, fault.change) as server, pytest.raises(SourceError) as failed:
        observe(fault.source, settings_for(server, tmp_path), DAY)
    for text in (*fault.told, f"{fault.source}: ", "where: http://127.0.0.1:", "what to do: "):
        assert text in str(failed.value)
    assert exit_code(failed.value) == 3
    archive = Archive(tmp_path / "archive")
    assert archive.snapshots() == []
    with StandIn(small) as server:
        sealed = observe(fault.source, settings_for(server, tmp_path), DAY).snapshot
    assert all(archive.is_sound(f) for f in sealed.files)
    assert len(sealed.files) == {"lmarena_space": 3, "arena_catalog": 6}[fault.source]


@pytest.mark.parametrize(
    ("source", "address"), [("lmarena_space", "/api/spaces/"), ("arena_catalog", "/github/")]
)
def test_a_repository_that_moved_away_is_told(
    small: Path, tmp_path: Path, source: str, address: str
) -> None:
    class Gone(StandIn):
        def answer(self, call: Call) -> Answer:
            if address in call.target:
                return Answer(404, b'{"message":"Not Found"}', {"X-Error-Code": "RepoNotFound"})
            return super().answer(call)

    with Gone(small) as server, pytest.raises(SourceError) as failed:
        observe(source, settings_for(server, tmp_path), DAY)
    assert "404" in str(failed.value)
    assert "moved" in str(failed.value)
    assert not failed.value.is_transient


def test_an_empty_space_and_an_empty_catalog_are_told(small: Path, tmp_path: Path) -> None:
    for path in small.rglob("leaderboard*"):
        path.rename(path.with_name(f"other-{path.name}"))
    with StandIn(small) as server:
        settings = settings_for(server, tmp_path)
        for source, told in (("lmarena_space", "YYYYMMDD.csv"), ("arena_catalog", "no commit")):
            with pytest.raises(SourceError, match=told):
                observe(source, settings, DAY)


def test_cells_of_another_type_are_kept_apart(small: Path, tmp_path: Path) -> None:
    path = small / SPACE / "leaderboard_table_20250330.csv"
    header, *lines = csv.reader(path.read_text("utf-8").splitlines())
    lines[0][header.index("MMLU")] = "high"
    lines[1][header.index("Model")] = " - "
    lines[2][header.index("MMLU")] = " "
    lines[3][header.index("Organization")] = "  Ai2 \t"
    rows = io.StringIO()
    csv.writer(rows, lineterminator="\n").writerows([header, *lines])
    path.write_text(rows.getvalue(), "utf-8")
    with StandIn(small) as server:
        settings = settings_for(server, tmp_path)
        observe("lmarena_space", settings, DAY)
    con = loaded(settings, "lmarena_space")
    assert refused(con) == [
        (path.name, 1, "mmlu: expected number"),
        (path.name, 2, "missing model name"),
    ]
    noted = con.execute("SELECT kind, record FROM raw.quarantine WHERE line = 1").fetchall()
    assert noted == [("cell", "high")]
    kept = con.execute(
        f"""SELECT line, mmlu, organization FROM raw.arena_space_tables
        WHERE file_name = '{path.name}' AND line < 5 ORDER BY line"""
    ).fetchall()
    assert [row[0] for row in kept] == [1, 3, 4]
    assert kept[0][1] is kept[1][1] is None
    assert kept[2][2] == "Ai2"


def test_entries_that_are_no_ratings_are_kept_apart(small: Path, tmp_path: Path) -> None:
    board = b"""{"full": {
        "later": {"rating": 1, "rating_lower": 0.5, "rating_upper": 2},
        "earlier": {"rating": 1e3, "rating_q025": null, "rating_q975": 1.5},
        "text": {"rating": "1000"}, "none": {"rating": null}, "bare": 1000, "list": [1],
        "bound": {"rating": 1, "rating_lower": true}, "nan": {"rating": NaN},
        "far": {"rating": 1e999}, "": {"rating": 1},
        "twice": {"rating": 1}, "twice": {"rating": 2}}}"""
    name = write(small / f"{CATALOG}/2026-01-01/leaderboard-new-board.json", board)
    with StandIn(small) as server:
        settings = settings_for(server, tmp_path)
        snapshot = observe("arena_catalog", settings, DAY).snapshot
    con = loaded(settings, "arena_catalog")
    reasons = {line: reason for file, line, reason in refused(con) if name.name in file}
    assert reasons == {
        3: "rating: expected number",
        4: "missing rating",
        5: "missing rating",
        6: "missing rating",
        7: "rating_lower: expected number",  # this cell alone
        8: "rating: expected number",
        9: "rating: expected number",
        10: "missing category or model",
    }
    kept = con.execute(
        """SELECT line, model_name, rating, rating_lower, rating_upper
        FROM raw.arena_catalog_ratings WHERE subset = 'new_board' ORDER BY line"""
    ).fetchall()
    assert kept == [
        (1, "later", 1.0, 0.5, 2.0),
        (2, "earlier", 1000.0, None, 1.5),
        (7, "bound", 1.0, None, None),
        (11, "twice", 1.0, None, None),
        (12, "twice", 2.0, None, None),
    ]
    ((rows,),) = con.execute("SELECT count(*) FROM raw.arena_catalog_ratings").fetchall()
    ((records,),) = con.execute(
        "SELECT count(*) FROM raw.quarantine WHERE kind = 'record'"
    ).fetchall()
    assert rows + records == snapshot.rows_seen
    noted = con.execute("SELECT column_name, record FROM raw.quarantine WHERE kind = 'cell'")
    assert noted.fetchall() == [("rating_lower", "true")]


# --- the data set: boards of every kind ----------------------------------------------------------

AGENT = {
    "score": [61.5, 60.25],
    "score_ci_lower": [60.0, 59.0],
    "score_ci_upper": [63.0, 62.0],
    "observation_count": [1000.0, 900.0],
    "session_count": [100.0, 90.0],
}
ARENA = {
    "rating": [1400.5, 1300.25],
    "rating_lower": [1390.0, 1290.0],
    "rating_upper": [1410.0, 1310.0],
    "variance": [26.0, math.nan],
    "vote_count": [100.0, math.nan],
}


def board(figures: dict[str, list[Any]], **types: pa.DataType) -> pa.Table:
    """Two lines of a board; `types` casts columns, as a producer may at any time."""
    columns = {
        "model_name": ["model-a", "model-b"],
        "organization": ["Lab", ""],
        "license": ["MIT", ""],
        **figures,
        "rank": [1, 2],
        "category": ["overall", "overall"],
        "leaderboard_publish_date": ["2026-08-01", "2026-08-01"],
    }
    table = pa.table(columns)
    for name, kind in types.items():
        place = table.column_names.index(name)
        naive = pa.timestamp("us") if pa.types.is_timestamp(kind) else kind
        table = table.set_column(place, name, table[name].cast(naive).cast(kind))
    return table


def write_board(folder: Path, subset: str, table: pa.Table) -> Path:
    path = folder / DATASET / subset / FULL
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)
    return path


text = pa.dictionary(pa.int32(), pa.string())
TYPES: dict[str, dict[str, pa.DataType]] = {
    "double ranks": {"rank": pa.float64()},
    "int32 ranks": {"rank": pa.int32()},
    "rating float32": {"rating": pa.float32()},
    "dates": {"leaderboard_publish_date": pa.date32()},
    "timestamps": {"leaderboard_publish_date": pa.timestamp("us")},
    "timestamps with zone": {"leaderboard_publish_date": pa.timestamp("ms", "UTC")},
    "large texts": {"model_name": pa.large_string(), "organization": pa.large_string()},
    "dictionaries": {"model_name": text, "organization": text, "category": text},
    "views": {"organization": pa.string_view()},
}


@pytest.mark.parametrize("kind", TYPES)
def test_a_board_may_change_its_types(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "recordings"
    write_board(folder, "text", board(ARENA, **TYPES[kind]))
    with StandIn(folder) as server:
        settings = settings_for(server, tmp_path)
        observe("lmarena", settings, DAY)
    con = loaded(settings, "lmarena")
    assert refused(con) == []
    told = con.execute(
        """SELECT line, model_name, organization, license, rating, variance, vote_count, rank,
        category, leaderboard_publish_date FROM raw.arena_leaderboards ORDER BY line"""
    ).fetchall()
    day = date(2026, 8, 1)
    assert told == [
        (1, "model-a", "Lab", "MIT", 1400.5, 26.0, 100, 1, "overall", day),
        (2, "model-b", None, None, 1300.25, None, None, 2, "overall", day),
    ]


def test_agent_boards_are_of_their_own_kind_and_whole_counts_may_be_integers(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "recordings"
    write_board(folder, "agent", board(AGENT))
    whole = {"observation_count": pa.int64(), "session_count": pa.int32(), "rank": pa.int64()}
    write_board(folder, "agent_task_outcome_explicit", board(AGENT, **whole))
    with StandIn(folder) as server:
        settings = settings_for(server, tmp_path)
        observe("lmarena", settings, DAY)
    con = loaded(settings, "lmarena")
    assert refused(con) == []
    told = con.execute(
        """SELECT DISTINCT line, model_name, score, score_lower, score_upper, observation_count,
        session_count, rank FROM raw.arena_agent_leaderboards ORDER BY line"""
    ).fetchall()
    assert told == [
        (1, "model-a", 61.5, 60.0, 63.0, 1000, 100, 1),
        (2, "model-b", 60.25, 59.0, 62.0, 900, 90, 2),
    ]
    assert counts(con, "raw.arena_agent_leaderboards", "subset") == {
        "agent": 2,
        "agent_task_outcome_explicit": 2,
    }


@pytest.mark.parametrize("typed", [True, False], ids=["typed", "without types"])
def test_a_board_without_rows_is_no_error(tmp_path: Path, typed: bool) -> None:
    folder = tmp_path / "recordings"
    empty = board(ARENA).slice(0, 0)
    untyped = pa.table({name: pa.nulls(0) for name in empty.column_names})
    write_board(folder, "text", board(ARENA))
    write_board(folder, "vision", empty if typed else untyped)
    with StandIn(folder) as server:
        settings = settings_for(server, tmp_path)
        assert observe("lmarena", settings, DAY).snapshot.rows_seen == 2
    con = loaded(settings, "lmarena")
    assert counts(con, "raw.arena_leaderboards", "subset") == {"text": 2}
    assert refused(con) == []


def test_a_fraction_is_no_number_of_votes(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    write_board(folder, "text", board(ARENA | {"vote_count": [10.5, 3.0]}))
    with StandIn(folder) as server:
        settings = settings_for(server, tmp_path)
        observe("lmarena", settings, DAY)
    con = loaded(settings, "lmarena")
    assert refused(con) == [(f"text/{FULL}", 1, "vote_count: expected integer")]
    kept = con.execute("SELECT line, rating, vote_count FROM raw.arena_leaderboards ORDER BY 1")
    assert [(line, votes) for line, _, votes in kept.fetchall()] == [(1, None), (2, 3)]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *(
            (c, v)
            for c in ("rating_lower", "rating_upper", "variance")
            for v in (math.inf, -math.inf)
        ),
        *(("variance", -1.0), ("vote_count", -1.0), ("vote_count", 0.5), ("rank", 0.0)),
        *((c, "n/a") for c in ("rating_upper", "variance", "vote_count", "rank")),
    ],
)
def test_an_unusable_side_value_is_null_and_noted_and_costs_no_rating(
    tmp_path: Path, column: str, value: float | str
) -> None:
    folder = tmp_path / "recordings"
    table = board(ARENA)
    cells: list[Any] = [value, "2" if isinstance(value, str) else 2.0]
    place = table.column_names.index(column)
    write_board(folder, "text", table.set_column(place, column, pa.array(cells)))
    with StandIn(folder) as server:
        settings = settings_for(server, tmp_path)
        observe("lmarena", settings, DAY)
    con = loaded(settings, "lmarena")
    rows = con.execute(f"SELECT rating, {column} FROM raw.arena_leaderboards ORDER BY line")
    assert rows.fetchall() == [(ARENA["rating"][0], None), (ARENA["rating"][1], 2)]
    told = "SELECT kind, line, column_name, record FROM raw.quarantine"
    assert con.execute(told).fetchall() == [("cell", 1, column, str(value))]


@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_an_infinite_rating_is_refused_and_not_a_number_is_null(
    tmp_path: Path, value: float
) -> None:
    folder = tmp_path / "recordings"
    write_board(folder, "text", board(ARENA | {"rating": [value, math.nan]}))
    with StandIn(folder) as server:
        settings = settings_for(server, tmp_path)
        assert observe("lmarena", settings, DAY).snapshot.rows_seen == 2
    con = loaded(settings, "lmarena")
    assert refused(con) == [(f"text/{FULL}", 1, "rating: expected number")]
    assert con.execute("SELECT line, rating FROM raw.arena_leaderboards").fetchall() == [(2, None)]


def test_a_subset_may_come_in_several_files(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    path = write_board(folder, "text", board(ARENA))
    path.rename(path.with_name("full-00000-of-00002.parquet"))
    second = board(ARENA | {"vote_count": [1.5, 2.0]})
    pq.write_table(second, path.with_name("full-00001-of-00002.parquet"))
    with StandIn(folder) as server:
        settings = settings_for(server, tmp_path)
        assert observe("lmarena", settings, DAY).snapshot.rows_seen == 4
    con = loaded(settings, "lmarena")
    lines = con.execute("SELECT line FROM raw.arena_leaderboards ORDER BY line").fetchall()
    assert lines == [(1,), (2,), (3,), (4,)]
    reason = "vote_count: expected integer"
    assert refused(con) == [("text/full-00001-of-00002.parquet", 1, reason)]


def test_what_lies_elsewhere_and_what_nobody_reads_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    hostile = "x\n\x1b[2J" + "y" * 99
    wider = board(ARENA).append_column("elo", pa.array([1, 2]))
    write_board(folder, "text-to-music", wider.append_column(hostile, pa.array([["a"], ["b"]])))
    latest = write_board(folder, "text", board(ARENA)).with_name("latest-00000-of-00001.parquet")
    pq.write_table(board(ARENA), latest)
    pq.write_table(board(ARENA), latest.with_name("all.parquet"))
    with StandIn(folder) as server:
        settings = settings_for(server, tmp_path)
        snapshot = observe("lmarena", settings, DAY).snapshot
    assert counts(loaded(settings, "lmarena"), "raw.arena_leaderboards", "subset") == {
        "text": 2,
        "text-to-music": 2,
    }
    passed, added = (n for n in snapshot.notes if not n.startswith("commit"))
    assert passed == "1 tables not fetched, since not <subset>/full-*.parquet: 'text/all.parquet'"
    assert added.startswith("text-to-music has columns that are not loaded: 'elo', 'x\\n\\x1b[2Jyy")
    assert len(added) < 120


def test_new_and_lost_subsets_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "recordings"
    write_board(folder, "text", board(ARENA))
    write_board(folder, "vision", board(ARENA, rank=pa.int32()))
    with StandIn(folder) as server, caplog.at_level(logging.WARNING, "observatory.lmarena"):
        settings = settings_for(server, tmp_path)
        first = observe("lmarena", settings, DAY).snapshot
        assert [n for n in first.notes if "subset " in n] == []  # nothing to compare with
        shutil.rmtree(folder / DATASET / "vision")
        write_board(folder, "agent", board(AGENT))
        odd = board(ARENA).rename_columns([f"x_{c}" for c in board(ARENA).column_names])
        write_board(folder, "smell", odd)
        second = observe("lmarena", settings, NEXT_DAY).snapshot
    told = "\n".join(second.notes)
    assert "new subset agent" in second.notes
    assert "lost subset vision: lmarena/2026-08-15 had it" in second.notes
    assert "new subset smell not loaded: it lacks the columns" in told
    assert sorted(f.name.split("/")[0] for f in second.files) == ["agent", "text"]
    assert "lost subset vision" in caplog.text
    assert "smell" in caplog.text
    (aside,) = (settings.archive / "lmarena" / str(NEXT_DAY) / "refused").iterdir()
    assert pq.read_table(aside).column_names == odd.column_names
    with StandIn(folder) as server:  # a subset that came back is not new
        write_board(folder, "vision", board(ARENA))
        third = observe("lmarena", settings_for(server, tmp_path), NEXT_DAY + timedelta(1)).snapshot
    assert not [n for n in third.notes if "new subset vision" in n]


def test_a_known_subset_with_other_columns_still_stops(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    write_board(folder, "text", board(ARENA))
    write_board(folder, "vision", board(ARENA))
    with StandIn(folder) as server:
        settings = settings_for(server, tmp_path)
        observe("lmarena", settings, DAY)
        write_board(folder, "vision", board(ARENA).drop_columns("rating"))
        with pytest.raises(SourceError, match=r"vision.* lacks the columns \['rating'\]"):
            observe("lmarena", settings, NEXT_DAY)


def test_rewritten_history_is_told_and_new_dates_are_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "recordings"
    old = board(ARENA)
    days = pa.array(["2026-08-14", "2026-08-14"])
    place = old.column_names.index("leaderboard_publish_date")
    newer = old.set_column(place, "leaderboard_publish_date", days)
    write_board(folder, "text", old)
    with StandIn(folder) as server, caplog.at_level(logging.WARNING, "observatory.lmarena"):
        settings = settings_for(server, tmp_path)
        observe("lmarena", settings, DAY)
        cast = pa.concat_tables([old, newer])
        cast = cast.set_column(cast.column_names.index("rank"), "rank", cast["rank"].cast("double"))
        write_board(folder, "text", cast)  # appended, and of another type: no event
        quiet = observe("lmarena", settings, NEXT_DAY).snapshot
        assert [n for n in quiet.notes if n.startswith("text: ")] == []
        changed = {**ARENA, "rating": [1400.5, 1333.0]}
        write_board(folder, "text", pa.concat_tables([board(changed), newer.slice(0, 1)]))
        loud = observe("lmarena", settings, NEXT_DAY + timedelta(1)).snapshot
    (note,) = [n for n in loud.notes if n.startswith("text: ")]
    assert note == (
        "text: 2 rows of 2 old dates changed or gone (2026-08-01 to 2026-08-14), 1 rows of 1 old "
        "dates added or changed (2026-08-01 to 2026-08-01) since lmarena/2026-08-16"
    )
    assert note in caplog.text
    assert loud.is_complete


# --- together ------------------------------------------------------------------------------------


def test_a_build_loads_the_three_and_a_source_without_snapshot_is_no_hindrance(
    small: Path, tmp_path: Path
) -> None:
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
