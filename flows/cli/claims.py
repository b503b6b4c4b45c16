"""`observatory claims`: the claim ledger."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from flows.cli.terminal import (
    AsJson,
    WarehouseFile,
    guarded,
    print_json,
    print_line,
    print_rows,
    print_table,
    settings_given,
)
from flows.settings import Settings

ClaimId = Annotated[
    str | None, typer.Option("--id", metavar="ID", help="One statement in full, every trial.")
]
ABOUT = (
    *("statement", "publisher", "source", "url", "published_on", "as_of", "period", "quantity"),
    *(
        "metric_window",
        "population",
        "attribution",
        "credit",
        "denominator",
        "definition",
        "stated_text",
    ),
    *("untested", "data_needed"),
)
VERDICT = (
    *("verdict", "reason", "recomputed_text", "value_withheld", "observed_on", "coverage"),
    *("coverage_time", "coverage_population", "coverage_lineage", "coverage_names"),
    *("holds_under", "others_text"),
    "is_printed",
)
THEN_AND_NOW = {"stated": "of its day", "newest": "were it said today"}


def claims(
    warehouse: WarehouseFile = None, claim_id: ClaimId = None, as_json: AsJson = False
) -> None:
    """List published statements with their verdicts, of their day and were they said today."""
    with guarded(as_json):
        settings = Settings(**settings_given(None, warehouse, None, None))
        from flows.reports.claims import ledger, one  # noqa: PLC0415

        told = one(settings.warehouse, claim_id) if claim_id else ledger(settings.warehouse)
        if as_json:
            print_json(told)
        elif claim_id:
            _tell_one(claim_id, told)
        else:
            _tell_all(told)


def _tell_all(told: dict[str, Any]) -> None:
    header = ["statement", "of its day", "said today", "stated", "why (of its day)"]
    columns = ("claim_id", "verdict_then", "verdict_now", "stated_text", "reason_then")
    cells = [[claim[column] for column in columns] for claim in told["claims"]]
    print_table("published statements; --id ID shows one in full", header, cells)
    print_rows("verdicts", told["counts"])


def _tell_one(claim_id: str, told: dict[str, Any]) -> None:
    first = told["verdicts"][0]
    print_rows(claim_id, [{"": k, "as stated": first[k]} for k in ABOUT if first[k] is not None])
    for verdict in told["verdicts"]:
        print_line("")
        shown = [{"": k, " ": verdict[k]} for k in VERDICT if verdict[k] is not None]
        print_rows(THEN_AND_NOW[verdict["moment"]], shown)
    print_line("")
    print_rows("every trial (* = its own definition)", [_trial(t) for t in told["trials"]])


def _trial(trial: dict[str, Any]) -> dict[str, Any]:
    """One trial on one line; the answer, or why there is none."""
    answer = {True: "holds", False: "fails", None: trial["missing"]}[trial["holds"]]
    return {
        "moment": trial["moment"],
        "definition": ("* " if trial["is_own"] else "") + trial["definition"],
        "quantity": trial["label"],
        "value": _short(trial["value"]),
        "bounds": f"{_short(trial['value_lower'])} to {_short(trial['value_upper'])}",
        "observed on": trial["observed_on"],
        "coverage": _short(trial["coverage"]),
        "answer": answer,
    }


def _short(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
