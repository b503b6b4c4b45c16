"""A small database to validate, and rows for the rules of the real contracts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from expectations.report import Report, Result
from expectations.rule import Rule
from expectations.validate import validate_database
from tests.support import ai_index_faults
from tests.support.rule_rows_arena import rated, refused_line, segments
from tests.support.rule_rows_hub import counters, lab_shares, roots, twin
from warehouse.contracts.table import LAYERS, Contract, contract

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
    """The one result; that of core.models if there are several tables."""
    found = [r for r in report.results if (r.expectation, r.column_name) == (expectation, column)]
    tables = {r.table_name for r in found}
    (one,) = [r for r in found if len(tables) == 1 or r.table_name == MODELS.table]
    return one


def rows(found: Result) -> list[dict[str, Any]]:
    return list(json.loads(found.details or "{}")["rows"])


def alone(path: Path, table: str, rules: Sequence[Rule]) -> Report:
    return validate_database(path, [table], "published", alone=True, known=KNOWN, rules=rules)


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
