"""The claim ledger of the page: one entry per statement, for the stated and the newest date."""

from __future__ import annotations

from datetime import date
from typing import Any

from warehouse.site.numbers import thousandths
from warehouse.site.release_tables import Tables

TABLE = "mart.claims"
VERDICTS = ("reproduced", "differs_by_definition", "contradicted", "not_testable")


def claims(tables: Tables) -> dict[str, Any]:
    """`counts` of verdicts for the stated date, and `entries` with `stated` and `newest`.

    Decided verdicts come first; within a verdict, the newest statement.
    """
    if not tables.holds(TABLE):
        return {"counts": {}, "entries": []}
    frame = tables.read(TABLE).with_columns(thousandths("coverage"), thousandths("coverage_needed"))
    by_claim: dict[str, dict[str, Any]] = {}
    for row in frame.iter_rows(named=True):
        by_claim.setdefault(row["claim_id"], {})[row["moment"]] = row
    entries = [{"id": name, **moments} for name, moments in by_claim.items() if "stated" in moments]
    entries.sort(key=lambda e: _day(e["stated"]), reverse=True)
    entries.sort(key=lambda e: VERDICTS.index(e["stated"]["verdict"]))
    found = [e["stated"]["verdict"] for e in entries]
    return {"counts": {v: found.count(v) for v in VERDICTS}, "entries": entries}


def _day(stated: dict[str, Any]) -> date:
    """Publication date, else the date that the statement is about; without either, the earliest."""
    day: date | None = stated["published_on"] or stated["as_of"]
    return day or date.min
