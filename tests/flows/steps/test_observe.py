"""A scheduled observation is filed under the time at which it was made."""

from __future__ import annotations

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from flows.steps.observe import Moment, moment_of, observe
from tests.conftest import settings_for
from tests.standin import StandIn
from warehouse.archive.archive import Archive

PLANNED = datetime(2026, 8, 15, 6, 15, tzinfo=UTC)


@pytest.mark.parametrize("minutes", [-4, 0, 1, 20, 59])
def test_a_run_on_time_and_its_retries_keep_the_planned_minute(minutes: int) -> None:
    now = PLANNED + timedelta(minutes=minutes)
    assert moment_of(PLANNED, now) == Moment(date(2026, 8, 15), "0615", is_late=False)


@pytest.mark.parametrize(
    ("late", "day", "slot"),
    [
        (timedelta(minutes=61), date(2026, 8, 15), "0716"),
        (timedelta(hours=6), date(2026, 8, 15), "1215"),
        (timedelta(days=3, minutes=2), date(2026, 8, 18), "0617"),
        (timedelta(hours=-2), date(2026, 8, 15), "0415"),  # started by hand before its time
    ],
)
def test_a_late_run_is_filed_under_the_real_minute(
    late: timedelta, day: date, slot: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "observatory"):
        assert moment_of(PLANNED, PLANNED + late) == Moment(day, slot, is_late=True)
    assert "planned for 2026-08-15 06:15" in caplog.text


def test_an_observation_after_midnight_belongs_to_its_own_day() -> None:
    planned = datetime(2026, 8, 15, 23, 59, tzinfo=UTC)
    found = moment_of(planned, planned + timedelta(minutes=2))
    assert found == Moment(date(2026, 8, 16), "0001", is_late=True)


def test_of_a_dozen_late_runs_one_fetches_and_the_others_find_its_snapshot(
    tmp_path: Path,
) -> None:
    strip = tmp_path / "recordings/hub/trending/2026-08-15T0000.json"
    strip.parent.mkdir(parents=True)
    item = {"repoData": {"id": "a/b", "author": "a"}, "repoType": "model"}
    strip.write_text(json.dumps({"recentlyTrending": [item]}))
    with StandIn(tmp_path / "recordings") as server, ThreadPoolExecutor(12) as pool:
        settings = settings_for(server, tmp_path)
        minutes = [f"12{minute:02}" for minute in range(12)]
        runs = [
            pool.submit(observe, "hub_trending", settings, date(2026, 8, 18), minute, is_late=True)
            for minute in minutes
        ]
        found = [run.result() for run in runs]
        fetched = [r for r in server.requests if r.path == "/api/trending"]
    (snapshot,) = Archive(settings.archive).snapshots()
    assert {f.snapshot.snapshot_id for f in found} == {snapshot.snapshot_id}
    assert sorted(f.is_reused for f in found) == [False] + [True] * 11
    assert len(fetched) == 1
