"""The scale bench: its sides do the same work, and it stores and reports the measurements."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from infra.bench import __main__ as bench
from infra.bench import floors, ours
from infra.bench.days import days
from infra.bench.places import Place
from infra.bench.results import Results
from infra.bench.targets import judged, judged_days
from tests.conftest import Shared
from warehouse.contracts.table import contract

pytestmark = pytest.mark.slow  # `.ci/run` runs the bench itself too

MODELS = 3000


@pytest.fixture(scope="module")
def place(shared: Shared) -> Place:
    def fill(folder: Path) -> None:
        Place(folder, MODELS).prepare()

    return Place(shared("bench", fill), MODELS)


def after(task: object, place: Place, scratch: Path) -> duckdb.DuckDBPyConnection:
    """The warehouse's copy on which a task worked."""
    scratch.mkdir()
    task(place, scratch)()  # type: ignore[operator]
    return duckdb.connect(str(scratch / "built.duckdb"))


def test_floor_and_ours_find_the_same_roots(place: Place, tmp_path: Path) -> None:
    """Names of the roots: the floor does not handle renamed namespaces."""
    con = after(floors.statement(floors.LINEAGE), place, tmp_path / "floor")
    floor = con.execute(
        "SELECT lower(model), lower(split_part(root, '/', 2)), round(weight, 6) "
        "FROM floor_roots ORDER BY ALL"
    ).fetchall()
    whole = con.execute(
        "SELECT lower(model_id_hf), lower(split_part(root_model_id_hf, '/', 2)), round(weight, 6) "
        "FROM core.hub_model_roots WHERE end_reason IN ('root', 'stub') ORDER BY ALL"
    ).fetchall()
    assert len(floor) > MODELS * 0.9
    assert set(floor) == set(whole)


def test_floor_and_ours_credit_the_same_downloads(place: Place, tmp_path: Path) -> None:
    con = after(floors.statement(floors.SHARES), place, tmp_path / "floor")
    sums = """SELECT attribution, coalesce(country_code, 'XX') AS country,
        round(sum(downloads_30d * {weight})) FROM {table} GROUP BY ALL ORDER BY ALL"""
    floor = con.execute(sums.format(weight=1, table="floor_shares")).fetchall()
    assert floor == con.execute(sums.format(weight="weight", table="core.hub_credits")).fetchall()
    assert len({country for _, country, _ in floor}) > 5, "no shares without the registry's names"


def test_a_step_computes_its_tables_again(place: Place, tmp_path: Path) -> None:
    con = after(ours.transform("lineage"), place, tmp_path / "ours")
    con.execute(f"ATTACH '{place.built}' AS before (READ_ONLY)")
    for table in ours.TABLES["lineage"]:
        name = contract(table).sql_name
        assert con.execute(f"FROM {name} EXCEPT ALL FROM before.{name}").fetchall() == []
        assert con.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0] > 0


def test_the_hand_written_query_finds_contract_violations(place: Place, tmp_path: Path) -> None:
    con = after(ours.transform("models"), place, tmp_path / "ours")
    query = floors.checks_sql(contract("core.hub_daily_counters"))
    rows, *sound = con.execute(query).fetchall()[0]
    assert rows == MODELS
    assert not any(sound)
    con.execute("UPDATE core.hub_daily_counters SET likes = -1 WHERE model_id_hf LIKE 'a%'")
    assert any(con.execute(query).fetchall()[0][1:])


def test_an_interrupted_run_continues_from_its_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = ["--data", str(tmp_path), "--report", str(tmp_path / "report")]
    asked = ["--models", "1500", "--rounds", "1", "--peers-up-to", "0", *places]
    assert bench.main([*asked, "--steps", "load"]) == 0
    assert "2 measurements to do" in capsys.readouterr().out
    assert bench.main([*asked, "--steps", "load,lineage"]) == 0
    assert "lineage, floor, round 1\ninputs" in capsys.readouterr().out
    kept = sorted(p.name for p in (tmp_path / "results" / "1500").iterdir())
    assert kept == [
        "lineage.floor.1.json", "lineage.ours.1.json", "load.floor.1.json", "load.ours.1.json",
    ]  # fmt: skip
    found = json.loads((tmp_path / "results" / "1500" / "lineage.ours.1.json").read_text())
    assert found["seconds"] > 0 < found["peak_gb"]
    assert set(found["detail"]) == set(ours.TABLES["lineage"])
    told = (tmp_path / "report" / "RESULTS.md").read_text("utf-8")
    assert "## 1,500 models" in told
    assert str(tmp_path) not in told
    assert bench.main([*asked, "--steps", "nothing"]) == 1


def measured(results: Results, models: int, **seconds: float) -> None:
    for name, value in seconds.items():
        step, side = name.split("_")
        found = {"seconds": value, "cpu_seconds": value, "peak_gb": 1.0, "detail": {}}
        results.keep(results.path(models, step, side, 1), found)


def test_targets_follow_from_the_measurements(tmp_path: Path) -> None:
    results = Results(tmp_path)
    measured(results, 1000, load_peer=50.0)
    measured(results, 10_000, load_ours=10.0, load_floor=5.0)
    verdicts = {t.what: (t.found, t.verdict) for t in judged(results, 10_000)}
    assert verdicts["parse and load"] == ("2.00 x floor", "missed by 54%")
    assert verdicts["parse and load against dlt"] == ("50.0 x (extrapolated)", "met")
    assert set(verdicts) == {"parse and load", "parse and load against dlt"}


@pytest.mark.slow
def test_the_history_is_measured_day_by_day() -> None:
    found = days(1000, 3)
    assert len(found["seconds"]) == len(found["bytes"]) == 3
    assert found["bytes"] == sorted(found["bytes"])
    assert found["changed"][0] == found["listed"][0] == 1000 > found["changed"][1] > 0


def test_targets_for_days_start_with_the_second_day() -> None:
    slow = {
        "seconds": [9.0] + [1.0] * 20 + [1.5] * 3,
        "listed": [100] * 23 + [120],
        "changed": [1000, 10],
        "change_bytes": [1, 50],
    }
    late, stored = judged_days(slow)
    assert (late.found, late.verdict) == ("1.50 x", "missed by 25%")
    assert late.where == "the Hub itself has grown 1.20 x by then; for each model 1.25 x"
    assert (stored.found, stored.verdict) == ("5.00 bytes", "met")


def test_a_year_of_days_is_read_from_the_file(place: Place, tmp_path: Path) -> None:
    ours.year(place, tmp_path)()
    with duckdb.connect(str(tmp_path / "built.duckdb"), read_only=True) as con:
        query = "SELECT count(DISTINCT as_of_date), count(*) FROM mart.country_share_daily"
        days_held, rows = con.execute(query).fetchall()[0]
    assert days_held == ours.YEAR
    assert rows % ours.YEAR == 0
