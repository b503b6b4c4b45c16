"""Past days have the same shares, whichever build or process computed them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pytest

from flows.steps import build as steps
from flows.steps.build import Clocks
from flows.steps.snapshot_window import last_loaded_days, loaded, recent
from warehouse.archive.archive import Archive
from warehouse.archive.draft import open_draft
from warehouse.archive.snapshot import Snapshot
from warehouse.contracts.source import card, cards
from warehouse.contracts.table import contracts
from warehouse.database.duckdb_file import connect

FIRST = date(2026, 8, 1)
N_DAYS = 6
RECORDS = 9  # two days of four or five models


@pytest.fixture(autouse=True)
def _small_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes a Hub of a few models count as complete, with a small window."""
    about = {"recent_records": RECORDS, "whole_records": 1}
    small = {**cards(), "hub": card("hub").model_copy(update=about)}
    monkeypatch.setattr("warehouse.contracts.source.cards", lambda: small)


def item(number: int, name: str, downloads: int | None, **more: Any) -> dict[str, Any]:
    created = 1646263745 + number
    return {
        "_id": f"{created:08x}{number:016x}",
        "id": name,
        "createdAt": "2022-03-02T23:29:04.000Z",
        "downloads": downloads,
        "downloadsAllTime": None if downloads is None else 100 * number + downloads,
        **more,
    }


def hub_on(n: int) -> list[dict[str, Any]]:
    """The Hub of a day: one model spikes, one gets a parent and a task, one is deleted."""
    tuned = {"baseModels": {"relation": "finetune", "models": [{"id": "Qwen/base"}]}}
    listing = [
        item(1, "Qwen/base", 1000 + n, pipeline_tag="text-generation"),
        item(2, "meta-llama/base", 900 - n),
        item(3, "somebody/tuned" if n < 3 else "someone/tuned", 7 + n, **(tuned if n > 1 else {})),
        item(4, "nobody/ci", 500 if n == 4 else 1, **({"pipeline_tag": "any-to-any"} if n else {})),
    ]
    return listing + ([item(5, "mistralai/gone", 40)] if n < 2 else [])


def file_hub(archive: Archive, when: date, items: list[dict[str, Any]]) -> Snapshot:
    terms = card("hub")
    with open_draft(archive, "hub", when) as draft:
        page = orjson.dumps(items)
        draft.add_file(
            "pages/000001.json", page, url="http://x/", rows_seen=len(items), compress=True
        )
        draft.notes.append("floor 2022-03-02 reached")
        return draft.seal(**terms.sidecar_terms())


@pytest.fixture
def filled(tmp_path: Path) -> Archive:
    archive = Archive(tmp_path / "archive")
    for n in range(N_DAYS):
        file_hub(archive, FIRST + timedelta(days=n), hub_on(n))
    return archive


def built(
    archive: Archive, path: Path, as_of: date, history: Path | None = None, **clock: date
) -> tuple[Path, int]:
    """A build without validation. Returns the file and the number of computed days."""
    clocks = Clocks(as_of, **clock)
    snapshots = steps.chosen_snapshots(archive, ("hub",), as_of)
    steps.load_raw(path, archive, snapshots, history)
    steps.transform(path, "core", clocks)
    computed = steps.compute_past_shares(path, archive, snapshots, clocks, history)
    steps.transform(path, "mart", clocks)
    return path, computed


def content(path: Path) -> dict[str, list[Any]]:
    """Every row of every raw, core and mart table, in the order of the file."""
    with connect(path, read_only=True) as con:
        return {
            c.table: con.execute(f"FROM {c.sql_name}").fetchall()
            for c in contracts().values()
            if c.layer in ("raw", "core", "mart")
        }


LAST = FIRST + timedelta(days=N_DAYS - 1)


def test_the_newest_snapshots_are_loaded_at_least_one(filled: Archive) -> None:
    snapshots = filled.snapshots("hub")
    assert [s.snapshot_date for s in loaded(snapshots)] == [LAST - timedelta(days=1), LAST]
    assert recent(snapshots, 1) == snapshots[-1:]
    assert recent(snapshots, None) == snapshots
    # days 0 and 1 have five models, the others four
    settled = last_loaded_days(snapshots)
    assert {(day - FIRST).days: (on - FIRST).days for day, on in settled.items()} == {
        0: 0, 1: 2, 2: 3, 3: 4,
    }  # fmt: skip


@pytest.mark.slow
def test_the_warehouse_is_the_same_with_and_without_stored_shares(
    filled: Archive, tmp_path: Path
) -> None:
    history = tmp_path / "history"
    for n in range(N_DAYS):  # a build a day, as in production
        day = FIRST + timedelta(days=n)
        grown, computed = built(filled, tmp_path / "grown.duckdb", day, history)
        assert computed == (n in (1, 3, 4, 5)), n
    cold, computed = built(filled, tmp_path / "cold.duckdb", LAST)
    assert computed == 4
    expected = content(cold)
    assert content(grown) == expected
    again, computed = built(filled, tmp_path / "again.duckdb", LAST, history)
    assert (content(again), computed) == (expected, 0)
    for folder in history.glob("*/shares"):
        shutil.rmtree(folder)
    once_more, computed = built(filled, tmp_path / "more.duckdb", LAST, history)
    assert (content(once_more), computed) == (expected, 4)
    days = {row[0] for row in expected["mart.country_share_daily"]}
    assert days == {FIRST + timedelta(days=n) for n in range(N_DAYS)}
    assert {row[0] for row in expected["core.hub_daily_counters"]} == {LAST - timedelta(1), LAST}


@pytest.mark.slow
def test_a_past_day_has_the_shares_of_the_last_build_that_loaded_it(
    filled: Archive, tmp_path: Path
) -> None:
    last, _ = built(filled, tmp_path / "last.duckdb", LAST)
    for day, on in last_loaded_days(filled.snapshots("hub")).items():
        then, _ = built(filled, tmp_path / f"{on}.duckdb", on)
        for table in ("country", "lab", "family"):
            now, before = (
                [r for r in content(path)[f"mart.{table}_share_daily"] if r[0] == day]
                for path in (last, then)
            )
            assert now and now == before, (day, table)


@pytest.mark.slow
def test_another_registry_or_clock_computes_shares_again(filled: Archive, tmp_path: Path) -> None:
    history = tmp_path / "history"
    path, _ = built(filled, tmp_path / "one.duckdb", LAST, history)
    snapshots = filled.snapshots("hub")

    def computed(**clock: date) -> int:
        return steps.compute_past_shares(path, filled, snapshots, Clocks(LAST, **clock), history)

    assert computed() == 0
    assert computed(known_at=LAST) == 4
    assert computed() == 0
    with duckdb.connect(str(path)) as con:
        con.execute("UPDATE core.labs SET country_code = 'DE' WHERE lab_id = 'meta'")
        assert con.execute("SELECT count(*) FROM core.labs WHERE country_code = 'DE'").fetchall()
    assert computed() == 4


@pytest.fixture
def last(filled: Archive, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    path, _ = built(filled, tmp_path / "last.duckdb", LAST)
    with duckdb.connect(str(path), read_only=True) as con:
        yield con


def test_snapshots_that_are_not_loaded_are_marked(last: duckdb.DuckDBPyConnection) -> None:
    said = last.execute("SELECT snapshot_date, is_loaded FROM meta.snapshots ORDER BY 1").fetchall()
    assert [is_loaded for _, is_loaded in said] == [False] * 4 + [True] * 2
    spikes = last.execute("SELECT as_of_date, model_id_hf FROM core.hub_counter_spikes").fetchall()
    assert spikes == [(LAST - timedelta(1), "nobody/ci")]
    gone = last.execute("SELECT model_id_hf, absent_since_date FROM core.hub_tombstones").fetchall()
    assert gone == [("mistralai/gone", FIRST + timedelta(days=2))]
    renamed = last.execute("SELECT old_model_id_hf, new_model_id_hf FROM core.hub_renames")
    assert renamed.fetchall() == [("somebody/tuned", "someone/tuned")]
    days = last.execute("SELECT count(*) FROM core.hub_counter_days").fetchall()
    assert days == [(N_DAYS,)]
