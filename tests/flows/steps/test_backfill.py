"""Backfill: several processes compute the same shares of past days as one build."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.settings import Settings
from flows.steps.backfill import backfill_day, prepare, record
from tests.flows.steps.test_past_shares import (
    FIRST,
    LAST,
    N_DAYS,
    _small_window,
    built,
    content,
    filled,
)
from warehouse.archive.archive import Archive

__all__ = ["_small_window", "filled"]  # fixtures

SETTLED = N_DAYS - 2  # the last two days are loaded


@pytest.fixture
def settings(filled: Archive, tmp_path: Path) -> Settings:
    return Settings(
        archive=filled.root,
        warehouse=tmp_path / "observatory.duckdb",
        history=tmp_path / "history",
        backfills=tmp_path / "backfills.yml",
    )


def test_days_that_are_loaded_need_no_backfill(settings: Settings) -> None:
    with prepare(settings, LAST - timedelta(days=1), LAST, LAST) as given:
        assert given.days == ()
        assert not given.build.exists()


def test_a_backfill_computes_only_the_given_days(settings: Settings) -> None:
    second = FIRST + timedelta(days=1)
    with prepare(settings, second, second, LAST) as given:
        assert [one.day for one in given.days] == [second]
        assert backfill_day(given, given.days[0])
        assert not backfill_day(given, given.days[0]), "kept, and computed again"
    assert not list(settings.warehouse.parent.glob(".backfill-*"))


def test_the_record_keeps_earlier_entries(tmp_path: Path) -> None:
    path = tmp_path / "backfills.yml"
    path.write_text("# why this file is here\n")
    record(path, {"from": FIRST, "reason": "a lab's country: was wrong"})
    record(path, {"from": LAST, "reason": "भारत"})
    assert path.read_text().startswith("# why this file is here\n")
    entries = yaml.safe_load(path.read_text())
    assert [e["reason"] for e in entries] == ["a lab's country: was wrong", "भारत"]
    assert entries[1]["from"] == LAST


@pytest.fixture
def flow(monkeypatch: pytest.MonkeyPatch) -> Any:
    from prefect.testing.utilities import prefect_test_harness

    from flows import pipeline

    monkeypatch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    with prefect_test_harness(server_startup_timeout=120):
        yield pipeline.backfill


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_dask_gives_the_same_as_one_process(
    flow: Any, filled: Archive, settings: Settings, tmp_path: Path
) -> None:
    from distributed import LocalCluster

    cold, computed = built(filled, tmp_path / "cold.duckdb", LAST)
    assert computed == SETTLED
    names = ("archive", "warehouse", "history", "backfills")
    overrides = {name: str(getattr(settings, name)) for name in names}

    def run(first: date, last: date, **more: Any) -> dict[str, Any]:
        told: dict[str, Any] = flow(first, last, "test", LAST, overrides=overrides, **more)
        return told

    half = run(FIRST, FIRST + timedelta(days=1), workers=2)
    assert (half["days"], half["computed"]) == (2, 2)
    # As after an interrupted run: stored days are reused, the rest is computed.
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        rest = run(FIRST, LAST, scheduler=cluster.scheduler_address)
    assert (rest["days"], rest["computed"]) == (SETTLED, SETTLED - 2)
    warm, computed = built(filled, tmp_path / "warm.duckdb", LAST, settings.history)
    assert computed == 0
    assert content(warm) == content(cold)
    entries = yaml.safe_load(settings.backfills.read_text())
    assert [e["computed"] for e in entries] == [2, SETTLED - 2]
