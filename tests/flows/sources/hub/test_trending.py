"""The trending strip: unsound items, and a strip that was stored but not sealed."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from flows.steps.observe import observe
from tests.conftest import DAY, settings_for
from tests.standin import Answer, Call, StandIn
from tests.support.sources import (
    counts,
    loaded,
    refused,
)


def test_unusable_trending_items_are_quarantined(recordings: Path, tmp_path: Path) -> None:
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
        (table, 5, "downloads_30d: expected integer, 0 or more, at most 1e+12"),
        (table, 6, "missing id or type"),
    ]


def test_a_stored_strip_that_was_not_sealed_is_fetched_again(
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
