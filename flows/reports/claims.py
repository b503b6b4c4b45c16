"""What the claim ledger says, read off the warehouse file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flows.reports.headline import rows_of
from warehouse.database.duckdb_file import WarehouseError, open_read_only

# One line a statement: what was said, and both verdicts.
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
ONE = "SELECT * FROM mart.claims WHERE claim_id = ? ORDER BY moment DESC"
TRIALS = """
SELECT moment, definition, is_own, label, test, unit, relation, stated_value, tolerance, value,
    value_lower, value_upper, observed_on, coverage, is_testable, agrees, holds, missing
FROM mart.claim_trials WHERE claim_id = ? ORDER BY moment DESC, position
"""


def ledger(warehouse: Path) -> dict[str, Any]:
    """Every statement with its verdicts then and now, and how many there are of each."""
    with open_read_only(warehouse) as con:
        return {"counts": rows_of(con, COUNTS), "claims": rows_of(con, LEDGER)}


def one(warehouse: Path, claim_id: str) -> dict[str, Any]:
    """One statement in full, with every trial. Raises WarehouseError for one that is not there."""
    with open_read_only(warehouse) as con:
        verdicts = rows_of(con, ONE, claim_id)
        if not verdicts:
            raise WarehouseError(
                f"{warehouse} holds no statement {claim_id!r}; `observatory claims` lists them"
            )
        return {"verdicts": verdicts, "trials": rows_of(con, TRIALS, claim_id)}
