"""The scale bench: its sides do the same work, and it stores and reports the measurements."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import duckdb
import pytest

from infra.bench import __main__ as bench
from infra.bench import by_hand, floors, ours
from infra.bench.days import days
from infra.bench.generate import FIRST_DAY
from infra.bench.places import Place
from infra.bench.results import Results
from infra.bench.targets import judged, judged_days
from infra.s3 import SeaweedS3
from tests.conftest import Shared
from tests.support.s3_places import aws_environment, needs_weed
from warehouse.contracts.table import contract
from warehouse.database.duckdb_file import connect
from warehouse.storage.open import open_storage

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
    return connect(scratch / "built.duckdb")


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
    ours = sums.format(weight="weight", table=contract("core.hub_credits").sql_name)
    assert floor == con.execute(ours).fetchall()
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
        step, side = name.split("_", maxsplit=1)
        found = {"seconds": value, "cpu_seconds": value, "peak_gb": 1.0, "detail": {}}
        results.keep(results.path(models, step, side, 1), found)


def test_targets_follow_from_the_measurements(tmp_path: Path) -> None:
    results = Results(tmp_path)
    measured(results, 1000, load_peer=50.0)
    measured(results, 10_000, load_ours=10.0, load_floor=5.0, load_fast_peer=25.0)
    verdicts = {t.what: (t.found, t.verdict) for t in judged(results, 10_000)}
    assert verdicts == {
        "parse and load": ("2.00 x floor", "missed by 67%"),
        "parse and load against dlt with Arrow": ("2.5 x", "met"),
    }


def test_the_script_by_hand_gives_the_same_shares(place: Place, tmp_path: Path) -> None:
    """Every share that it has, by publisher and by base; `without_spikes` needs the days before."""
    floors.whole(place, tmp_path)()
    with duckdb.connect(str(place.built), read_only=True) as con:
        con.execute(f"ATTACH '{next(tmp_path.glob('published/*/by_hand.duckdb'))}' AS hand")
        shares = con.execute(
            """SELECT attribution, population, metric, country_code, ours.share, hand.share
            FROM (FROM mart.country_share_daily WHERE credit = 'fractional' AND share IS NOT NULL
                AND population <> 'without_spikes') AS ours
            FULL JOIN hand.country_share AS hand
            USING (attribution, population, metric, country_code)"""
        ).fetchall()
    assert len({country for *_, country, _, _ in shares}) > 5
    assert len({row[:3] for row in shares}) == 2 * 5 * 5
    assert [row for row in shares if abs((row[4] or 0) - (row[5] or 0)) > 1e-9] == []


@needs_weed
def test_the_script_by_hand_publishes_to_s3(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SeaweedS3(tmp_path / "s3") as server:
        server.create_bucket("hand")
        for name, value in aws_environment(server).items():
            monkeypatch.setenv(name, value)
        pages = [Path(page) for page in place.pages()]
        by_hand.run(pages, FIRST_DAY, tmp_path / "out", "s3://hand/release")
        sent = open_storage("s3://hand/release")
        digests = json.loads(sent.get_bytes("latest.json"))
        assert len(digests) > 6
        for name, digest in digests.items():
            assert hashlib.sha256(sent.get_bytes(name)).hexdigest() == digest


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
    assert (late.found, late.verdict) == ("1.25 x", "missed by 14%")
    assert late.where == "the Hub itself has grown 1.20 x by then, the update 1.50 x"
    assert (stored.found, stored.verdict) == ("5.00 bytes", "met")


def test_a_year_of_days_is_read_from_the_file(place: Place, tmp_path: Path) -> None:
    ours.year(place, tmp_path)()
    with duckdb.connect(str(tmp_path / "built.duckdb"), read_only=True) as con:
        query = "SELECT count(DISTINCT as_of_date), count(*) FROM mart.country_share_daily"
        days_held, rows = con.execute(query).fetchall()[0]
    assert days_held == ours.YEAR
    assert rows % ours.YEAR == 0
