"""The verdict on a claim that no warehouse has yet, from the tables of a warehouse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from flows.reports.claims import LEDGER_TABLES
from transforms.plan import Step, plan
from warehouse.claims.claim import Claim
from warehouse.claims.rows import claim_rows, trial_rows
from warehouse.contracts.table import contract
from warehouse.database.duckdb_file import WarehouseError, open_read_only, scan

CLOCKS = "SELECT as_of, known_at FROM meta.build"


def verdict_on(warehouse: Path, claim: Claim) -> dict[str, Any]:
    """`verdicts` and `trials` as `flows.reports.claims.statement` gives them for a known claim.

    Raises WarehouseError if the warehouse lacks a table that the tests need.
    """
    tables = {
        "raw.claims": claim_rows([claim]).lazy(),
        "raw.claim_trials": trial_rows([claim]).lazy(),
    }
    with open_read_only(warehouse) as con:
        clocks = _clocks(con, warehouse)
        for step in plan():
            if step.table.startswith("mart.claim_answers_") or step.table in LEDGER_TABLES:
                tables[step.table] = _computed(con, step, tables, clocks).lazy()
    verdicts, trials = (tables[name].collect() for name in LEDGER_TABLES)
    return {
        "verdicts": verdicts.sort("moment", descending=True).to_dicts(),
        "trials": trials.sort("moment", "position", descending=[True, False]).to_dicts(),
    }


def _clocks(con: duckdb.DuckDBPyConnection, warehouse: Path) -> dict[str, Any]:
    """The dates of the build."""
    rows = con.execute(CLOCKS).fetchall()
    if not rows:
        raise WarehouseError(f"{warehouse} is not a finished build; run `observatory run --sample`")
    return dict(zip(("as_of", "known_at"), rows[0], strict=True))


def _computed(
    con: duckdb.DuckDBPyConnection,
    step: Step,
    tables: dict[str, pl.LazyFrame],
    clocks: dict[str, Any],
) -> pl.DataFrame:
    """One table of the ledger for the claim alone."""
    try:
        given = {
            parameter: tables[table] if table in tables else scan(con, contract(table))
            for parameter, table in step.inputs.items()
        }
        given |= {clock: clocks[clock] for clock in step.clocks}
        return step.function(**given).collect()
    except (duckdb.Error, pl.exceptions.PolarsError) as error:
        raise WarehouseError(
            f"the claim cannot be tested on this warehouse ({step.table}: {error}); build one with "
            "the installed version: `observatory run --sample` or `observatory replay`"
        ) from error
