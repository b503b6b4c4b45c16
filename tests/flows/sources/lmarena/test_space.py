"""The frozen Space: its tables, and the ratings of its pickles."""

from __future__ import annotations

import csv
import hashlib
import io
import math
import os
import pickle
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from flows.sources.http import SourceError
from flows.sources.lmarena.space_boards import boards
from flows.steps.observe import observe
from tests.conftest import DAY, settings_for
from tests.standin import StandIn
from tests.support.arena import (
    SPACE,
    loaded_newest,
    refused_lines,
    sent,
    write,
)
from tests.support.pickles import MODELS, Does, result
from tests.support.sources import NEXT_DAY, counts
from warehouse.archive.archive import Archive


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


def test_other_files_of_the_space_are_not_fetched(small: Path, tmp_path: Path) -> None:
    for name in ("app.py", "arena_hard_auto.csv", "leaderboard_table_2025.csv", "README.md"):
        write(small / SPACE / name, "import os\n")
    write(small / SPACE / "elo_results_20240329.pkl", pickle.dumps(result()))
    with StandIn(small) as server:
        snapshot = observe("lmarena_space", settings_for(server, tmp_path), DAY).snapshot
    assert len(snapshot.files) == 3
    assert "pickles not fetched (OBSERVATORY_SPACE_PICKLES is not set)" in snapshot.notes


# --- the pickles ---------------------------------------------------------------------------------


def test_pickles_are_stored_as_parquet_under_their_own_digest(
    pickled: Path, tmp_path: Path
) -> None:
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
    con = loaded_newest(settings, "lmarena_space")
    table = "raw.arena_space_ratings"
    assert refused_lines(con) == []
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


def test_unusable_figures_of_a_pickle_are_quarantined(pickled: Path, tmp_path: Path) -> None:
    odd = result()
    odd["leaderboard_table_df"] = odd["leaderboard_table_df"].assign(
        num_battles=[10.5, 3.0, math.nan], final_ranking=[1, 2, 1e11]
    )
    write(pickled / SPACE / "elo_results_20240110.pkl", pickle.dumps(odd))
    with StandIn(pickled) as server:
        settings = settings_for(server, tmp_path, space_pickles=True)
        observe("lmarena_space", settings, DAY)
    con = loaded_newest(settings, "lmarena_space")
    name = "elo_results_20240110.pkl"
    assert refused_lines(con) == [
        (name, 1, "vote_count: expected integer, 0 or more"),
        (name, 3, "rank: expected integer, 1 or more"),
    ]
    query = "SELECT kind, column_name, record FROM raw.quarantine ORDER BY line"
    assert con.execute(query).fetchall() == [
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


def test_cells_of_another_type_are_quarantined(small: Path, tmp_path: Path) -> None:
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
    con = loaded_newest(settings, "lmarena_space")
    assert refused_lines(con) == [
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
