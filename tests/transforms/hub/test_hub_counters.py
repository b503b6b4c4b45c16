"""Counter days and daily new downloads: every rule a flag beside the number, nothing repaired."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.frames import DAY, PROPERTY, REVIEWED, compute, registry, rows, table_of
from tests.support.hub_histories import applied, day, model, raw, sweep
from warehouse.contracts.table import contract
from warehouse.database.duckdb_file import create_tables
from warehouse.hub_history.load import load_history

EVE = DAY - timedelta(days=1)
COUNTED: dict[str, Any] = {
    "snapshot_id": f"hub/{DAY}", "snapshot_date": DAY, "previous_date": EVE,
    "is_whole_sweep": True, "models": 10, "models_before": 10, "models_changed": 10,
    "models_new": 0, "models_left": 0, "models_returned": 0, "models_compared": 10,
    "models_unchanged": 5, "models_compared_100": 4, "models_unchanged_100": 0,
    "downloads_30d": 1000, "downloads_30d_compared": 1000, "downloads_30d_compared_before": 1000,
    "models_compared_all_time": 10, "downloads_all_time_rises": 70,
    "downloads_all_time_falls": 9, "models_fallen_all_time": 1,
}  # fmt: skip


def counter_day(**counted: Any) -> dict[str, Any]:
    days = rows("raw.hub_history_days", {**COUNTED, **counted})
    return compute("core.hub_counter_days", raw_hub_history_days=days).row(0, named=True)


@pytest.mark.parametrize(
    ("counted", "reason"),
    [
        ({}, None),
        ({"models_unchanged": 10}, None),  # small counters stand still on any day
        ({"models_unchanged_100": 1}, None),
        ({"models_unchanged_100": 2}, "stale_day"),
        ({"downloads_30d_compared": 700}, None),
        ({"downloads_30d_compared": 699}, "total_fell"),
        ({"models_unchanged_100": 4, "downloads_30d_compared": 0}, "stale_day"),
    ],
)
def test_a_day_with_stale_or_falling_counters_is_flagged(
    counted: dict[str, int], reason: str | None
) -> None:
    assert counter_day(**counted)["counter_outage"] == reason


def test_counters_that_were_not_compared_are_null_not_zero() -> None:
    none = dict.fromkeys((c for c in COUNTED if "compared" in c), 0)
    first = counter_day(previous_date=None, **none)
    for column in ("previous_date", "days", "unchanged_share", "unchanged_share_100",
                   "downloads_30d_change_share", "downloads_new", "downloads_all_time_falls",
                   "models_fallen_all_time", "counter_outage"):  # fmt: skip
        assert first[column] is None, column
    shown = counter_day()
    assert (shown["days"], shown["downloads_new"], shown["downloads_all_time_falls"]) == (1, 70, 9)


STEP: dict[str, Any] = {
    "snapshot_id": f"hub/{DAY}", "snapshot_date": DAY, "previous_date": EVE,
    "is_new": False, "was_listed": True,
}  # fmt: skip
OLD = datetime(2024, 1, 1)


def daily(
    *steps: dict[str, Any],
    created: datetime = OLD,
    outage: str | None = None,
    spikes: tuple[str, ...] = (),
) -> list[dict[str, Any]]:
    """core.hub_daily_downloads of models of a lab (`lab/`) and of test fixtures (`ci/`)."""
    names = [s["model_id_hf"] for s in steps]
    people = registry({"lab": "US"})
    namespaces = pl.concat([
        people["raw_registry_namespaces"],
        rows("raw.registry_namespaces", {"namespace": "ci", "lab_id": "lab"},
             system="hub", valid_from=date(1900, 1, 1), **{**REVIEWED, "kind": "ci"}),
    ])  # fmt: skip
    about = [
        {"model_id_hf": n, "model_key": k, "author": n.split("/")[0], "created_at": created,
         "first_seen_date": EVE, "last_seen_date": DAY}
        for k, n in enumerate(names, 1)
    ]  # fmt: skip
    seen = [
        {"as_of_date": DAY, "model_id_hf": n, "downloads_30d": 50, "downloads_30d_usual": 1.0,
         "n_observations": 3}
        for n in spikes
    ]  # fmt: skip
    counted = {"as_of_date": DAY, "previous_date": EVE, "days": 1, "counter_outage": outage}
    counted |= {c: v for c, v in COUNTED.items() if c.startswith(("models", "is_"))}
    days = {c: counted.get(c) for c in columns_of("core.hub_counter_days")}
    made = compute(
        "core.hub_daily_downloads",
        raw_hub_counter_steps=rows("raw.hub_counter_steps", *({**STEP, **s} for s in steps)),
        hub_counter_days=rows("core.hub_counter_days", days),
        hub_counter_spikes=rows("core.hub_counter_spikes", *seen),
        hub_models=rows("core.hub_models", *about),
        namespaces=table_of("core.namespaces", raw_registry_namespaces=namespaces).lazy(),
        labs=table_of("core.labs", raw_registry_labs=people["raw_registry_labs"]).lazy(),
    )
    return made.to_dicts()


def columns_of(table: str) -> list[str]:
    return list(contract(table).columns)


def step(before: int | None, now: int | None, name: str = "lab/m", **more: Any) -> dict[str, Any]:
    return {
        "model_id_hf": name,
        "downloads_all_time_before": before,
        "downloads_all_time": now,
        **more,
    }


@pytest.mark.parametrize(
    ("before", "now", "outage", "new", "clipped", "reason"),
    [
        (100, 130, None, 30, 0, None),
        (100, 130, "stale_day", 30, 0, "stale_day"),
        (100, 130, "total_fell", 30, 0, "total_fell"),
        (100, 99, None, 0, 1, "fall"),
        (100, 10, None, 0, 90, "fall"),
        (100, 9, None, 0, 91, "reset"),
        (100, 9, "stale_day", 0, 91, "reset"),
        (0, 5, None, 5, 0, None),
    ],
)
def test_a_fall_counts_as_zero_downloads_and_is_flagged(
    before: int, now: int, outage: str | None, new: int, clipped: int, reason: str | None
) -> None:
    (row,) = daily(step(before, now), outage=outage)
    assert row["downloads_all_time_change"] == now - before == new - clipped
    assert (row["downloads_new"], row["downloads_clipped"]) == (new, clipped)
    assert (row["counter_outage"], row["missing_reason"]) == (reason, None)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (step(None, 7, is_new=True, was_listed=False), "first_seen"),
        (step(None, 7, was_listed=False), "returned"),
        (step(None, 7), "not_recorded"),
        (step(7, None), "not_recorded"),
    ],
)
def test_a_missing_difference_has_a_reason(said: dict[str, Any], reason: str) -> None:
    (row,) = daily(said)
    assert row["missing_reason"] == reason
    assert row["downloads_new"] is row["downloads_clipped"] is None


def test_unchanged_all_time_counters_have_no_row() -> None:
    assert daily(step(7, 7, downloads_30d=3), step(None, None, "lab/n")) == []


def test_fixtures_spikes_and_launches_are_flagged() -> None:
    steps = (step(1, 60, "ci/m"), step(1, 60, "lab/spike"), step(1, 2, "lab/calm"))
    spiked = {r["model_id_hf"]: r["ci_suspect"] for r in daily(*steps, spikes=("lab/spike",))}
    assert spiked == {"ci/m": "ci_namespace", "lab/spike": "spike", "lab/calm": None}
    young = daily(*steps, spikes=("lab/spike",), created=datetime(2026, 8, 13))
    assert {r["preliminary"] for r in young} == {"launch_lag"}  # the third day
    assert {r["ci_suspect"] for r in young} == {"ci_namespace", None}  # no spike: it is new
    assert daily(step(1, 2), created=datetime(2026, 8, 12))[0]["preliminary"] is None


# ---- from listings, by the history --------------------------------------------------------------


@settings(PROPERTY, max_examples=8)
@given(st.lists(st.integers(0, 40), min_size=33, max_size=40), st.integers(0, 3))
def test_daily_downloads_are_recovered_from_the_counters(
    tmp_path_factory: pytest.TempPathFactory, new: list[int], skew: int
) -> None:
    """A model with `new` downloads a day: its all-time and 30-day counters give them back.

    The identity D(t) - D(t-1) = new(t) - new(t-30) leaves what the counter was made wrong by.
    """
    con = duckdb.connect()
    create_tables(con)
    last = len(new) - 1
    listings = {
        day(n): [
            model(
                "a/m", "1" * 24, downloads_all_time=1000 + sum(new[: n + 1]), likes=n,
                downloads_30d=sum(new[max(0, n - 29) : n + 1]) + (skew if n == last else 0),
            )
        ]
        for n in (*range(last - 32, last - 28), last - 1, last)
    }  # fmt: skip
    raw(con, listings)
    history = applied(con, tmp_path_factory.mktemp("h"), [sweep(when) for when in listings])
    load_history(con, history, day(last), [day(last)])
    frames = {
        f"raw_hub_{name}": con.sql(f"FROM raw.hub_{name}").pl().lazy()
        for name in ("counter_steps", "history_days", "known_models", "earlier_counters", "models")
    }
    made = table_of("core.hub_daily_downloads", **frames)
    if new[last] == 0:
        assert made.is_empty()
        return
    (row,) = made.to_dicts()
    assert (row["downloads_new"], row["days"]) == (new[last], 1)
    assert row["window_residual"] == skew
    con.close()


def test_the_command_shows_a_model_and_finds_damage(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from flows.cli.app import app
    from tests.flows.steps.test_past_shares import file_hub, hub_on
    from warehouse.archive.archive import Archive

    archive = Archive(tmp_path / "archive")
    for n in range(3):
        file_hub(archive, day(n), hub_on(n))
    places = [f"--archive={archive.root}", f"--history={tmp_path / 'history'}"]

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(app, ["history", *arguments, *places], env={"COLUMNS": "200"})

    assert "missing; the next build adds them" in run("status").stdout
    assert "3 snapshots added" in run("update").stdout
    assert "0 snapshots added" in run("update").stdout
    shown = run("show", "Qwen/base", "--json")
    assert '"downloads_30d": 1002' in shown.stdout, shown.output
    unknown = run("show", "no/such")
    assert unknown.exit_code == 5
    assert "no/such" in unknown.stderr
    assert "8 files" in run("verify").stdout
    damaged = next((tmp_path / "history").rglob("counters/*.parquet"))
    damaged.write_bytes(damaged.read_bytes()[::-1])
    shown = run("verify")
    assert shown.exit_code == 5
    assert damaged.name in shown.stderr
    assert "rebuild" in shown.stderr
    assert "3 snapshots added" in run("rebuild").stdout
    assert "8 files" in run("verify").stdout
