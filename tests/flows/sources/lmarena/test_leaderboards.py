"""LMArena leaderboards: what is fetched, boards of every kind, and changed history."""

from __future__ import annotations

import json
import logging
import math
import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows.sources.http import SourceError
from flows.steps.observe import observe
from tests.conftest import DAY, settings_for
from tests.standin import Answer, Call, StandIn
from tests.support.arena import AGENT, ARENA, board, loaded_newest, refused_lines, write_board
from tests.support.sources import (
    BOARDS,
    FULL,
    NEXT_DAY,
    copy_boards,
    counts,
    downloads,
    loaded,
    refused,
)
from warehouse.archive.archive import Archive


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


def test_a_renamed_board_is_not_downloaded_again(recordings: Path, tmp_path: Path) -> None:
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


def test_only_full_history_files_with_safe_paths_are_fetched(
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


def test_bytes_that_differ_from_the_tree_digest_are_rejected(
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


def test_unusable_board_lines_are_quarantined(recordings: Path, tmp_path: Path) -> None:
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


# --- boards of every kind ----------------------------------------------------------


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
def test_a_board_with_other_column_types_is_loaded(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "recordings"
    write_board(folder, "text", board(ARENA, **TYPES[kind]))
    with StandIn(folder) as server:
        settings = settings_for(server, tmp_path)
        observe("lmarena", settings, DAY)
    con = loaded_newest(settings, "lmarena")
    assert refused_lines(con) == []
    result = con.execute(
        """SELECT line, model_name, organization, license, rating, variance, vote_count, rank,
        category, leaderboard_publish_date FROM raw.arena_leaderboards ORDER BY line"""
    ).fetchall()
    day = date(2026, 8, 1)
    assert result == [
        (1, "model-a", "Lab", "MIT", 1400.5, 26.0, 100, 1, "overall", day),
        (2, "model-b", None, None, 1300.25, None, None, 2, "overall", day),
    ]


def test_agent_boards_have_their_own_table_and_integer_counts_are_accepted(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "recordings"
    write_board(folder, "agent", board(AGENT))
    whole = {"observation_count": pa.int64(), "session_count": pa.int32(), "rank": pa.int64()}
    write_board(folder, "agent_task_outcome_explicit", board(AGENT, **whole))
    with StandIn(folder) as server:
        settings = settings_for(server, tmp_path)
        observe("lmarena", settings, DAY)
    con = loaded_newest(settings, "lmarena")
    assert refused_lines(con) == []
    result = con.execute(
        """SELECT DISTINCT line, model_name, score, score_lower, score_upper, observation_count,
        session_count, rank FROM raw.arena_agent_leaderboards ORDER BY line"""
    ).fetchall()
    assert result == [
        (1, "model-a", 61.5, 60.0, 63.0, 1000, 100, 1),
        (2, "model-b", 60.25, 59.0, 62.0, 900, 90, 2),
    ]
    assert counts(con, "raw.arena_agent_leaderboards", "subset") == {
        "agent": 2,
        "agent_task_outcome_explicit": 2,
    }


@pytest.mark.parametrize("typed", [True, False], ids=["typed", "without types"])
def test_a_board_without_rows_is_not_an_error(tmp_path: Path, typed: bool) -> None:
    folder = tmp_path / "recordings"
    empty = board(ARENA).slice(0, 0)
    untyped = pa.table({name: pa.nulls(0) for name in empty.column_names})
    write_board(folder, "text", board(ARENA))
    write_board(folder, "vision", empty if typed else untyped)
    with StandIn(folder) as server:
        settings = settings_for(server, tmp_path)
        assert observe("lmarena", settings, DAY).snapshot.rows_seen == 2
    con = loaded_newest(settings, "lmarena")
    assert counts(con, "raw.arena_leaderboards", "subset") == {"text": 2}
    assert refused_lines(con) == []


def test_a_fractional_vote_count_is_quarantined(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    write_board(folder, "text", board(ARENA | {"vote_count": [10.5, 3.0]}))
    with StandIn(folder) as server:
        settings = settings_for(server, tmp_path)
        observe("lmarena", settings, DAY)
    con = loaded_newest(settings, "lmarena")
    assert refused_lines(con) == [(f"text/{FULL}", 1, "vote_count: expected integer, 0 or more")]
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
def test_an_unusable_side_value_is_quarantined_and_the_rating_kept(
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
    con = loaded_newest(settings, "lmarena")
    rows = con.execute(f"SELECT rating, {column} FROM raw.arena_leaderboards ORDER BY line")
    assert rows.fetchall() == [(ARENA["rating"][0], None), (ARENA["rating"][1], 2)]
    result = "SELECT kind, line, column_name, record FROM raw.quarantine"
    assert con.execute(result).fetchall() == [("cell", 1, column, str(value))]


@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_an_infinite_rating_is_rejected_and_nan_is_null(tmp_path: Path, value: float) -> None:
    folder = tmp_path / "recordings"
    write_board(folder, "text", board(ARENA | {"rating": [value, math.nan]}))
    with StandIn(folder) as server:
        settings = settings_for(server, tmp_path)
        assert observe("lmarena", settings, DAY).snapshot.rows_seen == 2
    con = loaded_newest(settings, "lmarena")
    assert refused_lines(con) == [(f"text/{FULL}", 1, "rating: expected number")]
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
    con = loaded_newest(settings, "lmarena")
    lines = con.execute("SELECT line FROM raw.arena_leaderboards ORDER BY line").fetchall()
    assert lines == [(1,), (2,), (3,), (4,)]
    reason = "vote_count: expected integer, 0 or more"
    assert refused_lines(con) == [("text/full-00001-of-00002.parquet", 1, reason)]


def test_unknown_paths_and_columns_are_noted(tmp_path: Path) -> None:
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
    assert counts(loaded_newest(settings, "lmarena"), "raw.arena_leaderboards", "subset") == {
        "text": 2,
        "text-to-music": 2,
    }
    passed, added = (n for n in snapshot.notes if not n.startswith("commit"))
    assert passed == "1 tables not fetched, since not <subset>/full-*.parquet: 'text/all.parquet'"
    assert added.startswith("text-to-music has columns that are not loaded: 'elo', 'x\\n\\x1b[2Jyy")
    assert len(added) < 120


def test_new_and_lost_subsets_are_noted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "recordings"
    write_board(folder, "text", board(ARENA))
    write_board(folder, "vision", board(ARENA, rank=pa.int32()))
    with StandIn(folder) as server, caplog.at_level(logging.WARNING, "observatory.lmarena"):
        settings = settings_for(server, tmp_path)
        first = observe("lmarena", settings, DAY).snapshot
        assert [n for n in first.notes if "subset " in n] == []  # nothing to compare with
        shutil.rmtree(folder / BOARDS / "vision")
        write_board(folder, "agent", board(AGENT))
        odd = board(ARENA).rename_columns([f"x_{c}" for c in board(ARENA).column_names])
        write_board(folder, "smell", odd)
        second = observe("lmarena", settings, NEXT_DAY).snapshot
    result = "\n".join(second.notes)
    assert "new subset agent" in second.notes
    assert "lost subset vision: lmarena/2026-08-15 had it" in second.notes
    assert "new subset smell not loaded: it lacks the columns" in result
    assert sorted(f.name.split("/")[0] for f in second.files) == ["agent", "text"]
    assert "lost subset vision" in caplog.text
    assert "smell" in caplog.text
    (aside,) = (settings.archive / "lmarena" / str(NEXT_DAY) / "refused").iterdir()
    assert pq.read_table(aside).column_names == odd.column_names
    with StandIn(folder) as server:  # a subset that came back is not new
        write_board(folder, "vision", board(ARENA))
        third = observe("lmarena", settings_for(server, tmp_path), NEXT_DAY + timedelta(1)).snapshot
    assert not [n for n in third.notes if "new subset vision" in n]


def test_a_known_subset_with_other_columns_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    write_board(folder, "text", board(ARENA))
    write_board(folder, "vision", board(ARENA))
    with StandIn(folder) as server:
        settings = settings_for(server, tmp_path)
        observe("lmarena", settings, DAY)
        write_board(folder, "vision", board(ARENA).drop_columns("rating"))
        with pytest.raises(SourceError, match=r"vision.* lacks the columns \['rating'\]"):
            observe("lmarena", settings, NEXT_DAY)


def test_rewritten_history_is_noted_and_new_dates_are_not(
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
