"""arena-catalog: commits, GitHub's quota and token, and entries that are not ratings."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.cli.exit_codes import exit_code
from flows.sources.http import SourceError
from flows.steps.observe import observe
from tests.conftest import DAY, settings_for
from tests.standin import Answer, Call, StandIn
from tests.support.arena import (
    CATALOG,
    loaded_newest,
    refused_lines,
    sent,
    write,
)
from tests.support.sources import NEXT_DAY, counts


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
    assert counts(loaded_newest(settings, "arena_catalog"), "raw.arena_catalog_ratings", "1") == {
        1: third.rows_seen
    }


def test_a_history_longer_than_a_page_is_read_completely(
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
        result = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1786791600"}
        return Answer(403, b'{"message":"API rate limit exceeded for 203.0.113.7."}', result)


def test_a_used_up_quota_says_when_it_resets_and_the_next_run_resumes(
    small: Path, tmp_path: Path
) -> None:
    with Quota(small) as server:
        settings = settings_for(server, tmp_path)
        with pytest.raises(SourceError, match="HTTP 403") as failed:
            observe("arena_catalog", settings, DAY)
        result = str(failed.value)
        assert "the quota is used up until 2026-08-15 11:00 UTC" in result
        assert "set GITHUB_TOKEN" in result
        assert exit_code(failed.value) == 3
        had = sent(server)
        server.requests.clear()
        server.left = 3
        snapshot = observe("arena_catalog", settings, DAY).snapshot
    assert len(had) == 3  # two commits: image, vision, and vision alone
    assert len(sent(server)) == 2
    assert len(snapshot.files) == 6
    assert server.headers[0] == ""


def test_a_used_up_quota_with_status_429_gives_the_same_advice(small: Path, tmp_path: Path) -> None:
    class Busy(StandIn):
        def answer(self, call: Call) -> Answer:
            return Answer(429, b"{}", {"x-ratelimit-remaining": "0"})

    with Busy(small) as server, pytest.raises(SourceError, match="set GITHUB_TOKEN") as failed:
        observe("arena_catalog", settings_for(server, tmp_path), DAY)
    assert "an unknown time" in str(failed.value)
    assert failed.value.is_transient


def test_the_token_is_sent_only_to_the_api_and_not_stored(
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


def test_entries_without_a_rating_are_quarantined(small: Path, tmp_path: Path) -> None:
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
    con = loaded_newest(settings, "arena_catalog")
    reasons = {line: reason for file, line, reason in refused_lines(con) if name.name in file}
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
