"""Validation: sound data passes, every planted fault is found, named and stops the run."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from expectations.docs import build_docs
from expectations.report import Report, Result, ValidationError
from expectations.rule import Rule
from expectations.rule_sets.pointers import POINTERS
from expectations.rules import RULES
from expectations.validate import validate_database
from tests.conftest import ROOT
from tests.expectations.test_pointer_rules import FAULTS as POINTER_FAULTS
from tests.support import ai_index_faults, rule_rows_epoch
from tests.warehouse.claims.test_claims_release import FAULTS as LEDGER_FAULTS
from warehouse.contracts.table import LAYERS, Contract, ContractError, contract, contracts

NO_RULES: tuple[Rule, ...] = ()
NOT_NULL = "expect_column_values_to_not_be_null"
IN_SET = "expect_column_values_to_be_in_set"
BETWEEN = "expect_column_values_to_be_between"
COLUMNS = "expect_table_columns_to_match_ordered_list"
ROW_COUNT = "expect_table_row_count_to_be_between"


def contract_of(
    table: str, key: Sequence[str], columns: Mapping[str, Any], **more: Any
) -> Contract:
    described = {n: {"description": f"The {n}.", **c} for n, c in columns.items()}
    return Contract.model_validate(
        {
            "table": table,
            "description": "A table.",
            "grain": "one row per key",
            "key": list(key),
            "columns": described,
            **more,
        }
    )


MODELS = contract_of(
    "core.models",
    ["model_id", "day"],
    {
        "model_id": {"type": "VARCHAR"},
        "day": {"type": "DATE"},
        "snapshot_id": {"type": "VARCHAR"},
        "kind": {"type": "VARCHAR", "nullable": True, "values": ["lab", "it's"]},
        "n": {"type": "BIGINT", "min": 0, "max": 100},
        "share": {"type": "DOUBLE", "nullable": True, "min": 0},
        "seen_at": {"type": "TIMESTAMP", "nullable": True},
        "is_open": {"type": "BOOLEAN", "nullable": True},
        "rank": {"type": "INTEGER", "nullable": True},
        "lab_id": {"type": "VARCHAR", "nullable": True, "references": "core.labs.lab_id"},
    },
    thresholds={"min_rows": 2},
)
LABS = contract_of("core.labs", ["lab_id"], {"lab_id": {"type": "VARCHAR"}})
KNOWN = {c.table: c for c in (MODELS, LABS)}

# Columns are not declared NOT NULL here: the fault must reach the validation.
SOUND = """
    CREATE TABLE core.models AS SELECT * FROM (VALUES
        ('a', DATE '2026-08-14', 'hub/2026-08-14', 'lab', 0::BIGINT, 0.5::DOUBLE,
            TIMESTAMP '2026-08-14 10:00:00', true, 1::INTEGER, 'x'),
        ('a', DATE '2026-08-15', 'hub/2026-08-15', 'it''s', 100, 0, NULL, false, NULL, 'y'),
        ('b', DATE '2026-08-15', 'hub/2026-08-15', NULL, 7, NULL, NULL, NULL, 2, NULL)
    ) AS t(model_id, day, snapshot_id, kind, n, share, seen_at, is_open, rank, lab_id)
"""
LABS_SOUND = "CREATE TABLE core.labs AS SELECT unnest(['x', 'y']) AS lab_id"


def database(folder: Path, *statements: str, name: str = "warehouse.build") -> Path:
    path = folder / name
    with duckdb.connect(str(path)) as con:
        for layer in LAYERS:
            con.execute(f"CREATE SCHEMA {layer}")
        for statement in statements:
            con.execute(statement)
    return path


def models(folder: Path, *faults: str) -> Path:
    return database(folder, SOUND, LABS_SOUND, *faults)


def validate(path: Path, *tables: str, rules: Sequence[Rule] = NO_RULES) -> Report:
    return validate_database(path, tables or [MODELS.table], "core", known=KNOWN, rules=rules)


def broken(report: Report) -> set[tuple[str, str | None]]:
    return {(r.expectation, r.column_name) for r in report.results if r.outcome != "passed"}


def result(report: Report, expectation: str, column: str | None = None) -> Result:
    """The one answer; of core.models where several tables were asked."""
    found = [r for r in report.results if (r.expectation, r.column_name) == (expectation, column)]
    tables = {r.table_name for r in found}
    (one,) = [r for r in found if len(tables) == 1 or r.table_name == MODELS.table]
    return one


def rows(found: Result) -> list[dict[str, Any]]:
    return list(json.loads(found.details or "{}")["rows"])


def test_sound_data_passes_every_promise(tmp_path: Path) -> None:
    report = validate(models(tmp_path))
    assert broken(report) == set()
    asked = {(r.expectation, r.column_name) for r in report.results if r.table_name == MODELS.table}
    assert asked == {
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
def test_a_fault_in_one_value_is_found_with_the_key_of_its_row(tmp_path: Path, fault: str) -> None:
    change, expectation, column, at_fault = FAULTS[fault]
    report = validate(models(tmp_path, f"UPDATE core.models {change}"))
    assert broken(report) == {(expectation, column)}
    found = result(report, expectation, column)
    assert (found.outcome, found.severity, found.unexpected_count) == ("failed", "critical", 1)
    (row,) = rows(found)
    assert at_fault.items() <= row.items()
    assert set(MODELS.key) <= set(row) and row["snapshot_id"] == "hub/2026-08-15"


def test_a_key_that_stands_twice_is_found(tmp_path: Path) -> None:
    report = validate(models(tmp_path, "UPDATE core.models SET day = DATE '2026-08-15'"))
    assert broken(report) == {("key_is_unique", None)}
    assert rows(result(report, "key_is_unique")) == [
        {"model_id": "a", "day": "2026-08-15", "n_rows": 2}
    ]


def test_a_key_with_a_null_part_that_stands_twice_is_found(tmp_path: Path) -> None:
    """Great Expectations' own compound key joins on equality and so overlooks these."""
    report = validate(models(tmp_path, "UPDATE core.models SET day = NULL WHERE model_id = 'a'"))
    assert broken(report) == {("key_is_unique", None), (NOT_NULL, "day")}


def test_too_few_rows_are_found(tmp_path: Path) -> None:
    report = validate(models(tmp_path, "DELETE FROM core.models WHERE model_id = 'a'"))
    assert broken(report) == {(ROW_COUNT, None)}
    assert json.loads(result(report, ROW_COUNT).details or "") == {"observed": 1}


@pytest.mark.parametrize(
    ("change", "missing", "surplus"),
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
def test_other_columns_or_another_order_are_found(
    tmp_path: Path, change: str, missing: list[str], surplus: list[str]
) -> None:
    report = validate(models(tmp_path, change))
    assert broken(report) == {(COLUMNS, None)}
    details = json.loads(result(report, COLUMNS).details or "")
    assert (details["missing"], details["surplus"]) == (missing, surplus)


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
def test_another_type_is_found(tmp_path: Path, column: str, other: str) -> None:
    change = f"ALTER TABLE core.models ALTER {column} TYPE {other}"
    report = validate(models(tmp_path, "SET TimeZone = 'UTC'", change))
    (row,) = rows(result(report, "column_types_match"))
    assert (row["column_name"], row["promised_type"]) == (column, MODELS.columns[column].type)
    assert row["found_type"] == other


def test_what_cannot_be_asked_is_told_apart_and_stops_the_run(tmp_path: Path) -> None:
    report = validate(models(tmp_path, "ALTER TABLE core.models DROP COLUMN n"))
    found = result(report, NOT_NULL, "n")
    assert (found.outcome, found.severity) == ("not_asked", "critical")
    assert (found.element_count, found.unexpected_count) == (None, None)
    assert "n" in json.loads(found.details or "")["error"]
    assert result(report, COLUMNS).outcome == "failed"
    with pytest.raises(ValidationError, match="could not be asked"):
        report.raise_for_critical()


def test_a_broken_rule_is_not_asked_and_bad_data_is_not_broken(tmp_path: Path) -> None:
    typo = Rule("typo", MODELS.table, "critical", "A typo.", "SELECT * FROM {batch} WHERE nn > 1")
    large = Rule("large", MODELS.table, "warning", "Small.", "SELECT n FROM {batch} WHERE n > 1")
    report = validate(models(tmp_path), rules=[typo, large])
    assert result(report, "typo").outcome == "not_asked"
    assert "nn" in json.loads(result(report, "typo").details or "")["error"]
    assert result(report, "large").outcome == "failed"
    assert [r.expectation for r in report.failures("critical")] == ["typo"]
    assert [r.expectation for r in report.failures("warning")] == ["large"]
    expected = {"failed": 1, "not_asked": 1, "critical": 1, "warning": 1}
    assert expected.items() <= report.summary().items()


def test_a_table_that_is_not_there_is_not_asked(tmp_path: Path) -> None:
    report = validate(database(tmp_path, LABS_SOUND), *KNOWN)
    outcomes = {(r.table_name, r.outcome) for r in report.results}
    assert outcomes == {("core.models", "not_asked"), ("core.labs", "passed")}


def test_a_warning_does_not_stop_the_run(tmp_path: Path) -> None:
    large = Rule("large", MODELS.table, "warning", "Small.", "SELECT n FROM {batch} WHERE n > 1")
    report = validate(models(tmp_path), rules=[large])
    assert report.failures("warning")
    report.raise_for_critical()


def test_the_error_names_table_promise_and_row_and_says_what_to_do(tmp_path: Path) -> None:
    report = validate(models(tmp_path, "UPDATE core.models SET n = 1234 WHERE model_id = 'b'"))
    with pytest.raises(ValidationError) as caught:
        report.raise_for_critical()
    message = str(caught.value)
    for part in ("[core] core.models.n", BETWEEN, "1 at fault, of 3 rows", "model_id='b'"):
        assert part in message
    for part in ("snapshot_id='hub/2026-08-15'", "n=1234", "run again"):
        assert part in message


def test_many_rows_at_fault_are_counted_but_only_some_are_kept(tmp_path: Path) -> None:
    change = (
        "INSERT INTO core.models SELECT printf('m%05d', i) || repeat('x', 300), DATE '2026-08-15', "
        "'hub/2026-08-15', 'lab', -1, 0, NULL, true, 1, 'x' FROM range(4999, -1, -1) AS r(i)"
    )
    found = result(validate(models(tmp_path, change)), BETWEEN, "n")
    assert found.unexpected_count == 5000
    kept = [row["model_id"] for row in rows(found)]
    assert [k[:6] for k in kept] == [f"m{i:05d}" for i in range(20)]
    assert max(map(len, kept)) <= 200


def test_the_frame_is_the_contract_and_the_same_every_time(tmp_path: Path) -> None:
    path = models(tmp_path, "UPDATE core.models SET n = -1, lab_id = 'z'")
    first, second = (validate(path, *t).to_frame() for t in (list(KNOWN), reversed(list(KNOWN))))
    promised = contract("meta.validation_results")
    promised.check_frame(first)
    assert first.equals(second)
    assert first.select(promised.key).is_unique().all()
    assert first.equals(first.sort(promised.key, nulls_last=False))


def test_the_results_themselves_can_be_validated(tmp_path: Path) -> None:
    promised = contract("meta.validation_results")
    path = models(tmp_path, "UPDATE core.models SET n = -1")
    frame = validate(path).to_frame()
    with duckdb.connect(str(path)) as con:  # also shows that validation let go of the file
        con.execute(promised.create_sql())
        con.register("frame", frame)
        con.execute(f"INSERT INTO {promised.sql_name} SELECT * FROM frame")
    assert broken(validate_database(path, [promised.table], "meta")) == set()


def test_the_file_can_be_written_again_after_validation(tmp_path: Path) -> None:
    path = models(tmp_path, "ALTER TABLE core.models DROP COLUMN n")
    assert validate(path).failures("critical")
    with duckdb.connect(str(path)) as con:
        con.execute("INSERT INTO core.labs VALUES ('new')")


def test_a_file_that_is_held_open_is_refused_and_let_go(tmp_path: Path) -> None:
    path = models(tmp_path)
    with duckdb.connect(str(path)), pytest.raises(ValidationError, match="Close every connection"):
        validate(path)
    assert broken(validate(path)) == set()


def test_a_file_that_is_not_there_or_no_database_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="no database at"):
        validate(tmp_path / "none.build")
    (tmp_path / "text.build").write_text("not a database, whatever its name says " * 1000)
    with pytest.raises(ValidationError, match="cannot be opened"):
        validate(tmp_path / "text.build")


def test_a_table_without_a_contract_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"core\.unknown"):
        validate(models(tmp_path), "core.unknown")


@pytest.mark.parametrize("folder", ["a b", "50%20off", "x=1#y", "it's", "日本"])
def test_any_folder_name_will_do(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    path = models(tmp_path / folder)
    assert broken(validate(path, "core.labs")) == set()


def test_a_folder_that_would_be_taken_for_a_variable_is_refused(tmp_path: Path) -> None:
    (tmp_path / "$HOME").mkdir()
    path = models(tmp_path / "$HOME")
    with pytest.raises(ValidationError, match="folder without it"):
        validate(path)


def test_a_rule_may_hold_any_sql(tmp_path: Path) -> None:
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


def test_a_rule_may_look_at_other_tables_of_the_database_only(tmp_path: Path) -> None:
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


def alone(path: Path, table: str, rules: Sequence[Rule]) -> Report:
    return validate_database(path, [table], "published", alone=True, known=KNOWN, rules=rules)


def test_a_table_alone_is_asked_the_same_but_for_references(tmp_path: Path) -> None:
    path = models(tmp_path, "UPDATE core.models SET lab_id = 'z'")
    small = Rule("small", MODELS.table, "critical", "Small.", "SELECT n FROM {batch} WHERE n > 50")
    report = alone(path, "core.models", rules=[small])
    assert broken(report) == {("small", None)}
    assert {r.stage for r in report.results} == {"published"}
    asked = {(r.expectation, r.column_name) for r in report.results}
    in_database = {(r.expectation, r.column_name) for r in validate(path, "core.models").results}
    assert in_database - asked == {("reference_exists", "lab_id")}


# --- the named rules, on the real contracts ------------------------------------------------------

DEFAULTS = {
    "BOOLEAN": False,
    "INTEGER": 1,
    "BIGINT": 1,
    "DOUBLE": 1.0,
    "DATE": date(2026, 8, 15),
    "TIMESTAMP": "2026-08-15 00:00:00",
    "VARCHAR": "x",
}


def filled(table: Contract, values: Mapping[str, Any]) -> list[Any]:
    """A row: what is not given is null where it may be, else some value of its type."""
    columns = contract(table.table).columns
    assert set(values) <= set(columns), f"{table.table} has no {set(values) - set(columns)}"
    return [values.get(n, None if c.nullable else DEFAULTS[c.type]) for n, c in columns.items()]


def loose(promised: Contract) -> Contract:
    """The contract without promises about single values: quicker, and only rules can fail."""
    free = {"nullable": True, "values": None, "min": None, "max": None, "references": None}
    columns = {n: c.model_copy(update=free) for n, c in promised.columns.items()}
    return promised.model_copy(update={"columns": columns})


def rule_report(
    folder: Path, table: str, data: Sequence[Mapping[str, Any]], *, strict: bool = False
) -> Report:
    promised = contract(table) if strict else loose(contract(table))
    others = {name: held for name, held in BESIDE.items() if name != table}
    known = [promised, *(loose(contract(name)) for name in others)]
    path = database(folder, *(each.create_sql() for each in known))
    with duckdb.connect(str(path)) as con:
        for each, held in zip(known, (data, *others.values()), strict=True):
            marks = ", ".join("?" for _ in each.columns)
            insert = f"INSERT INTO {each.sql_name} VALUES ({marks})"
            con.executemany(insert, [filled(each, row) for row in held])
    return validate_database(path, [table], "raw", known={table: promised})


def board(**change: Any) -> list[dict[str, Any]]:
    """Three models on one board; the third is the anchor, without interval. `change` is to it."""
    on = {
        "snapshot_id": "lmarena/2026-08-15",
        "snapshot_date": date(2026, 8, 15),
        "subset": "text",
        "category": "overall",
        "leaderboard_publish_date": date(2026, 8, 14),
    }
    width = 2 * 1.959963984540054 * 2.0
    return [
        {**on, "line": 1, "model_name": "a", "rank": 1, "rating": 1500.0, "vote_count": 10,
         "rating_lower": 1500 - width / 2, "rating_upper": 1500 + width / 2, "variance": 4.0},
        {**on, "line": 2, "model_name": "b", "rank": 2, "rating": 1400.0},
        {**on, "line": 3, "model_name": "c", "rank": 3, "rating": 1114.0, "rating_lower": 1114.0,
         "rating_upper": 1114.0, "variance": 0.0, **change},
    ]  # fmt: skip


def agents(**change: Any) -> list[dict[str, Any]]:
    names = {"score": "rating", "score_lower": "rating_lower", "score_upper": "rating_upper"}
    shared = ("snapshot_id", "snapshot_date", "subset", "category", "leaderboard_publish_date")
    data = []
    for row in board():
        kept = {k: row[k] for k in (*shared, "line", "model_name", "rank")}
        scores = {new: row[old] for new, old in names.items() if old in row}
        data.append({**kept, **scores, "session_count": 5, "observation_count": 9})
    return [*data[:2], {**data[2], **change}]


RATED = {
    "n_missing": 0,
    "board": "text",
    "category": "overall",
    "publish_date": date(2026, 8, 14),
    "segment_id": 1,
    "board_source": "lmarena",
    "lab_id": "a lab",
}


HEALED = {"board": "text", "category": "overall", "publish_date": date(2026, 8, 14)}
HEALED |= {"n_compared": 9, "n_disagreeing": 0, "n_other_scale": 0}


def rated(**change: Any) -> list[dict[str, Any]]:
    """Three rated models on one board and one without rating; `change` is to the third."""
    data = [
        {**RATED, "model_name_arena": name, "model_id": name, "rank_ordinal": rank,
         "rating": rating, "n_tied": 1}
        for name, rank, rating in (("a", 1, 1500.25), ("b", 2, 1400.25), ("c", 3, 1300.25))
    ]  # fmt: skip
    unrated = {**RATED, "model_name_arena": "d", "model_id": "d"}
    return [*data[:2], {**data[2], **change}, unrated]


def also(day: int, **change: Any) -> list[dict[str, Any]]:
    """The board of `rated`, and the same one on a day of August before; `change` is to the latter.

    `models` is how many of its four models that one has.
    """
    models = change.pop("models", 4)
    before = [{**row, "publish_date": date(2026, 8, day), **change} for row in rated()[:models]]
    return [*rated(), *before]


def segments(**change: Any) -> list[dict[str, Any]]:
    first, last = date(2026, 8, 1), date(2026, 8, 14)
    on = {**{k: RATED[k] for k in ("board", "category")}, "n_publish_dates": 2}
    days = {"first_publish_date": first, "last_publish_date": last}
    return [{**on, **days, "segment_id": 1, "is_detected": True, "is_reviewed": True, **change}]


def observed(name: str, **change: Any) -> dict[str, Any]:
    about = {"model_name_arena": name, "model_id": "a", "file_name": name, "is_chosen": True}
    on = {k: RATED[k] for k in ("board", "category", "publish_date", "board_source")}
    return {**on, **about, **change}


def shares(**change: Any) -> list[dict[str, Any]]:
    on = {
        "population": "all",
        "metric": "downloads_30d",
        "metric_window": "30d",
        "attribution": "base",
    }
    on |= {"lineage_coverage": 1.0, "panel_id": "whole_hub"}
    data = [
        {**on, "credit": credit, "country_code": code, "share": n / 3, "share_lower": n / 3,
         "share_upper": n / 3, "numerator": float(n), "denominator": 3.0}
        for credit, numbers in (("fractional", (1, 2)), ("full", (2, 2)))
        for code, n in zip(("US", "CN"), numbers, strict=True)
    ]  # fmt: skip
    return (
        [*data[:3], {**data[3], **change}]
        if "credit" not in change
        else [{**data[0], **change}, *data[1:]]
    )


TOPS = {f"n_top{n}": 1 if n < 3 else 2 for n in (1, 3, 5, 10, 20, 50, 100)}


def leaders(holder: str = "country_code", **change: Any) -> list[dict[str, Any]]:
    """Two countries or labs on one board; `change` is to the second."""
    on = {"board": "text", "category": "overall", "publish_date": date(2026, 8, 14), **TOPS}
    on |= {"n_models_without_lab": 0} if holder == "lab_id" else {}
    data = [
        {**on, holder: code, "best_rank_ordinal": rank, "rating": rating, "gap_to_leader": gap,
         "probability_best": p, "probability_first": p, "n_models_board": 4, "best_n_tied": 1}
        for code, rank, rating, gap, p in (("US", 1, 1500.5, 0.0, 0.9), ("CN", 2, 1491.2, 9.3, 0.1))
    ]  # fmt: skip
    return [data[0], {**data[1], **change}]


def changes(**change: Any) -> list[dict[str, Any]]:
    on = {"board": "text", "category": "overall", "level": "country", "n_dates": 3}
    on |= {"first_led_date": date(2026, 8, 1), "confirmed_date": date(2026, 8, 14)}
    return [{**on, "holder": "US", "margin": 9.0, "doubt": 8.0, **change}]


def labs(**change: Any) -> list[dict[str, Any]]:
    """A lab that moved on the day of the counters (`change` is to that) and one that never did."""
    ever, day = date(1900, 1, 1), date(2026, 8, 15)
    on = {"kind": "lab", "confidence": "low"}
    return [
        {**on, "lab_id": "mover", "country_code": "FR", "valid_from": ever, "valid_to": day},
        {**on, "lab_id": "mover", "country_code": "SG", "valid_from": day, **change},
        {**on, "lab_id": "still", "country_code": "US", "valid_from": ever},
    ]


def roots(**change: Any) -> list[dict[str, Any]]:
    """One model with three equal roots and one that is its own; `change` is to the latter."""
    many = [
        {"model_id_hf": "a/b", "root_model_id_hf": f"r/{i}", "weight": 1 / 3, "end_reason": "root"}
        for i in range(3)
    ]
    own = {"model_id_hf": "a/c", "root_model_id_hf": "a/c", "weight": 1.0, "end_reason": "root"}
    return [*many, {**own, **change}]


def lab_shares(**change: Any) -> list[dict[str, Any]]:
    on = {
        "population": "all",
        "metric": "downloads_30d",
        "metric_window": "30d",
        "attribution": "base",
    }
    on |= {"lineage_coverage": 1.0, "panel_id": "whole_hub"}
    data = [
        {**on, "lab_id": lab, "share": n / 3, "numerator": float(n), "denominator": 3.0}
        for lab, n in (("a", 1), ("b", 2))
    ]
    return [data[0], {**data[1], **change}]


def counters(**change: Any) -> list[dict[str, Any]]:
    return [
        {"model_id_hf": "a/b", "downloads_30d": 0, "likes": 0, "trending_score": 0.0},
        {"model_id_hf": "a/c", "downloads_30d": None, **change},
    ]


def twin(**change: Any) -> dict[str, Any]:
    """An id that is counted under another one."""
    return {
        "model_id_hf": "a/twin",
        "counted_model_id_hf": "a/b",
        "is_counted_once": True,
        **change,
    }


def refused_line(category: str) -> dict[str, Any]:
    record = {"model_name": "a", "category": category, "leaderboard_publish_date": "2026-08-14"}
    return {
        "table_name": "raw.arena_leaderboards",
        "file_name": "text/full-00000-of-00001.parquet",
        "record": json.dumps(record),
        "kind": "record",
    }


# What rules that look at other tables find there.
BESIDE: dict[str, list[dict[str, Any]]] = {
    "core.hub_models": [{"model_id_hf": name} for name in ("a/b", "a/c", "a/rootless")],
    "core.hub_model_roots": [*roots(), {"model_id_hf": "a/bare", "root_model_id_hf": "a/bare"}],
    "core.hub_daily_counters": counters(),
    "core.hub_suspected_doubles": [twin()],
    "core.hub_counter_days": [{}],
    "core.families": [{"family_id": "qwen", "lab_id": "a"}],
    "mart.lab_share_daily": lab_shares(),
    "core.arena_ratings": rated(),
    "raw.quarantine": [refused_line("french")],
    "meta.refused_snapshots": [
        {"snapshot_id": "hub/2026-08-15", "continues_with": "hub/2026-08-14", "is_newest": True},
        {"snapshot_id": "epoch/2026-08-01", "is_newest": False},
    ],
    "meta.snapshots": [{"source": "epoch"}],
    **ai_index_faults.BESIDE,
    "core.arena_scale_segments": segments(),
}
WAS = {"model_name_arena": "was", "model_id": "was"}
FRACTIONAL = {"credit": "fractional", "share": 0.4, "share_lower": 0.4, "share_upper": 0.4}
LEADERS = {"mart.arena_leaders": "country_code", "mart.arena_lab_leaders": "lab_id"}
RULE_FAULTS: list[tuple[str, str, list[dict[str, Any]], dict[str, Any]]] = [
    (table, name, data, at_fault)
    for table, make in (("raw.arena_leaderboards", board), ("raw.arena_agent_leaderboards", agents))
    for value, count in [("rating", "vote_count") if make is board else ("score", "session_count")]
    for name, data, at_fault in (
        ("ranks_are_given_once", make(rank=2), {"category": "overall", "n_ranks": 2}),
        ("ranks_are_given_once", make(rank=0), {"first_rank": 0}),
        ("ranks_are_given_once", make(rank=None), {"n_models": 3, "n_ranks": 2}),
        ("ranks_have_no_gaps", make(rank=4), {"last_rank": 4}),
        ("model_stands_once_on_a_board", make(model_name="b"), {"model_name": "b", "n_rows": 2}),
        ("value_lies_within_bounds", make(**{value: 1115.0}), {"model_name": "c"}),
        ("value_lies_within_bounds", make(**{f"{value}_lower": 1114.5}), {"model_name": "c"}),
        ("counts_are_not_negative", make(**{count: -1}), {count: -1}),
        (
            "published_before_it_was_seen",
            make(leaderboard_publish_date=date(2026, 8, 16), rank=1),
            {"leaderboard_publish_date": "2026-08-16", "snapshot_id": "lmarena/2026-08-15"},
        ),
    )
] + [
    (
        "raw.arena_leaderboards",
        "variance_fits_the_bounds",
        board(rating_upper=1115.0),
        {"model_name": "c", "variance": 0.0},
    ),
    *(
        ("core.arena_ratings", "rank_is_one_plus_the_strictly_better", rated(**change), at_fault)
        for change, at_fault in (
            ({"rank_ordinal": 1}, {"due_rank": 3}),
            ({"rank_ordinal": None}, {"due_rank": 3}),
            ({"rating": 1400.25}, {"rank_ordinal": 3, "due_rank": 2}),
            ({"n_tied": 2}, {"due_tied": 1}),
            ({"n_missing": 1}, {"rank_ordinal": 3, "due_rank": None}),
            ({"rating": None, "n_tied": None}, {"rank_ordinal": 3, "due_rank": None}),
        )
    ),
    (
        "core.arena_ratings",
        "no_board_lacks_a_rated_row",
        rated(n_missing=2),
        {"board": "text", "n_missing": 2},
    ),
    (
        "core.arena_ratings",
        "value_lies_within_bounds",
        rated(rating_lower=1301.0),
        {"model_name_arena": "c"},
    ),
    (
        "core.arena_ratings",
        "variance_fits_the_bounds",
        rated(rating_lower=1299.0, rating_upper=1301.0, variance=1.0),
        {"model_name_arena": "c"},
    ),
    (
        "core.arena_ratings",
        "model_stands_once_on_a_board",
        rated(model_id="a"),
        {"model_id": "a", "one_name": "a", "other_name": "c", "n_rows": 2},
    ),
    (
        "core.arena_ratings",
        "model_that_came_back_was_not_there",
        [
            {**row, "rating_lower": 1290.0, "rating_upper": 1510.0}
            for row in rated(rating=1500.25, board_source="arena_catalog")
        ],
        {"model_name_arena": "a", "other_name": "c"},
    ),
    (
        "core.arena_ratings",
        "probabilities_sum_to_one",
        [{**row, "probability_best": 0.4} for row in rated()[:2]],
        {"board": "text", "sum_of_probabilities": 0.8},
    ),
    (
        "core.arena_ratings",
        "probabilities_sum_to_one",
        rated(probability_best=1.0),
        {"n_known": 1, "n_rated": 3},
    ),
    (
        "core.arena_ratings",
        "every_rating_has_its_segment",
        rated(segment_id=2),
        {"board": "text", "segment_id": 2},
    ),
    (
        "core.arena_ratings",
        "every_rating_has_its_segment",
        [{**row, "publish_date": date(2026, 8, 15)} for row in rated()],
        {"board": "text", "segment_id": 1},
    ),
    *(
        ("meta.arena_boards", "sources_of_a_board_agree", [{**HEALED, count: 2}], {count: 2})
        for count in ("n_disagreeing", "n_other_scale")
    ),
    (
        "core.arena_scale_segments",
        "break_of_the_scale_is_reviewed",
        segments(is_reviewed=False, shift_median=59.9),
        {"board": "text", "shift_median": 59.9},
    ),
    (
        "core.arena_ratings",
        "leader_does_not_jump",
        also(7, rating=1440.25),
        {"best": 1500.25, "previous_best": 1440.25, "jump": 60.0},
    ),
    (
        "core.arena_ratings",
        "categories_are_kept",
        [*rated(), *also(7)[4:], *also(7, category="math")[4:]],
        {"board": "text", "lost_categories": "math"},
    ),
    (
        "core.arena_ratings",
        "models_are_as_many_as_before",
        also(7, models=3),
        {"n_models": 4, "previous_counted": 3},
    ),
    (
        "core.arena_ratings",
        "votes_do_not_depend_on_style_control",
        [
            {**row, "board": board, "vote_count": votes}
            for board, votes in (("text", 5), ("text_style_control", 6))
            for row in rated()[:1]
        ],
        {"board": "text", "vote_count": 5, "vote_count_controlled": 6},
    ),
    (
        "core.arena_ratings",
        "labs_are_examined",
        rated(lab_id=None, organization="who"),
        {"organization": "who", "n_unmapped": 1, "n_all": 4},
    ),
    (
        "core.arena_ratings",
        "models_that_came_back_have_a_maker",
        rated(lab_id=None, organization=None, board_source="arena_catalog"),
        {"model_id": "c", "n_rows": 1},
    ),
    (
        "core.arena_ratings",
        "organisations_are_examined",
        rated(lab_id=None, organization="who"),
        {"organization": "who", "n_rows": 1},
    ),
    (
        "core.arena_observations",
        "gaps_of_ranks_are_healed",
        [observed("a", rank_published=3), observed("b", model_id="b", rank_published=1)],
        {"last_rank": 3, "n_held": 2},
    ),
    (
        "core.arena_ratings",
        "renamed_model_has_an_alias",
        [*also(7, models=2), {**rated()[2], "publish_date": date(2026, 8, 7), **WAS}],
        {"old_name": "was", "new_name": "c", "n_boards": 1, "largest_difference": 0.0},
    ),
    (
        "core.arena_ratings",
        "renamed_model_has_an_alias",
        [
            {**row, "category": category}
            for category in ("overall", "coding", "math")
            for row in [
                *also(7, models=2),
                {**rated()[2], "publish_date": date(2026, 8, 7), **WAS, "rating": 1302.0},
            ]
        ],
        {"old_name": "was", "new_name": "c", "n_boards": 3, "largest_difference": 1.75},
    ),
    (
        "core.arena_observations",
        "one_name_of_a_model_on_a_board",
        [observed("a"), observed("A "), observed("b")],
        {"model_id": "a", "other_name": "b"},
    ),
    (
        "core.hub_daily_counters",
        "counters_are_not_negative",
        counters(trending_score=-0.5),
        {"model_id_hf": "a/c", "trending_score": -0.5},
    ),
    (
        "core.hub_daily_counters",
        "counters_are_not_negative",
        counters(downloads_all_time=-1),
        {"model_id_hf": "a/c"},
    ),
    (
        "core.hub_daily_counters",
        "every_counted_model_has_its_row",
        counters(model_id_hf="a/bare"),
        {"model_id_hf": "a/bare", "has_attributes": False, "has_root": True},
    ),
    (
        "core.hub_daily_counters",
        "every_counted_model_has_its_row",
        counters(model_id_hf="a/rootless"),
        {"model_id_hf": "a/rootless", "has_attributes": True, "has_root": False},
    ),
    (
        "core.hub_model_roots",
        "weights_sum_to_one",
        roots(weight=0.999),
        {"model_id_hf": "a/c", "n_roots": 1},
    ),
    (
        "core.hub_counter_days",
        "counters_can_be_believed",
        [{"models": 2, "counter_outage": "stale_day", "unchanged_share_100": 0.8}],
        {"as_of_date": "2026-08-15", "counter_outage": "stale_day"},
    ),
    (
        "core.hub_counter_days",
        "the_history_counts_every_model",
        [{"models": 4}],
        {"as_of_date": "2026-08-15", "models": 4, "n_rows": 2, "n_doubles": 1},
    ),
    (
        "core.hub_daily_counters",
        "no_repository_is_counted_twice",
        counters(model_id_hf="A/B"),
        {"model_id_hf": "A/B", "reason": "case"},
    ),
    (
        "core.hub_daily_counters",
        "no_repository_is_counted_twice",
        counters(model_id_hf="a/twin"),
        {"model_id_hf": "a/twin"},
    ),
    (
        "core.hub_suspected_doubles",
        "suspected_doubles_are_few",
        [twin(is_counted_once=False, downloads_30d=1)],
        {"n_ids": 1, "downloads_30d": 1},
    ),
    (
        "core.labs",
        "one_country_on_every_date",
        labs(valid_from=date(2026, 8, 16)),
        {"lab_id": "mover", "as_of_date": "2026-08-15", "n_countries": 0},
    ),
    (
        "core.labs",
        "one_country_on_every_date",
        labs(valid_from=date(2026, 8, 14), lab_id="still"),
        {"lab_id": "still", "n_countries": 2},
    ),
    (
        "mart.lab_share_daily",
        "fractional_shares_sum_to_one",
        lab_shares(share=0.66),
        {"attribution": "base", "n_labs": 2},
    ),
    (
        "mart.country_share_daily",
        "fractional_shares_sum_to_one",
        shares(**FRACTIONAL, numerator=1.2),
        {"attribution": "base", "n_countries": 2},
    ),
    (
        "mart.country_share_daily",
        "share_is_numerator_by_denominator",
        shares(numerator=1.9),
        {"country_code": "CN", "credit": "full"},
    ),
    (
        "mart.country_share_daily",
        "share_is_numerator_by_denominator",
        shares(denominator=0.0),
        {"country_code": "CN"},
    ),
    (
        "mart.country_share_daily",
        "share_lies_within_bounds",
        shares(share_upper=0.66),
        {"country_code": "CN"},
    ),
    (
        "mart.country_share_daily",
        "one_denominator_per_definition",
        shares(denominator=3.5),
        {"credit": "full", "n_denominators": 2},
    ),
    *(
        (table, name, data, {holder: "CN", **at_fault})
        for table, holder in LEADERS.items()
        for name, data, at_fault in (
            (
                "gap_is_measured_from_the_leader",
                leaders(holder, gap_to_leader=0.0),
                {"best_rating": 1500.5},
            ),
            ("gap_is_measured_from_the_leader", leaders(holder, rating=1490.0), {}),
            ("top_counts_are_nested", leaders(holder, n_top10=3), {"n_top10": 3, "n_top20": 2}),
            ("top_counts_are_nested", leaders(holder, n_top1=3), {"n_top1": 3}),
            ("top_counts_are_nested", leaders(holder, n_models_board=1), {"n_top100": 2}),
            (
                "probability_or_its_reason",
                leaders(holder, probability_reason="no_variance"),
                {"probability_first": 0.1},
            ),
            ("probability_or_its_reason", leaders(holder, probability_best=None), {}),
            ("probability_or_its_reason", leaders(holder, probability_best=0.2), {}),
        )
    ),
    *(
        (table, name, data, {"board": "text", **at_fault})
        for table, holder in LEADERS.items()
        for name, data, at_fault in (
            (
                "first_rank_belongs_to_the_leaders",
                leaders(holder, best_rank_ordinal=1),
                {"n_first": 2},
            ),
            (
                "first_rank_belongs_to_the_leaders",
                leaders(holder, best_rank_ordinal=1, rating=1500.5, gap_to_leader=0.0),
                {"n_first": 2},
            ),
            (
                "first_rank_belongs_to_the_leaders",
                [leaders(holder)[1]],
                {"best_rank": 2, "n_first": 0},
            ),
            (
                "probabilities_sum_to_one",
                leaders(holder, probability_first=0.2),
                {"n_known": 2, "n_holders": 2},
            ),
            ("probabilities_sum_to_one", leaders(holder, probability_first=0.05), {}),
            ("probabilities_sum_to_one", leaders(holder, probability_first=None), {"n_known": 1}),
        )
    ),
    (
        "mart.arena_leaders",
        "lag_lies_within_bounds",
        leaders(lag_days=5, lag_days_lower=6, lag_days_upper=9),
        {"country_code": "CN", "lag_days": 5},
    ),
    (
        "mart.arena_leaders",
        "lag_counts_from_the_first_reach",
        leaders(lag_days=5, first_reached_date=date(2026, 8, 10), first_reached_by="US"),
        {"country_code": "CN", "first_reached_date": "2026-08-10"},
    ),
    (
        "mart.arena_leaders",
        "lag_counts_from_the_first_reach",
        leaders(lag_days=4, first_reached_date=date(2026, 8, 10), first_reached_by="CN"),
        {"first_reached_by": "CN"},
    ),
    *(
        ("mart.arena_leader_changes", "lead_exceeds_its_doubt", changes(**change), {"holder": "US"})
        for change in ({"doubt": 9.0}, {"previous_holder": "US"}, {"doubt": None})
    ),
    (
        "core.model_identities",
        "one_model_of_a_system_per_model_id",
        [
            {"system": "lmarena", "name": name, "model_id": "lmarena:command-r", "rule": "raw"}
            for name in ("command-r", "command-r+")
        ],
        {"one_name": "command-r", "other_name": "command-r+"},
    ),
    (
        "core.model_families",
        "one_family_claims_a_model",
        [
            {"system": "hub", "model_name": "a/b", "family_id": None},
            {"system": "hub", "model_name": "a/c", "family_id": "qwen"},
        ],
        {"system": "hub", "model_name": "a/b"},
    ),
    (
        "mart.family_share_daily",
        "shares_sum_to_one",
        [{"family_id": f, "attribution": "base", "share": 0.4} for f in ("qwen", "llama")],
        {"attribution": "base", "sum_of_shares": 0.8},
    ),
    (
        "raw.quarantine",
        "newest_was_not_refused",
        [refused_line("french")],
        {"snapshot_id": "hub/2026-08-15", "continues_with": "hub/2026-08-14"},
    ),
    *(
        (f"mart.{by}_share_daily", "day_has_one_panel", data, {"without": without})
        for by, data, without in (
            ("country", shares(panel_id="excerpt_2026-08-15"), 0),
            ("lab", lab_shares(panel_id=None), 1),
            ("family", [{"family_id": "qwen", "panel_id": None}], 1),
        )
    ),
    *(
        (f"mart.{by}_share_daily", "share_is_missing_only_without_lineage", data, {})
        for by, data in (
            ("country", shares(share=None)),
            ("country", shares(share_missing="lineage_not_recorded")),
            ("country", shares(lineage_coverage=0.0)),
            ("country", shares(lineage_coverage=None)),
            ("lab", lab_shares(numerator=None)),
            ("family", [{"family_id": "qwen", "attribution": "name", "lineage_coverage": 1.0}]),
        )
    ),
    (
        "mart.family_share_daily",
        "family_base_within_its_makers",
        [
            {k: v for k, v in lab_shares()[0].items() if k != "lab_id"}
            | {"family_id": "qwen", "numerator": 1.5},
        ],
        {"lab_id": "a", "families": 1.5, "numerator": 1.0},
    ),
    *ai_index_faults.FAULTS,
]
SOUND_ROWS = {
    **ai_index_faults.SOUND,
    "raw.arena_leaderboards": board(),
    "raw.arena_agent_leaderboards": agents(),
    "core.arena_ratings": also(7),
    "core.arena_observations": [observed("a"), observed("b", model_id="b")],
    "core.arena_scale_segments": segments(),
    "meta.arena_boards": [HEALED],
    "core.hub_counter_days": [{"models": 3}],
    "core.hub_daily_counters": counters(),
    "core.hub_model_roots": roots(),
    "core.labs": labs(),
    "mart.lab_share_daily": lab_shares(),
    "mart.country_share_daily": shares(),
    "mart.arena_leaders": leaders(
        lag_days=4, first_reached_date=date(2026, 8, 10), first_reached_by="US"
    ),
    "mart.arena_lab_leaders": leaders("lab_id"),
    "mart.arena_leader_changes": changes(previous_holder="CN"),
}


RULE_FAULTS += rule_rows_epoch.FAULTS
SOUND_ROWS |= rule_rows_epoch.SOUND


def test_every_rule_has_a_fault_that_it_finds() -> None:
    """Others in test_sweep_faults, those of the ledger in test_claims_release, and of what names
    other rows in test_pointer_rules."""
    here = {(t, n) for t, n, _, _ in RULE_FAULTS}
    sweeps = {"sweep_is_proved_whole", "no_torso_stands_for_the_whole_hub"}
    planted = (*LEDGER_FAULTS.values(), *POINTER_FAULTS.values())
    elsewhere = sweeps.union(*(names for _, names in planted))
    others = {(r.table, r.name) for r in RULES} - here
    assert here <= {(r.table, r.name) for r in RULES}
    assert {name for _, name in others} <= elsewhere


@pytest.mark.parametrize("table", SOUND_ROWS)
def test_sound_rows_keep_every_rule(tmp_path: Path, table: str) -> None:
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
def test_a_rule_finds_its_fault(
    tmp_path: Path, table: str, name: str, data: list[dict[str, Any]], at_fault: dict[str, Any]
) -> None:
    found = result(rule_report(tmp_path, table, data), name)
    assert found.outcome == "failed", found.details
    assert any(at_fault.items() <= row.items() for row in rows(found)), found.details


@pytest.mark.parametrize(("category", "outcome"), [("overall", "passed"), ("coding", "failed")])
def test_a_refused_line_explains_the_gap_that_it_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, category: str, outcome: str
) -> None:
    odd = [{**refused_line(category), "record": text} for text in ("no JSON {", None)]
    monkeypatch.setitem(BESIDE, "raw.quarantine", [refused_line(category), *odd])
    data = [observed("a", rank_published=3), observed("b", model_id="b", rank_published=1)]
    report = rule_report(tmp_path, "core.arena_observations", data)
    assert result(report, "gaps_of_ranks_are_healed").outcome == outcome


@pytest.mark.parametrize("change", [{"lab_id": "other"}, {"rating": 1299.0}])
def test_a_model_that_comes_as_another_goes_is_most_often_a_new_one(
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


def test_a_snapshot_that_falls_behind_the_one_before_stops_the_run(tmp_path: Path) -> None:
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


def test_a_fall_that_was_made_good_is_a_warning(tmp_path: Path) -> None:
    """A sealed snapshot stays for ever: a short one must not stop every run after it."""
    days = [("2026-01-01", 20), ("2026-02-01", 5), ("2026-03-01", 20)]
    report = rule_report(
        tmp_path, "raw.epoch_models", epoch(*((day, "notable", n) for day, n in days))
    )
    assert result(report, "snapshot_rows_do_not_fall").outcome == "passed"
    found = result(report, "earlier_snapshot_rows_do_not_fall")
    assert (found.severity, found.outcome) == ("warning", "failed")
    assert [r["snapshot_id"] for r in rows(found)] == ["epoch/2026-02-01"]
    report.raise_for_critical()


def test_a_part_that_the_newest_snapshot_lost_is_a_warning(tmp_path: Path) -> None:
    data = epoch(("2026-01-01", "old", 1), ("2026-02-01", "a", 1), ("2026-02-01", "b", 1))
    data += epoch(("2026-03-01", "b", 1))
    found = result(rule_report(tmp_path, "raw.epoch_models", data), "snapshot_parts_are_kept")
    assert (found.severity, found.outcome) == ("warning", "failed")
    assert [(r["snapshot_id"], r["file_name"]) for r in rows(found)] == [("epoch/2026-03-01", "a")]


def test_a_shorter_hub_list_is_a_warning_whatever_its_pages(tmp_path: Path) -> None:
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
def test_every_contract_can_be_asked(tmp_path: Path) -> None:
    """On empty tables: no rule names a column that its contract has not."""
    path = tmp_path / "empty.build"
    with duckdb.connect(str(path)) as con:
        for layer in LAYERS:
            con.execute(f"CREATE SCHEMA {layer}")
        for table in contracts().values():
            con.execute(table.create_sql())
    report = validate_database(path, list(contracts()), "empty")
    assert {r.expectation for r in report.results if r.outcome != "passed"} <= {ROW_COUNT}
    assert {r.table_name for r in report.results} == set(contracts())
    keys = [r.sort_key for r in report.results]
    assert len(keys) == len(set(keys))


def test_the_recorded_leaderboards_keep_the_rules(tmp_path: Path, recordings: Path) -> None:
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


# --- the surroundings ----------------------------------------------------------------------------


def test_validation_says_nothing_on_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    typo = Rule("typo", MODELS.table, "critical", "A typo.", "SELECT nn FROM {batch}")
    assert validate(models(tmp_path), rules=[typo]).failures("critical")
    assert capfd.readouterr() == ("", "")
    assert [r for r in caplog.records if r.name.startswith("great_expectations")] == []


def test_great_expectations_is_imported_only_when_something_is_validated() -> None:
    code = (
        "import sys, expectations.validate, expectations.docs; "
        "sys.exit(bool({'great_expectations', 'sqlalchemy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert done.returncode == 0


def test_the_docs_show_every_table_of_every_stage(tmp_path: Path) -> None:
    path = models(tmp_path, "UPDATE core.models SET n = -77 WHERE model_id = 'b'")
    reports = [validate(path, *KNOWN), alone(path, "core.labs", rules=NO_RULES)]
    index = build_docs(reports, tmp_path / "docs", date(2026, 8, 15))
    assert index == tmp_path / "docs" / "index.html"
    text = index.read_text()
    assert "core.models" in text and "core.labs" in text
    pages = {p.relative_to(tmp_path / "docs").as_posix() for p in index.parent.rglob("*.html")}
    time = "20260815T000000.000000Z"
    assert pages == {
        "index.html",
        f"validations/core/models/core/{time}/core.models.html",
        f"validations/core/labs/core/{time}/core.labs.html",
        f"validations/core/labs/published/{time}/core.labs.html",
    }
    page = (index.parent / f"validations/core/models/core/{time}/core.models.html").read_text()
    assert "n of core.models lies at least 0 and at most 100." in page and "-77" in page
    assert "great-expectations-web-assets" not in page + text


def test_the_docs_of_the_same_answers_are_the_same_bytes(tmp_path: Path) -> None:
    path = models(tmp_path, "UPDATE core.models SET n = -77, lab_id = 'z', share = 'nan'")
    sites = []
    for name in ("one", "two"):
        folder = build_docs([validate(path)], tmp_path / name, date(2026, 8, 15)).parent
        found = sorted(p for p in folder.rglob("*") if p.is_file())
        sites.append({p.relative_to(folder): p.read_bytes() for p in found})
    assert sites[0] == sites[1]


def test_reports_add_up_in_the_order_of_their_key(tmp_path: Path) -> None:
    path = models(tmp_path)
    one, two = validate(path, "core.models"), validate(path, "core.labs")
    assert (one + two).results == (two + one).results == validate(path, *KNOWN).results
