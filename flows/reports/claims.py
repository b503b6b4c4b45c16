"""The published statements and their verdicts, from the warehouse file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flows.reports.query import rows_of
from warehouse.database.duckdb_file import WarehouseError, open_read_only

# One row per statement, with the verdict when it was published and the verdict today.
LEDGER = """
SELECT t.claim_id, t.verdict AS verdict_then, n.verdict AS verdict_now, t.stated_text,
    t.recomputed_text AS found_then, n.recomputed_text AS found_now, t.coverage AS coverage_then,
    n.coverage AS coverage_now, t.reason AS reason_then, n.reason AS reason_now, t.is_printed
FROM mart.claims AS t JOIN mart.claims AS n ON n.claim_id = t.claim_id AND n.moment = 'newest'
WHERE t.moment = 'stated' ORDER BY t.claim_id
"""
COUNTS = """
SELECT moment, verdict, count(*) AS claims FROM mart.claims GROUP BY ALL ORDER BY ALL
"""
LEDGER_TABLES = ("mart.claims", "mart.claim_trials")
ONE = "SELECT * FROM mart.claims WHERE claim_id = ? ORDER BY moment DESC"
TRIALS = """
SELECT moment, definition, is_own, label, test, unit, relation, stated_value, tolerance, value,
    value_lower, value_upper, observed_on, coverage, is_testable, agrees, holds, missing
FROM mart.claim_trials WHERE claim_id = ? ORDER BY moment DESC, position
"""


def ledger(warehouse: Path) -> dict[str, Any]:
    """Every statement with both verdicts, and the number of statements by verdict."""
    with open_read_only(warehouse) as con:
        return {"counts": rows_of(con, COUNTS), "claims": rows_of(con, LEDGER)}


def statement(warehouse: Path, claim_id: str) -> dict[str, Any]:
    """One statement in full, with every test of it. Raises WarehouseError for an unknown id."""
    with open_read_only(warehouse) as con:
        verdicts = rows_of(con, ONE, claim_id)
        if not verdicts:
            raise WarehouseError(
                f"no statement {claim_id!r} in {warehouse}; `observatory claims` lists the ids"
            )
        return {"verdicts": verdicts, "trials": rows_of(con, TRIALS, claim_id)}
