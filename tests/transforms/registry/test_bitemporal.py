"""Two clocks: what is true when, and what was known when. The past record does not change."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.steps import build as steps
from tests.conftest import ROOT
from tests.support.frames import PROPERTY, REVIEWED, Row, all_countries, compute, rows
from transforms.registry.attribution import with_lab_and_country
from transforms.registry.bitemporal import as_known
from warehouse.archive.archive import Archive
from warehouse.database.duckdb_file import connect
from warehouse.registry import load

SAMPLE = ROOT / "warehouse" / "sample"
DAY = date(2026, 8, 15)  # of the sample's newest listing
EVER = date(1900, 1, 1)
FIRST, CORRECTED = date(2026, 11, 21), date(2026, 12, 1)


# ---- rows -----------------------------------------------------------------------------------


def labs(*given: Row, known_at: date = date.max) -> list[tuple[Any, ...]]:
    """(country, valid_from) of core.labs as known on a day."""
    held = {**REVIEWED, "lab_id": "lab", "lab_name": "A lab", "valid_from": EVER}
    made = compute(
        "core.labs",
        known_at=known_at,
        raw_registry_labs=rows("raw.registry_labs", *({**held, **g} for g in given)),
        countries=compute("core.countries", raw_registry_countries=all_countries()).lazy(),
    )
    return made.select("country_code", "valid_from").rows()


CORRECTION = (
    {"country_code": "US", "known_from": FIRST, "known_to": CORRECTED},
    {"country_code": "CN", "known_from": CORRECTED},
)


@pytest.mark.parametrize(
    ("day", "country"),
    [
        (date(2020, 1, 1), "US"),  # before the registry began: its first edition
        (FIRST, "US"),
        (CORRECTED - timedelta(days=1), "US"),
        (CORRECTED, "CN"),
        (date.max, "CN"),
    ],
)
def test_a_correction_counts_from_the_day_it_was_known(day: date, country: str) -> None:
    assert labs(*CORRECTION, known_at=day) == [(country, EVER)]


def test_later_knowledge_is_not_in_the_first_edition() -> None:
    given = ({"country_code": "US", "known_from": FIRST},
             {"lab_id": "late", "country_code": "CN", "known_from": CORRECTED})  # fmt: skip
    assert labs(*given, known_at=date(2020, 1, 1)) == [("US", EVER)]
    assert len(labs(*given, known_at=CORRECTED)) == 2


def test_names_are_read_as_known_on_the_same_day() -> None:
    name = {**REVIEWED, "system": "hub", "namespace": "Org", "valid_from": EVER}
    spaces = rows(
        "raw.registry_namespaces",
        {**name, "lab_id": "one", "known_from": FIRST, "known_to": CORRECTED},
        {**name, "lab_id": "two", "known_from": CORRECTED},
    )
    for day, lab in ((FIRST, "one"), (CORRECTED, "two")):
        made = compute("core.namespaces", known_at=day, raw_registry_namespaces=spaces)
        assert made.select("namespace_key", "lab_id").rows() == [("org", lab)]


def test_a_dated_country_changes_on_its_day() -> None:
    moved = date(2026, 8, 10)
    made = held_on(
        [{"country_code": "FR", "valid_to": moved}, {"country_code": "SG", "valid_from": moved}],
        [moved - timedelta(days=1), moved, EVER, date(2030, 1, 1)],
    )
    assert made == ["FR", "SG", "FR", "SG"]


def held_on(given: list[dict[str, Any]], days: list[date]) -> list[str]:
    """Countries of one name on some days, exactly one each."""
    lab = {**REVIEWED, "lab_id": "lab", "lab_name": "A lab", "valid_from": EVER}
    spaces = rows(
        "raw.registry_namespaces",
        {**REVIEWED, "system": "hub", "namespace": "Org", "lab_id": "lab", "valid_from": EVER},
        {**REVIEWED, "system": "hub", "namespace": "ORG", "lab_id": "lab", "valid_from": EVER},
    )
    frame = pl.LazyFrame({"name": ["org"] * len(days), "day": days}).with_row_index()
    made = with_lab_and_country(
        frame,
        compute("core.namespaces", raw_registry_namespaces=spaces).lazy(),
        rows("raw.registry_labs", *({**lab, **g} for g in given)),
        system="hub",
        name="name",
        day="day",
    ).collect()
    assert made.height == len(days), "no row more, no row less"
    return made.sort("index")["country_code"].to_list()


days = st.integers(0, 400).map(lambda n: date(2026, 1, 1) + timedelta(days=n))


@PROPERTY
@given(st.lists(days, max_size=4, unique=True), st.lists(days, max_size=3, unique=True), days)
def test_exactly_one_country_on_every_day_at_every_state_of_knowledge(
    moves: list[date], corrections: list[date], known_at: date
) -> None:
    """Periods without gap, each edition corrected as a whole: any reading has one country a day."""
    codes = ["US", "CN", "FR", "DE", "GB"]
    borders = [EVER, *sorted(moves)]
    editions = [date(2025, 12, 1), *sorted(corrections)]
    given = [
        {
            "country_code": codes[(i + k) % 5],
            "valid_from": start,
            "valid_to": borders[i + 1] if i + 1 < len(borders) else None,
            "known_from": known,
            "known_to": editions[k + 1] if k + 1 < len(editions) else None,
        }
        for k, known in enumerate(editions)
        for i, start in enumerate(borders)
    ]
    base = {**REVIEWED, "lab_id": "lab", "lab_name": "A lab"}
    read = as_known(rows("raw.registry_labs", *({**base, **g} for g in given)), known_at).collect()
    edition = sum(known <= known_at for known in editions) - 1
    queried = [*borders, *(b - timedelta(days=1) for b in borders[1:]), date(2030, 1, 1)]
    expected = [codes[(sum(b <= day for b in borders) - 1 + edition) % 5] for day in queried]
    assert held_on(read.to_dicts(), queried) == expected


# ---- a whole warehouse ------------------------------------------------------------------------


@dataclass(frozen=True)
class Built:
    """The same sample by the registry, also as first known, and by a corrected one on two days."""

    oldest: Path
    first: Path
    then: Path
    now: Path


def correct(folder: Path) -> None:
    """DeepSeek said to sit in Singapore, from CORRECTED on; only the second clock moves."""
    path = folder / "labs.csv"
    with path.open(encoding="utf-8", newline="") as lines:
        found = list(csv.DictReader(lines))
    one = next(r for r in found if r["lab_id"] == "deepseek")
    better = {**one, "country_code": "SG", "known_from": CORRECTED.isoformat()}
    one["known_to"] = CORRECTED.isoformat()
    found.insert(found.index(one) + 1, better)
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, list(one), lineterminator="\n")
        writer.writeheader()
        writer.writerows(found)


def build(path: Path, known_at: date) -> Path:
    archive, clocks = Archive(SAMPLE), steps.Clocks(DAY, known_at)
    steps.load_raw(path, archive, archive.snapshots("hub"))
    with connect(path) as con:  # the sample's listings say nothing of parents; by base
        con.execute("UPDATE raw.hub_history_days SET has_lineage = true")  # there would be no share
        con.execute("UPDATE unpublished.raw.hub_known_models SET lineage_recorded = true")
    for layer in ("core", "mart"):
        steps.transform(path, layer, clocks)
    steps.write_build_info(path, archive.snapshots("hub"), clocks)
    return path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    place = tmp_path_factory.mktemp("knowledge")
    registry = shutil.copytree(load.REGISTRY, place / "registry")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load, "REGISTRY", registry)
        oldest = build(place / "oldest.duckdb", FIRST)  # before the rows that it has corrected
        first = build(place / "first.duckdb", date.max)
        correct(registry)
        then = build(place / "then.duckdb", CORRECTED - timedelta(days=1))
        now = build(place / "now.duckdb", date.max)
    return Built(oldest, first, then, now)


def queried(path: Path, sql: str, *values: object) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(path), read_only=True) as con:
        return con.execute(sql, list(values)).fetchall()


def shares(path: Path, attribution: str = "publisher") -> dict[str, float]:
    """Country -> share of 30-day downloads on the newest day, by the mart."""
    sql = (
        "SELECT country_code, share FROM mart.country_share_daily WHERE as_of_date = ? AND "
        "population = 'all' AND metric = 'downloads_30d' AND credit = 'fractional' "
        "AND attribution = ?"
    )
    return dict(queried(path, sql, DAY, attribution))


def recalled(path: Path, day: date, attribution: str = "publisher") -> dict[str, float]:
    """The same by the macro, in a file that knows everything."""
    sql = "SELECT country_code, share FROM mart.as_of(?) WHERE attribution = ?"
    return dict(queried(path, sql, day, attribution))


@pytest.mark.parametrize("day", [DAY, DAY - timedelta(days=5), CORRECTED + timedelta(days=3)])
def test_the_macro_names_the_day_that_was_asked_for(built: Built, day: date) -> None:
    assert queried(built.now, "SELECT DISTINCT known_at FROM mart.as_of(?)", day) == [(day,)]


def test_a_correction_changes_todays_reading_and_not_that_of_the_day_before(built: Built) -> None:
    for attribution in ("publisher", "base"):
        first, then, now = (shares(p, attribution) for p in (built.first, built.then, built.now))
        assert then == first
        assert now != first
        assert now["CN"] + now["SG"] == pytest.approx(first["CN"] + first.get("SG", 0))
        assert now["SG"] > first.get("SG", 0)


def test_every_table_of_an_earlier_day_is_unchanged(built: Built) -> None:
    for table in ("core.labs", "core.hub_model_roots", "mart.country_share_daily",
                  "mart.lab_share_daily", "mart.attribution_range"):  # fmt: skip
        sql = f"SELECT * FROM {table} ORDER BY ALL"
        assert queried(built.then, sql) == queried(built.first, sql), table
    ((known_at,),) = queried(built.then, "SELECT known_at FROM meta.build")
    assert known_at == CORRECTED - timedelta(days=1)


@pytest.mark.parametrize("attribution", ["publisher", "base"])
def test_the_macro_answers_as_the_build_of_that_day(built: Built, attribution: str) -> None:
    oldest, first, now = (shares(p, attribution) for p in (built.oldest, built.first, built.now))
    assert oldest != first != now
    readings = {DAY: oldest, FIRST: oldest, CORRECTED - timedelta(days=1): first}
    readings |= {CORRECTED: now, date(2030, 1, 1): now}
    for day, expected in readings.items():
        assert recalled(built.now, day, attribution) == pytest.approx(expected), day


def test_the_macro_sees_no_later_observation(built: Built) -> None:
    sql = "SELECT DISTINCT as_of_date, known_at FROM mart.as_of(?)"
    assert queried(built.now, sql, date(2026, 8, 14)) == [(date(2026, 8, 7), date(2026, 8, 14))]
    assert queried(built.now, sql, CORRECTED) == [(DAY, CORRECTED)]
    assert queried(built.now, sql, date(2026, 8, 6)) == []


# ---- from the command line --------------------------------------------------------------------


def as_of(day: str, *more: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from flows.cli.app import app; app(sys.argv[1:])"
    return subprocess.run(
        [sys.executable, "-c", code, "as-of", day, f"--archive={SAMPLE}", *more],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_as_of_answers_with_earlier_knowledge_and_leaves_no_files() -> None:
    before = {p for folder in (ROOT, SAMPLE) for p in folder.iterdir()}
    done = as_of("2026-08-10", "--sources=hub", "--json")
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert shown["about"]["as_of"] == "2026-08-10"
    assert {r["as_of_date"] for r in shown["country_share_daily"]} == {"2026-08-07"}
    assert shown["published"] == []
    after = {p for folder in (ROOT, SAMPLE) for p in folder.iterdir()}
    assert after - before <= {ROOT / ".pytest_cache", ROOT / ".hypothesis"}


def test_as_of_a_day_without_a_snapshot_is_an_error() -> None:
    done = as_of("2020-01-01")
    assert done.returncode == 5
    assert "has no snapshot" in done.stderr
    assert "Traceback" not in done.stderr


def test_as_of_requires_a_date() -> None:
    done = as_of("yesterday")
    assert done.returncode == 2
    assert "write YYYY-MM-DD" in done.stderr
