"""Promises of a contract: sound data passes; every planted fault is found and stops the run."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from expectations.report import ValidationError
from expectations.rule import Rule
from expectations.validate import validate_database
from tests.support.validation import (
    BETWEEN,
    COLUMNS,
    IN_SET,
    KNOWN,
    LABS_SOUND,
    MODELS,
    NOT_NULL,
    ROW_COUNT,
    broken,
    database,
    models,
    result,
    rows,
    validate,
)
from warehouse.contracts.table import ContractError, contract


def test_sound_data_passes_every_check(tmp_path: Path) -> None:
    report = validate(models(tmp_path))
    assert broken(report) == set()
    checked = {
        (r.expectation, r.column_name) for r in report.results if r.table_name == MODELS.table
    }
    assert checked == {
        (COLUMNS, None),
        ("column_types_match", None),
        (ROW_COUNT, None),
        ("key_is_unique", None),
        *((NOT_NULL, c) for c in ("model_id", "day", "snapshot_id", "n")),
        (IN_SET, "kind"),
        (BETWEEN, "n"),
        (BETWEEN, "share"),
        ("values_are_finite", "share"),
        ("reference_exists", "lab_id"),
    }
    assert {r.element_count for r in report.results if r.table_name == MODELS.table} == {3}
    assert report.summary()["passed"] == len(report.results) == report.summary()["expectations"]
    report.raise_for_critical()


FAULTS = {
    "null": ("SET n = NULL WHERE model_id = 'b'", NOT_NULL, "n", {"model_id": "b", "n": None}),
    "null in the key": ("SET day = NULL WHERE model_id = 'b'", NOT_NULL, "day", {"day": None}),
    "not in the set": ("SET kind = 'its' WHERE model_id = 'b'", IN_SET, "kind", {"kind": "its"}),
    "below the minimum": ("SET n = -1 WHERE model_id = 'b'", BETWEEN, "n", {"n": -1}),
    "above the maximum": ("SET n = 101 WHERE model_id = 'b'", BETWEEN, "n", {"n": 101}),
    "half-open range": (
        "SET share = -0.1 WHERE model_id = 'b'",
        BETWEEN,
        "share",
        {"share": -0.1},
    ),
    "NaN": (
        "SET share = 'nan' WHERE model_id = 'b'",
        "values_are_finite",
        "share",
        {"share": "nan"},
    ),
    "infinity": (
        "SET share = 'inf' WHERE model_id = 'b'",
        "values_are_finite",
        "share",
        {"share": "inf"},
    ),
    "dangling reference": (
        "SET lab_id = 'z' WHERE model_id = 'b'",
        "reference_exists",
        "lab_id",
        {"model_id": "b", "snapshot_id": "hub/2026-08-15", "lab_id": "z"},
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_invalid_value_is_reported_with_the_key_of_its_row(tmp_path: Path, fault: str) -> None:
    change, expectation, column, at_fault = FAULTS[fault]
    report = validate(models(tmp_path, f"UPDATE core.models {change}"))
    assert broken(report) == {(expectation, column)}
    found = result(report, expectation, column)
    assert (found.outcome, found.severity, found.unexpected_count) == ("failed", "critical", 1)
    (row,) = rows(found)
    assert at_fault.items() <= row.items()
    assert set(MODELS.key) <= set(row) and row["snapshot_id"] == "hub/2026-08-15"


def test_duplicate_key_is_reported(tmp_path: Path) -> None:
    report = validate(models(tmp_path, "UPDATE core.models SET day = DATE '2026-08-15'"))
    assert broken(report) == {("key_is_unique", None)}
    assert rows(result(report, "key_is_unique")) == [
        {"model_id": "a", "day": "2026-08-15", "n_rows": 2}
    ]


def test_duplicate_key_with_a_null_part_is_reported(tmp_path: Path) -> None:
    """Great Expectations' own compound key compares with equality and misses these."""
    report = validate(models(tmp_path, "UPDATE core.models SET day = NULL WHERE model_id = 'a'"))
    assert broken(report) == {("key_is_unique", None), (NOT_NULL, "day")}


def test_too_few_rows_are_reported(tmp_path: Path) -> None:
    report = validate(models(tmp_path, "DELETE FROM core.models WHERE model_id = 'a'"))
    assert broken(report) == {(ROW_COUNT, None)}
    assert json.loads(result(report, ROW_COUNT).details or "") == {"observed": 1}


@pytest.mark.parametrize(
    ("change", "missing", "unexpected"),
    [
        ("ALTER TABLE core.models ADD COLUMN extra INTEGER", [], ["extra"]),
        ("ALTER TABLE core.models DROP COLUMN rank", ["rank"], []),
        (
            "CREATE OR REPLACE TABLE core.models AS SELECT day, * EXCLUDE day FROM core.models",
            [],
            [],
        ),
    ],
)
def test_wrong_columns_or_wrong_order_are_reported(
    tmp_path: Path, change: str, missing: list[str], unexpected: list[str]
) -> None:
    report = validate(models(tmp_path, change))
    assert broken(report) == {(COLUMNS, None)}
    details = json.loads(result(report, COLUMNS).details or "")
    assert (details["missing"], details["unexpected"]) == (missing, unexpected)


@pytest.mark.parametrize(
    ("column", "other"),
    [
        ("n", "INTEGER"),
        ("rank", "BIGINT"),
        ("rank", "VARCHAR"),
        ("seen_at", "TIMESTAMP WITH TIME ZONE"),
        ("seen_at", "TIMESTAMP_NS"),
        ("seen_at", "DATE"),
        ("share", "DECIMAL(18,3)"),
        ("kind", "ENUM('lab', 'it''s')"),
    ],
)
def test_wrong_type_is_reported(tmp_path: Path, column: str, other: str) -> None:
    change = f"ALTER TABLE core.models ALTER {column} TYPE {other}"
    report = validate(models(tmp_path, "SET TimeZone = 'UTC'", change))
    (row,) = rows(result(report, "column_types_match"))
    assert (row["column_name"], row["promised_type"]) == (column, MODELS.columns[column].type)
    assert row["found_type"] == other


def test_check_that_cannot_run_is_reported_and_stops_the_run(tmp_path: Path) -> None:
    report = validate(models(tmp_path, "ALTER TABLE core.models DROP COLUMN n"))
    found = result(report, NOT_NULL, "n")
    assert (found.outcome, found.severity) == ("not_run", "critical")
    assert (found.element_count, found.unexpected_count) == (None, None)
    assert "n" in json.loads(found.details or "")["error"]
    assert result(report, COLUMNS).outcome == "failed"
    with pytest.raises(ValidationError, match="could not run"):
        report.raise_for_critical()


def test_rule_with_invalid_sql_is_not_run_and_does_not_stop_others(tmp_path: Path) -> None:
    typo = Rule("typo", MODELS.table, "critical", "A typo.", "SELECT * FROM {batch} WHERE nn > 1")
    large = Rule("large", MODELS.table, "warning", "Small.", "SELECT n FROM {batch} WHERE n > 1")
    report = validate(models(tmp_path), rules=[typo, large])
    assert result(report, "typo").outcome == "not_run"
    assert "nn" in json.loads(result(report, "typo").details or "")["error"]
    assert result(report, "large").outcome == "failed"
    assert [r.expectation for r in report.failures("critical")] == ["typo"]
    assert [r.expectation for r in report.failures("warning")] == ["large"]
    expected = {"failed": 1, "not_run": 1, "critical": 1, "warning": 1}
    assert expected.items() <= report.summary().items()


def test_checks_of_a_missing_table_are_not_run(tmp_path: Path) -> None:
    report = validate(database(tmp_path, LABS_SOUND), *KNOWN)
    outcomes = {(r.table_name, r.outcome) for r in report.results}
    assert outcomes == {("core.models", "not_run"), ("core.labs", "passed")}


def test_warning_does_not_stop_the_run(tmp_path: Path) -> None:
    large = Rule("large", MODELS.table, "warning", "Small.", "SELECT n FROM {batch} WHERE n > 1")
    report = validate(models(tmp_path), rules=[large])
    assert report.failures("warning")
    report.raise_for_critical()


def test_error_names_table_expectation_and_row_and_what_to_do(tmp_path: Path) -> None:
    report = validate(models(tmp_path, "UPDATE core.models SET n = 1234 WHERE model_id = 'b'"))
    with pytest.raises(ValidationError) as caught:
        report.raise_for_critical()
    message = str(caught.value)
    for part in ("[core] core.models.n", BETWEEN, "failed for 1 of 3 rows", "model_id = b"):
        assert part in message
    for part in ("snapshot_id = hub/2026-08-15", "n = 1234", "run again", "exclude"):
        assert part in message


def test_all_failing_rows_are_counted_and_twenty_are_listed(tmp_path: Path) -> None:
    change = (
        "INSERT INTO core.models SELECT printf('m%05d', i) || repeat('x', 300), DATE '2026-08-15', "
        "'hub/2026-08-15', 'lab', -1, 0, NULL, true, 1, 'x' FROM range(4999, -1, -1) AS r(i)"
    )
    found = result(validate(models(tmp_path, change)), BETWEEN, "n")
    assert found.unexpected_count == 5000
    kept = [row["model_id"] for row in rows(found)]
    assert [k[:6] for k in kept] == [f"m{i:05d}" for i in range(20)]
    assert max(map(len, kept)) <= 200


def test_results_match_their_contract_and_are_reproducible(tmp_path: Path) -> None:
    path = models(tmp_path, "UPDATE core.models SET n = -1, lab_id = 'z'")
    first, second = (validate(path, *t).to_frame() for t in (list(KNOWN), reversed(list(KNOWN))))
    promised = contract("meta.validation_results")
    promised.check_frame(first)
    assert first.equals(second)
    assert first.select(promised.key).is_unique().all()
    assert first.equals(first.sort(promised.key, nulls_last=False))


def test_validation_results_can_be_validated(tmp_path: Path) -> None:
    promised = contract("meta.validation_results")
    path = models(tmp_path, "UPDATE core.models SET n = -1")
    frame = validate(path).to_frame()
    with duckdb.connect(str(path)) as con:  # also shows that validation closed the file
        con.execute(promised.create_sql())
        con.register("frame", frame)
        con.execute(f"INSERT INTO {promised.sql_name} SELECT * FROM frame")
    assert broken(validate_database(path, [promised.table], "meta")) == set()


def test_database_can_be_written_after_validation(tmp_path: Path) -> None:
    path = models(tmp_path, "ALTER TABLE core.models DROP COLUMN n")
    assert validate(path).failures("critical")
    with duckdb.connect(str(path)) as con:
        con.execute("INSERT INTO core.labs VALUES ('new')")


def test_open_database_is_an_error_until_it_is_closed(tmp_path: Path) -> None:
    path = models(tmp_path)
    with duckdb.connect(str(path)), pytest.raises(ValidationError, match="Close every connection"):
        validate(path)
    assert broken(validate(path)) == set()


def test_missing_or_invalid_database_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="no database at"):
        validate(tmp_path / "none.build")
    (tmp_path / "text.build").write_text("not a database, whatever its name says " * 1000)
    with pytest.raises(ValidationError, match="cannot be opened"):
        validate(tmp_path / "text.build")


def test_table_without_a_contract_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"core\.unknown"):
        validate(models(tmp_path), "core.unknown")


@pytest.mark.parametrize("folder", ["a b", "50%20off", "x=1#y", "it's", "日本"])
def test_folder_names_with_special_characters_work(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    path = models(tmp_path / folder)
    assert broken(validate(path, "core.labs")) == set()


def test_folder_name_with_a_dollar_sign_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "$HOME").mkdir()
    path = models(tmp_path / "$HOME")
    with pytest.raises(ValidationError, match="use a folder without"):
        validate(path)
