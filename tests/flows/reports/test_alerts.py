"""Alerts: sent once for a change beyond its uncertainty, never for a day of stalled counters."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from flows.reports import alerts
from flows.reports.alerts import CHANGE_OF_LEADER, SHARE_MOVED, SOURCE_STALE, Alert
from tests.support.frames import rows
from warehouse.contracts.table import contract
from warehouse.database import duckdb_file

MONDAY, TUESDAY = date(2026, 8, 10), date(2026, 8, 11)


def warehouse(path: Path, as_of: date, **tables: pl.LazyFrame) -> Path:
    """A warehouse file with some rows, its names written `layer__table`."""
    con = duckdb_file.create(path)
    for name, frame in tables.items():
        table = contract(name.replace("__", "."))
        duckdb_file.insert_frame(con, table, frame.collect())
    con.execute("INSERT INTO meta.build VALUES (?, ?, '1', 'x', false)", [as_of, date.max])
    con.close()
    return path


def change(day: date, holder: str, before: str | None = None, **more: object) -> dict[str, object]:
    return {
        "board": "text",
        "category": "overall",
        "level": "country",
        "confirmed_date": day,
        "first_led_date": day,
        "previous_holder": before,
        "holder": holder,
        "holder_name": holder,
        "n_dates": 3,
        "is_style_controlled": False,
        "best_model": "a",
        "best_model_id": "a",
        "rival_model": "b",
        "margin": 20.0,
        "doubt": 5.0,
        "expected_win_rate": 0.53,
        "has_catalog_rows": False,
        **more,
    }


def changes(*given: dict[str, object]) -> pl.LazyFrame:
    return rows("mart.arena_leader_changes", *given)


US = change(date(2025, 1, 5), "US")
CN = change(date(2026, 8, 9), "CN", "US")


def found(tmp_path: Path, before: pl.LazyFrame, after: pl.LazyFrame) -> list[Alert]:
    old = warehouse(tmp_path / "old.duckdb", MONDAY, mart__arena_leader_changes=before)
    new = warehouse(tmp_path / "new.duckdb", TUESDAY, mart__arena_leader_changes=after)
    return alerts.compare(old, new)


def test_a_change_of_leader_names_both(tmp_path: Path) -> None:
    (alert,) = found(tmp_path, changes(US), changes(US, CN))
    assert (alert.kind, alert.before, alert.after) == (CHANGE_OF_LEADER, "US", "CN")
    assert alert.subject == "Arena text, overall, country"
    assert "2026-08-09" in alert.text


def test_the_same_leader_gives_no_alert(tmp_path: Path) -> None:
    assert found(tmp_path, changes(US, CN), changes(US, CN)) == []


def test_a_new_board_has_no_change_of_leader(tmp_path: Path) -> None:
    video = change(date(2026, 8, 9), "CN", board="text_to_video")
    assert found(tmp_path, changes(US), changes(US, video)) == []


def test_past_changes_from_a_new_source_give_no_alert(tmp_path: Path) -> None:
    then = change(date(2024, 6, 1), "FR", "US")
    back = change(date(2024, 9, 1), "US", "FR")
    assert found(tmp_path, changes(US), changes(US, then, back)) == []


def test_a_first_build_gives_no_alert(tmp_path: Path) -> None:
    new = warehouse(tmp_path / "new.duckdb", TUESDAY, mart__arena_leader_changes=changes(US, CN))
    assert alerts.compare(tmp_path / "absent.duckdb", new) == []


def test_an_older_file_without_the_table_is_skipped(tmp_path: Path) -> None:
    import duckdb

    old = warehouse(tmp_path / "old.duckdb", MONDAY)
    with duckdb.connect(str(old)) as con:
        con.execute("DROP TABLE mart.arena_leader_changes")
    new = warehouse(tmp_path / "new.duckdb", TUESDAY, mart__arena_leader_changes=changes(US, CN))
    assert alerts.compare(old, new) == []


def snapshot(source: str, day: date) -> pl.LazyFrame:
    return rows(
        "meta.snapshots",
        {
            "snapshot_id": f"{source}/{day}",
            "source": source,
            "snapshot_date": day,
            "producer": "p",
            "url": "u",
            "license": "l",
            "redistribution": "derived",
            "citation": "c",
            "retrieved_at": None,
            "files": 1,
            "bytes": 1,
            "rows_seen": 1,
            "is_complete": True,
            "is_sample": False,
            "sidecar_sha256": "0",
            "is_loaded": True,
        }
        | {"retrieved_at": pl.Series([day]).cast(pl.Datetime("us"))[0]},
    )


@pytest.mark.parametrize(("days", "late"), [(2, False), (3, True)])
def test_a_source_is_late_after_the_days_of_its_card(tmp_path: Path, days: int, late: bool) -> None:
    seen = date(2026, 8, 1)
    old = warehouse(tmp_path / "old.duckdb", seen, meta__snapshots=snapshot("hub", seen))
    clock = date(2026, 8, 1 + days)
    new = warehouse(tmp_path / "new.duckdb", clock, meta__snapshots=snapshot("hub", seen))
    found = alerts.compare(old, new)
    assert [(a.kind, a.subject) for a in found] == ([(SOURCE_STALE, "hub")] if late else [])


def test_a_source_that_stays_late_gives_one_alert(tmp_path: Path) -> None:
    seen = date(2026, 8, 1)
    old = warehouse(tmp_path / "old.duckdb", MONDAY, meta__snapshots=snapshot("hub", seen))
    new = warehouse(tmp_path / "new.duckdb", TUESDAY, meta__snapshots=snapshot("hub", seen))
    assert alerts.compare(old, new) == []


def test_a_frozen_source_is_never_late(tmp_path: Path) -> None:
    seen = date(2020, 8, 1)
    frozen = snapshot("lmarena_space", seen)
    old = warehouse(tmp_path / "old.duckdb", seen, meta__snapshots=frozen)
    new = warehouse(tmp_path / "new.duckdb", TUESDAY, meta__snapshots=frozen)
    assert alerts.compare(old, new) == []


def test_alerts_are_saved_until_they_are_sent(tmp_path: Path) -> None:
    old = warehouse(tmp_path / "old.duckdb", MONDAY, mart__arena_leader_changes=changes(US))
    new = warehouse(tmp_path / "new.duckdb", TUESDAY, mart__arena_leader_changes=changes(US, CN))
    kept = tmp_path / "observatory.duckdb"
    noted = alerts.save(old, new, kept)
    assert len(noted) == 1
    # The run died before it sent them; the next build finds nothing new but still has them.
    assert alerts.save(new, new, kept) == noted
    assert alerts.save(old, new, kept) == noted, "saved twice"
    assert alerts.unsent(kept) == noted
    alerts.clear(kept)
    assert alerts.unsent(kept) == []


def shares(day: date, share: float, doubt: float) -> dict[str, object]:
    return {
        "as_of_date": day,
        "population": "all",
        "metric": "downloads_30d",
        "metric_window": "30d",
        "attribution": "base",
        "credit": "fractional",
        "country_code": "CN",
        "country_name": "China",
        "share": share,
        "share_lower": share,
        "share_upper": share + doubt,
        "numerator": 1.0,
        "denominator": 1.0,
        "n_models": 1,
        "n_models_population": 1,
        "n_models_without_counter": 0,
        "panel_id": "whole_hub",
    }


def counter_day(day: date, outage: str | None = None) -> dict[str, object]:
    counts = ("models", "models_changed", "models_new", "models_left", "models_returned")
    compared = ("models_compared", "models_compared_100")
    return dict.fromkeys((*counts, *compared), 1) | {
        "as_of_date": day,
        "is_whole_sweep": True,
        "counter_outage": outage,
    }


def moved(tmp_path: Path, share: float, outage: str | None = None) -> list[Alert]:
    """Alerts after a day on which China's share is this, the day before 20 to 25 %."""
    first = shares(MONDAY, 0.20, 0.05), counter_day(MONDAY)
    second = shares(TUESDAY, share, 0.05), counter_day(TUESDAY, outage)
    files = [
        warehouse(
            tmp_path / f"{len(days)}.duckdb",
            clock,
            mart__country_share_daily=rows("mart.country_share_daily", *(d[0] for d in days)),
            core__hub_counter_days=rows("core.hub_counter_days", *(d[1] for d in days)),
        )
        for clock, days in ((MONDAY, [first]), (TUESDAY, [first, second]))
    ]
    return alerts.compare(*files)


def test_a_share_outside_its_previous_bounds_gives_an_alert(tmp_path: Path) -> None:
    (alert,) = moved(tmp_path, 0.26)
    assert (alert.kind, alert.before, alert.after) == (SHARE_MOVED, "20.0 %", "26.0 %")
    assert "CN" in alert.text


def test_a_share_within_its_previous_bounds_gives_no_alert(tmp_path: Path) -> None:
    assert moved(tmp_path, 0.24) == []


@pytest.mark.parametrize("outage", ["stale_day", "total_fell"])
def test_a_day_of_an_outage_gives_no_alert(tmp_path: Path, outage: str) -> None:
    assert moved(tmp_path, 0.9, outage) == []
