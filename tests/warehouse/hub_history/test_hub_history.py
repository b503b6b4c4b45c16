"""The history of the Hub's counters: exact, crash-safe, small, and of constant cost."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings

from tests.conftest import ROOT
from tests.support.frames import PROPERTY, compute
from tests.support.hub_histories import (
    COUNTERS,
    Listing,
    applied,
    contents,
    day,
    given_counters,
    histories,
    model,
    raw,
    recorded_counters,
    sweep,
    three_days,
)
from tests.support.hub_oracle import earlier_counters, known_models
from warehouse.contracts.table import contract
from warehouse.database.duckdb_file import create_tables
from warehouse.hub_history.ledger import HistoryError
from warehouse.hub_history.load import load_history
from warehouse.hub_history.past import absences_on, counters_on, models_on
from warehouse.hub_history.series import series
from warehouse.hub_history.store import History


@pytest.fixture(scope="module")
def warehouse() -> duckdb.DuckDBPyConnection:
    """Tables in memory; each test empties them."""
    con = duckdb.connect()
    create_tables(con)
    return con


# ---- exact ----------------------------------------------------------------------------------


@settings(PROPERTY, max_examples=20)
@given(histories())
def test_any_day_equals_its_snapshot(
    warehouse: duckdb.DuckDBPyConnection,
    tmp_path_factory: pytest.TempPathFactory,
    listings: dict[date, Listing],
) -> None:
    listing = raw(warehouse, listings)
    sweeps = [sweep(when) for when in listings]
    history = applied(warehouse, tmp_path_factory.mktemp("history"), sweeps)
    for when, models in listings.items():
        assert recorded_counters(warehouse, history, when) == given_counters(models), when
        until = listing.filter(pl.col("snapshot_date") <= when)
        load_history(warehouse, history, when, [when])
        assert_known(warehouse, until)
        assert_spikes(warehouse, until, when)
        for name in ("known_models", "history_days", "absences", "counter_steps"):
            warehouse.execute(f"TRUNCATE {contract(f'raw.hub_{name}').sql_name}")
        warehouse.execute(f"TRUNCATE {contract('raw.hub_earlier_counters').sql_name}")
    assert history.verify() == []


def assert_known(con: duckdb.DuckDBPyConnection, listing: pl.LazyFrame) -> None:
    """The state is what an aggregation over every row ever seen gives."""
    found = con.sql("FROM unpublished.raw.hub_known_models").pl().lazy()
    expected = known_models(listing)
    for table in ("core.hub_models", "core.hub_renames"):
        made = compute(table, raw_hub_known_models=found)
        by_oracle = compute(table, raw_hub_known_models=expected)
        keys = [c for c in made.columns if c != "model_key"]
        assert made.select(keys).equals(by_oracle.select(keys)), table
    declared = ["model_id_hf", "base_models_json", "base_model_tags_json"]
    edges = [f.select(declared).sort("model_id_hf").collect() for f in (found, expected)]
    assert edges[0].equals(edges[1])


def assert_spikes(con: duckdb.DuckDBPyConnection, listing: pl.LazyFrame, when: date) -> None:
    """Leaving out who cannot be a spike leaves out no spike."""
    of_day = listing.filter(pl.col("snapshot_date") == when)
    counters = compute("core.hub_daily_counters", raw_hub_models=of_day).lazy()
    by_history = con.sql("FROM unpublished.raw.hub_earlier_counters").pl().lazy()
    made, expected = (
        compute("core.hub_counter_spikes", hub_daily_counters=counters, raw_hub_earlier_counters=e)
        for e in (
            by_history,
            earlier_counters(listing.filter(pl.col("downloads_30d").is_not_null())),
        )
    )
    # the history knows a model's past under its older ids too, the rows alone do not
    if compute("core.hub_renames", raw_hub_known_models=known_models(listing)).is_empty():
        assert made.equals(expected)


@pytest.mark.slow
def test_recorded_days_are_exact(recordings: Path, tmp_path: Path) -> None:
    """Nine August days one after another: any of them exactly, and which of them stood still."""
    from flows.sources import SOURCES
    from flows.steps.hub_history import SOURCE, up_to_date
    from flows.steps.observe import observe
    from tests.conftest import settings_for
    from tests.standin import StandIn
    from warehouse.archive.archive import Archive

    days = [date(2026, 8, n) for n in range(7, 16)]
    for when in days:
        with StandIn(recordings, hub_date=when.isoformat()) as server:
            given_settings = settings_for(server, tmp_path)
            observe(SOURCE, given_settings, when)
    archive = Archive(given_settings.archive)
    con = duckdb.connect()
    create_tables(con)
    for when in days:  # one build a day, each from the archive of then
        until = archive.snapshots(SOURCE, until=when)
        SOURCES[SOURCE].parse(con, archive, until[-1])
        here = [until[-1].snapshot_id]  # the rest was applied before, or this would parse it twice
        with up_to_date(tmp_path / "history", archive, until, con, here) as history:
            assert history is not None
    columns = ", ".join(("model_id_hf", *COUNTERS))
    for when in days:
        recorded = f"SELECT {columns} FROM raw.hub_models WHERE snapshot_date = ? ORDER BY 1"
        assert recorded_counters(con, history, when) == con.execute(recorded, [when]).fetchall()
    load_history(con, history, days[-1], days)
    made = compute(
        "core.hub_counter_days",
        raw_hub_history_days=con.sql("FROM raw.hub_history_days").pl().lazy(),
    )
    flagged = made.filter(pl.col("counter_outage") == "stale_day")
    assert flagged["as_of_date"].to_list() == [date(2026, 8, 8), date(2026, 8, 13)]
    share = dict(made.select("as_of_date", "unchanged_share").iter_rows())
    # the share of all models recorded on both days, as the recordings' README counts it
    assert [round(100 * share[d], 1) for d in days[1:]] == [100, 3.4, 3.2, 3.6, 3.4, 77.9, 3.0, 3.6]
    used = dict(made.select("as_of_date", "unchanged_share_100").iter_rows())
    assert used[date(2026, 8, 8)] == 1 and 0.7 < used[date(2026, 8, 13)] < 0.8
    assert max(used[d] for d in days[1:] if d not in (days[1], days[6])) < 0.07
    # lists of the most downloaded: who leaves one is not gone
    assert made["models_left"].sum() > 0
    assert not made["is_whole_sweep"].any()
    assert con.execute("SELECT count(*) FROM unpublished.raw.hub_absences").fetchall() == [(0,)]


# ---- identity -------------------------------------------------------------------------------


def keys(con: duckdb.DuckDBPyConnection, history: History, when: date) -> dict[str, int]:
    rows = con.execute(f"SELECT model_id_hf, model_key FROM ({models_on(history, when)})")
    return dict(rows.fetchall())


def test_renamed_model_keeps_its_key_and_reused_name_gets_a_new_one(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    listings = {
        day(0): [model("a/old", "1" * 24, downloads_30d=5), model("a/plain", downloads_30d=1)],
        day(1): [model("a/new", "1" * 24, downloads_30d=6), model("a/plain", "2" * 24)],
        day(2): [model("a/new", "1" * 24, downloads_30d=6), model("a/old", "3" * 24, likes=0)],
    }
    raw(warehouse, listings)
    history = applied(warehouse, tmp_path, [sweep(when) for when in listings])
    first, second = (keys(warehouse, history, day(n)) for n in (0, 1))
    assert second["a/new"] == second["a/old"] == first["a/old"]
    assert second["a/plain"] == first["a/plain"]  # its object id became known
    both = f"SELECT model_key FROM ({models_on(history, day(2))}) WHERE model_id_hf = 'a/old'"
    rows = warehouse.execute(f"{both} ORDER BY 1").fetchall()
    assert rows == [(first["a/old"],), (3,)]
    points = series(warehouse, history, "a/new", day(2))
    assert [(p.day, p.downloads_30d) for p in points] == [(day(0), 5), (day(1), 6), (day(2), 6)]
    with pytest.raises(HistoryError, match="a/none"):
        series(warehouse, history, "a/none", day(2))


# ---- tombstones -----------------------------------------------------------------------------


def test_only_complete_sweeps_start_an_absence_and_a_return_ends_it(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    kept = model("a/kept", "1" * 24, downloads_30d=1)
    gone = model("a/gone", "2" * 24, downloads_30d=70, downloads_all_time=900, likes=None)
    listings = {
        day(0): [kept, gone],
        day(1): [kept],  # a list: no absence
        day(2): [kept],
        day(3): [kept],
        day(4): [kept, gone],
        day(5): [kept],
    }
    raw(warehouse, listings)
    sweeps = [sweep(when, whole=when != day(1)) for when in listings]
    history = applied(warehouse, tmp_path, sweeps)

    def stood(when: date) -> list[tuple[Any, ...]]:
        return warehouse.execute(
            f"""SELECT model_id_hf, last_seen_date, absent_since_date, returned_date,
                downloads_30d, downloads_all_time, likes
            FROM ({absences_on(history, when)}) ORDER BY absent_since_date"""
        ).fetchall()

    buried = ("a/gone", day(0), day(2), None, 70, 900, None)
    assert stood(day(1)) == []
    assert stood(day(2)) == stood(day(3)) == [buried]
    closed = (*buried[:3], day(4), *buried[4:])
    assert stood(day(4)) == [closed]
    assert stood(day(5)) == [closed, ("a/gone", day(4), day(5), None, 70, 900, None)]


# ---- follows the archive --------------------------------------------------


def test_applying_twice_changes_nothing(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    raw(warehouse, three_days())
    sweeps = [sweep(when) for when in three_days()]
    history = applied(warehouse, tmp_path, sweeps)
    before = contents(history), history.ledger
    with history.locked():
        assert history.missing() == ()
        history.apply(warehouse, sweeps[3])
    assert (contents(history), history.ledger) == before
    with pytest.raises(HistoryError, match="is not later than"):
        history.apply(warehouse, sweep(day(0), sidecar="other"))


@pytest.mark.parametrize("how", ["refused", "readmitted", "filed late", "other bytes", "list now"])
def test_changed_snapshot_rebuilds_the_history_from_its_day(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path, how: str
) -> None:
    raw(warehouse, three_days())
    whole = [sweep(when) for when in three_days()]
    without = [s for s in whole if s.snapshot_date != day(7)]
    changed = {
        "other bytes": [*whole[:7], sweep(day(7), sidecar="x"), whole[8]],
        "list now": [*whole[:7], sweep(day(7), whole=False), whole[8]],
    }
    first = without if how in ("readmitted", "filed late") else whole
    then = without if how == "refused" else changed.get(how, whole)
    history = applied(warehouse, tmp_path / "one", first)
    history = applied(warehouse, tmp_path / "one", then)
    fresh = applied(warehouse, tmp_path / "two", then)
    assert contents(history) == contents(fresh)
    assert history.ledger == fresh.ledger


def test_build_of_an_earlier_day_keeps_later_entries(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    raw(warehouse, three_days())
    sweeps = [sweep(when) for when in three_days()]
    history = applied(warehouse, tmp_path, sweeps)
    earlier = History(tmp_path, sweeps[:3])
    with earlier.locked():
        assert earlier.missing() == ()
    assert contents(earlier) == contents(history)


@pytest.mark.parametrize("lost", ["state", "absences", "counters", "models", "counters_checkpoint"])
def test_missing_file_is_recreated(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path, lost: str
) -> None:
    raw(warehouse, three_days())
    sweeps = [sweep(when) for when in three_days()]
    history = applied(warehouse, tmp_path, sweeps)
    before = contents(history)
    newest = [e for e in history.ledger.entries if lost in e.files][-1]
    (history.folder / newest.files[lost].path).unlink()
    assert history.verify() != []
    assert contents(applied(warehouse, tmp_path, sweeps)) == before


def test_changed_code_rebuilds_the_history(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw(warehouse, three_days())
    sweeps = [sweep(when) for when in three_days()]
    applied(warehouse, tmp_path, sweeps)
    monkeypatch.setattr("warehouse.hub_history.ledger.code_digest", lambda: "0" * 64)
    history = History(tmp_path, sweeps)
    with history.locked():
        assert history.missing() == tuple(sweeps)
    assert contents(history) == {}


def test_history_of_an_older_format_is_made_again_with_one_line_in_the_log(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    raw(warehouse, three_days())
    sweeps = [sweep(when) for when in three_days()]
    fresh = applied(warehouse, tmp_path / "fresh", sweeps)
    folder = tmp_path / "old" / fresh.folder.name
    for name in ("changes/2026-01-25.parquet", "state/2026-01-25/models.parquet"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(b"of the format with differences")
    old = {"code": "c" * 64, "entries": [{"sweep": {}, "changes": {"path": "changes/x"}}]}
    (folder / "ledger.json").write_text(json.dumps(old), encoding="utf-8")
    with caplog.at_level("INFO", "observatory.history"):
        history = applied(warehouse, tmp_path / "old", sweeps)
    assert contents(history) == contents(fresh)
    (line,) = caplog.messages
    assert str(folder) in line and "made again from the archive" in line


# ---- crash safety -------------------------------------------------------------------

KILLED = """
import os, signal, sys
from pathlib import Path
import duckdb
from tests.support import hub_histories as t
from warehouse.database.duckdb_file import create_tables

root, die_at = Path(sys.argv[1]), int(sys.argv[2])
calls = 0
def count(event, args):
    global calls
    touches = ("open", "os.rename", "os.remove", "shutil.rmtree")
    if event in touches and str(root) in str(args[0]):
        calls += 1
        if calls == die_at:
            os.kill(os.getpid(), signal.SIGKILL)
con = duckdb.connect(); create_tables(con)
t.raw(con, t.three_days())
sys.addaudithook(count)
t.applied(con, root, [t.sweep(when) for when in t.three_days()], 4)
print(calls)
"""


@pytest.mark.slow
def test_kill_at_any_moment_loses_and_duplicates_nothing(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    raw(warehouse, three_days())
    sweeps = [sweep(when) for when in three_days()]
    fresh = applied(warehouse, tmp_path / "fresh", sweeps)

    def run(root: Path, die_at: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", KILLED, str(root), str(die_at)]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)

    whole = run(tmp_path / "counted", 0)
    assert whole.returncode == 0, whole.stderr
    total = int(whole.stdout.split()[-1])
    assert total > 20
    moments = random.Random(5).sample(range(1, total + 1), 6)
    for moment in moments:
        root = tmp_path / f"killed-{moment}"
        assert run(root, moment).returncode == -signal.SIGKILL, moment
        history = applied(warehouse, root, sweeps)
        assert contents(history) == contents(fresh), moment
        assert history.ledger == fresh.ledger
        assert not list(history.folder.rglob("*.part"))


# ---- size and cost --------------------------------------

MODELS = 3000


def world(con: duckdb.DuckDBPyConnection, models: int = MODELS) -> None:
    """Models with heavy-tailed rates of download, as the Hub's: most have none, few have most."""
    con.execute("SELECT setseed(0.42)")
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE world AS SELECT i, printf('%024x', i) AS object_id,
            'user' || i % 500 || '/model-' || i AS id,
            CASE WHEN random() < 0.4 THEN pow(random(), -1.1) * 0.05 ELSE 0 END AS rate,
            (pow(random(), -1) * 3)::BIGINT AS month, (pow(random(), -1) * 30)::BIGINT AS ever,
            (pow(random(), -0.9) - 1)::BIGINT AS likes FROM range({models}) AS t(i)"""
    )


def next_day(con: duckdb.DuckDBPyConnection, when: date) -> None:
    """The world a day later, as raw.hub_models has it."""
    new = (
        "CASE WHEN rate < 1 THEN (random() < rate)::INT ELSE (-rate * ln(1 - random()))::BIGINT END"
    )
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE world AS SELECT * EXCLUDE (came, went) REPLACE (
            greatest(0, month + came - went) AS month, ever + came AS ever,
            likes + (random() < 0.01)::INT AS likes)
        FROM (SELECT *, {new} AS came, {new} AS went FROM world)"""
    )
    con.execute("TRUNCATE raw.hub_models")
    con.execute(
        """INSERT INTO raw.hub_models BY NAME SELECT 'hub/' || ? AS snapshot_id,
            ?::DATE AS snapshot_date, '1' AS file_name, id AS model_id_hf,
            object_id AS object_id_hf, month AS downloads_30d, ever AS downloads_all_time, likes
        FROM world""",
        [str(when), when],
    )


@contextmanager
def reads_counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """Every file of the history that a query reads, in the order read."""
    from warehouse.hub_history import files

    read: list[Path] = []
    plain: Callable[..., str] = files.parquet

    def parquet(paths: Iterable[Path]) -> str:
        read.extend(listed := list(paths))
        return plain(listed)

    monkeypatch.setattr(files, "parquet", parquet)
    yield read


def same_days(n_days: int) -> tuple[list[int], list[int]]:
    """Days of the first and of the last month after a checkpoint, by the same days of the month.

    An update reads what changed since the checkpoint, so a day costs more the later in its month.
    """
    by_date = {day(n): n for n in range(n_days)}
    month = day(n_days - 1).replace(day=1)
    last = [n for when, n in by_date.items() if when >= month and when.day > 1]
    first = [by_date[date(2026, 2, day(n).day)] for n in last]
    return first, last


def year(
    con: duckdb.DuckDBPyConnection, root: Path, n_days: int, monkeypatch: pytest.MonkeyPatch
) -> tuple[History, list[int]]:
    """A history of so many days, and the bytes that each update read and wrote.

    An update reads the state of the day before and the models since the last checkpoint, no more.
    """
    raw(con, {})
    world(con)
    history = History(root, [sweep(day(n)) for n in range(n_days)])
    work: list[int] = []
    with history.locked(), reads_counted(monkeypatch) as read:
        for each in history.sweeps:
            next_day(con, each.snapshot_date)
            read.clear()
            before = {f.path: f.bytes for f in history.files()}
            entry = history.apply(con, each)
            assert len(set(read)) <= 2 + 32
            sizes = sum(before[p.relative_to(history.folder).as_posix()] for p in set(read))
            work.append(sizes + sum(f.bytes for f in entry.files.values()))
    return history, work


@pytest.mark.parametrize("n_days", [45, pytest.param(365, marks=pytest.mark.exhaustive)])
@pytest.mark.slow
@pytest.mark.timeout(1800)  # a minute or two for a year, on a machine that does nothing else
def test_cost_of_a_day_does_not_grow(
    warehouse: duckdb.DuckDBPyConnection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    n_days: int,
) -> None:
    """Bytes read and written by an update, and the files that a past or a recent day reads."""
    history, work = year(warehouse, tmp_path, n_days, monkeypatch)
    first, last = same_days(n_days)
    assert len(last) >= 9
    for early, late in zip(first, last, strict=True):
        assert work[late] <= 1.1 * work[early], (day(early), day(late))
    assert max(work[n] for n in last) <= 1.25 * work[1]  # a month of files more than after a day
    later = history.ledger.entries[1:]
    changed = sum(e.counts["models_changed"] for e in later)
    assert 0.05 * MODELS < changed / len(later) < 0.5 * MODELS
    # any past day reads a checkpoint and at most a month of days, of both tables
    for when in (day(3), day(n_days // 2), day(n_days - 1)):
        with reads_counted(monkeypatch) as read:
            counters_on(history, when)
        assert len(read) <= 2 * 32
    checkpoints = [e.day for e in history.ledger.entries if e.is_checkpoint]
    assert len(checkpoints) == len({when.replace(day=1) for when in map(day, range(n_days))}) - 1
    assert_loads_recent_files_alone(warehouse, history, day(n_days - 1), monkeypatch)


def assert_loads_recent_files_alone(
    con: duckdb.DuckDBPyConnection,
    history: History,
    when: date,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of the counters, the days that a spike is compared with: no checkpoint, no state."""
    with reads_counted(monkeypatch) as read:
        load_history(con, history, when, [when])
    counters = {p.stem for p in read if p.parent.name == "counters"}
    assert counters == {str(when - timedelta(days=n)) for n in range(31)}
    kinds = {p.parent.name for p in read}
    assert kinds == {"counters", "models", "models_checkpoint", "absences"}


def test_a_changed_model_takes_at_most_ten_bytes(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """Without the first day, which has every model."""
    raw(warehouse, {})
    world(warehouse, 30_000)
    history = History(tmp_path, [sweep(day(n)) for n in range(2)])
    with history.locked():
        for each in history.sweeps:
            next_day(warehouse, each.snapshot_date)
            entry = history.apply(warehouse, each)
    assert 2_000 < entry.counts["models_changed"] < 20_000
    assert entry.files["counters"].bytes <= 10 * entry.counts["models_changed"]
