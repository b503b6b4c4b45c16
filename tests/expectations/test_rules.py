"""Named rules: sound rows pass, and every rule finds its fault."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from expectations.rule import Rule
from expectations.rule_sets.pointers import POINTERS
from expectations.rules import RULES
from expectations.validate import validate_database
from tests.expectations.test_pointer_rules import FAULTS as POINTER_FAULTS
from tests.support import (
    ai_index_faults,
    rule_rows_arena,
    rule_rows_epoch,
    rule_rows_hub,
    rule_rows_openrouter,
    rule_rows_windows,
)
from tests.support.rule_rows_arena import WAS, also, observed, rated, refused_line
from tests.support.validation import (
    BESIDE,
    LABS,
    MODELS,
    ROW_COUNT,
    alone,
    broken,
    database,
    models,
    result,
    rows,
    rule_report,
    validate,
)
from tests.warehouse.claims.test_claims_release import FAULTS as LEDGER_FAULTS
from warehouse.contracts.table import contract, contracts
from warehouse.database.duckdb_file import create

ROWS = (
    *(ai_index_faults, rule_rows_arena, rule_rows_epoch, rule_rows_hub),
    *(rule_rows_openrouter, rule_rows_windows),
)
RULE_FAULTS = [fault for module in ROWS for fault in module.FAULTS]
SOUND_ROWS = {table: rows for module in ROWS for table, rows in module.SOUND.items()}


def test_rule_may_contain_any_sql(tmp_path: Path) -> None:
    sql = """
        WITH odd AS (SELECT * FROM {batch} AS b WHERE b.kind LIKE '%it''s%')
        SELECT model_id, {'a': odd.n} AS pair, '12:30 :name $x %s' AS text, day::VARCHAR AS day
        FROM odd JOIN {batch} AS other USING (model_id, day) WHERE model_id LIKE 'a%'
    """
    rule = Rule("odd", MODELS.table, "critical", "100 % of {these} :are odd.", sql)
    report = validate(models(tmp_path), rules=[rule])
    (row,) = rows(result(report, "odd"))
    assert row["text"] == "12:30 :name $x %s"
    assert row["pair"] == "{'a': 100}"


def test_rule_may_read_other_tables_of_its_database_only(tmp_path: Path) -> None:
    sql = (
        "SELECT * FROM {batch} AS b WHERE NOT EXISTS "
        '(SELECT 1 FROM "core"."models" AS m WHERE m.lab_id = b.lab_id)'
    )
    rule = Rule("lab_has_a_model", LABS.table, "warning", "Every lab has a model.", sql)
    path = models(tmp_path, "INSERT INTO core.labs VALUES ('idle')")
    assert rows(result(validate(path, "core.labs", rules=[rule]), "lab_has_a_model")) == [
        {"lab_id": "idle"}
    ]
    report = alone(path, "core.labs", rules=[rule])
    assert "lab_has_a_model" not in {r.expectation for r in report.results}


def test_table_validated_alone_skips_references_only(tmp_path: Path) -> None:
    path = models(tmp_path, "UPDATE core.models SET lab_id = 'z'")
    small = Rule("small", MODELS.table, "critical", "Small.", "SELECT n FROM {batch} WHERE n > 50")
    report = alone(path, "core.models", rules=[small])
    assert broken(report) == {("small", None)}
    assert {r.stage for r in report.results} == {"published"}
    checked = {(r.expectation, r.column_name) for r in report.results}
    in_database = {(r.expectation, r.column_name) for r in validate(path, "core.models").results}
    assert in_database - checked == {("reference_exists", "lab_id")}


def test_every_rule_has_a_test_with_failing_rows() -> None:
    """The rules of sweeps, claims and pointers have theirs in other test files."""
    here = {(t, n) for t, n, _, _ in RULE_FAULTS}
    sweeps = {"newest_sweep_is_complete", "no_incomplete_sweep_after_a_complete_one"}
    planted = (*LEDGER_FAULTS.values(), *POINTER_FAULTS.values())
    elsewhere = sweeps.union(*(names for _, names in planted))
    others = {(r.table, r.name) for r in RULES} - here
    assert here <= {(r.table, r.name) for r in RULES}
    assert {name for _, name in others} <= elsewhere


@pytest.mark.parametrize("table", SOUND_ROWS)
def test_sound_rows_pass_every_rule(tmp_path: Path, table: str) -> None:
    report = rule_report(tmp_path, table, SOUND_ROWS[table], strict=True)
    beside = {"reference_exists", *(rule.name for rule in POINTERS)}  # the other tables lack them
    assert {e for e, _ in broken(report)} <= beside
    names = {rule.name for rule in RULES if rule.table == table}
    assert names <= {r.expectation for r in report.results}


@pytest.mark.parametrize(
    ("table", "name", "data", "at_fault"),
    RULE_FAULTS,
    ids=[f"{t}-{n}-{i}" for i, (t, n, _, _) in enumerate(RULE_FAULTS)],
)
def test_rule_reports_its_failing_row(
    tmp_path: Path, table: str, name: str, data: list[dict[str, Any]], at_fault: dict[str, Any]
) -> None:
    found = result(rule_report(tmp_path, table, data), name)
    assert found.outcome == "failed", found.details
    assert any(at_fault.items() <= row.items() for row in rows(found)), found.details


@pytest.mark.parametrize(("category", "outcome"), [("overall", "passed"), ("coding", "failed")])
def test_refused_line_explains_a_gap_in_the_ranks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, category: str, outcome: str
) -> None:
    odd = [{**refused_line(category), "record": text} for text in ("no JSON {", None)]
    monkeypatch.setitem(BESIDE, "raw.quarantine", [refused_line(category), *odd])
    data = [observed("a", rank_published=3), observed("b", model_id="b", rank_published=1)]
    report = rule_report(tmp_path, "core.arena_observations", data)
    assert result(report, "missing_rows_are_filled_from_other_sources").outcome == outcome


@pytest.mark.parametrize("change", [{"lab_id": "other"}, {"rating": 1299.0}])
def test_unrelated_new_model_is_not_reported_as_a_rename(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    was = {**rated()[2], "publish_date": date(2026, 8, 7), **WAS, **change}
    report = rule_report(tmp_path, "core.arena_ratings", [*also(7, models=2), was])
    assert result(report, "renamed_model_has_an_alias").outcome == "passed"


def epoch(*files: tuple[str, str, int]) -> list[dict[str, Any]]:
    return [
        {"snapshot_id": f"epoch/{day}", "snapshot_date": day, "file_name": name, "line": line}
        for day, name, n in files
        for line in range(1, n + 1)
    ]


def test_newest_snapshot_with_fewer_rows_stops_the_run(tmp_path: Path) -> None:
    data = epoch(
        ("2026-01-01", "notable", 20),
        ("2026-02-01", "large", 10),
        ("2026-03-01", "notable", 17),  # 15 % fewer; the limit is 10 %
        ("2026-03-01", "large", 9),  # exactly the limit
    )
    found = result(rule_report(tmp_path, "raw.epoch_models", data), "snapshot_rows_do_not_fall")
    assert (found.severity, found.outcome) == ("critical", "failed")
    assert rows(found) == [
        {
            "snapshot_id": "epoch/2026-03-01",
            "file_name": "notable",
            "n_rows": 17,
            "previous_snapshot_id": "epoch/2026-01-01",
            "previous_n_rows": 20,
        }
    ]


def test_earlier_snapshot_with_fewer_rows_is_a_warning(tmp_path: Path) -> None:
    """Sealed snapshots are permanent, so a short one must not stop every later run."""
    days = [("2026-01-01", 20), ("2026-02-01", 5), ("2026-03-01", 20)]
    report = rule_report(
        tmp_path, "raw.epoch_models", epoch(*((day, "notable", n) for day, n in days))
    )
    assert result(report, "snapshot_rows_do_not_fall").outcome == "passed"
    found = result(report, "earlier_snapshot_rows_do_not_fall")
    assert (found.severity, found.outcome) == ("warning", "failed")
    assert [r["snapshot_id"] for r in rows(found)] == ["epoch/2026-02-01"]
    report.raise_for_critical()


def test_part_missing_from_the_newest_snapshot_is_a_warning(tmp_path: Path) -> None:
    data = epoch(("2026-01-01", "old", 1), ("2026-02-01", "a", 1), ("2026-02-01", "b", 1))
    data += epoch(("2026-03-01", "b", 1))
    found = result(rule_report(tmp_path, "raw.epoch_models", data), "snapshot_parts_are_kept")
    assert (found.severity, found.outcome) == ("warning", "failed")
    assert [(r["snapshot_id"], r["file_name"]) for r in rows(found)] == [("epoch/2026-03-01", "a")]


def test_shorter_hub_listing_is_a_warning(tmp_path: Path) -> None:
    data = [
        {"snapshot_id": f"hub/{day}", "snapshot_date": day, "model_id_hf": f"m/{i}", "file_name": f}
        for day, n, f in (("2026-08-14", 20, "1.json"), ("2026-08-15", 10, "2.json"))
        for i in range(n)
    ]
    report = rule_report(tmp_path, "raw.hub_models", data)
    found = result(report, "snapshot_rows_do_not_fall")
    assert (found.severity, found.outcome, found.unexpected_count) == ("warning", "failed", 1)
    report.raise_for_critical()


@pytest.mark.slow
def test_every_contract_can_be_validated(tmp_path: Path) -> None:
    """On empty tables: every rule names only columns that its contract has."""
    path = tmp_path / "empty.build"
    create(path).close()
    report = validate_database(path, list(contracts()), "empty")
    assert {r.expectation for r in report.results if r.outcome != "passed"} <= {ROW_COUNT}
    assert {r.table_name for r in report.results} == set(contracts())
    keys = [r.sort_key for r in report.results]
    assert len(keys) == len(set(keys))


def test_recorded_leaderboards_pass_the_rules(tmp_path: Path, recordings: Path) -> None:
    promised = contract("raw.arena_leaderboards")
    path = database(tmp_path, promised.create_sql())
    with duckdb.connect(str(path)) as con:
        con.execute(
            "CREATE TABLE meta.snapshots AS SELECT 'lmarena' AS source, "
            "'lmarena/2026-06-30' AS snapshot_id, true AS is_loaded"
        )
        con.execute(contract("raw.quarantine").create_sql())
        for subset in ("text", "vision", "webdev", "text_to_image"):
            file = recordings / f"lmarena/leaderboard-dataset/{subset}/full-00000-of-00001.parquet"
            con.execute(
                f"INSERT INTO {promised.sql_name} BY NAME SELECT 'lmarena/2026-06-30' AS "
                "snapshot_id, DATE '2026-06-30' AS snapshot_date, $1 AS subset, "
                "row_number() OVER () AS line, * FROM read_parquet($2)",
                [subset, str(file)],
            )
    report = validate_database(path, [promised.table], "raw")
    assert broken(report) == set()
    assert result(report, "variance_fits_the_bounds").element_count == 477_841
