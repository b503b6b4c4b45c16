"""The claim ledger as the page tells it: one entry per statement, then and now."""

from __future__ import annotations

from datetime import date
from typing import Any

from warehouse.site.numbers import thousandths
from warehouse.site.release_tables import Tables

TABLE = "mart.claims"
VERDICTS = ("reproduced", "differs_by_definition", "contradicted", "not_testable")


def claims(tables: Tables) -> dict[str, Any]:
    """`counts` of verdicts at the stated day, and `entries` with `stated` and `newest`.

    Settled verdicts come first, and within a verdict the newest statement.
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
    """When it was said, or of which day; a statement that says neither goes last."""
    day: date | None = stated["published_on"] or stated["as_of"]
    return day or date.min
