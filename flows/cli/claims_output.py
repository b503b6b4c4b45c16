"""How `observatory claims` prints statements and their verdicts."""

from __future__ import annotations

from typing import Any

from flows.cli.output import print_fields, print_line, print_rows, print_table
from flows.reports.text import NOTHING, display

STATEMENT = (
    *("statement", "quote", "publisher", "source", "url", "url_searched_on", "published_on"),
    *("as_of", "period", "quantity"),
    *(
        "metric_window",
        "population",
        "attribution",
        "credit",
        "denominator",
        "source_definition",
        "meaning",
        "definition",
        "definition_note",
        "hedge",
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
MOMENTS = {"stated": "when published", "newest": "today"}


def print_all(found: dict[str, Any]) -> None:
    """Every statement on one line, and the number of statements by verdict."""
    header = ["statement", "when published", "today", "stated", "reason (when published)"]
    columns = ("claim_id", "verdict_then", "verdict_now", "stated_text", "reason_then")
    cells = [[display(claim[column]) for column in columns] for claim in found["claims"]]
    print_table("published statements; `observatory claims --id ID` shows one", header, cells)
    print_line()
    print_rows("verdicts", [c | {"moment": MOMENTS[c["moment"]]} for c in found["counts"]])


def print_statement(claim_id: str, found: dict[str, Any]) -> None:
    """One statement with both verdicts and every test."""
    first = found["verdicts"][0]
    print_fields(claim_id, {name: first[name] for name in STATEMENT})
    for verdict in found["verdicts"]:
        print_line()
        print_fields(MOMENTS[verdict["moment"]], {name: _shown(verdict, name) for name in VERDICT})
    print_line()
    print_rows("tests (*: the statement's own definition)", [_test(t) for t in found["trials"]])


def _shown(verdict: dict[str, Any], name: str) -> str | None:
    unit = "share" if name.startswith("coverage") else None
    return None if verdict[name] is None else display(verdict[name], name, unit)


def _test(trial: dict[str, Any]) -> dict[str, Any]:
    """One test on one line; its result, or why there is none."""
    unit = trial["unit"]
    bounds = [display(trial[b], "", unit) for b in ("value_lower", "value_upper")]
    return {
        "moment": MOMENTS[trial["moment"]],
        "definition": ("* " if trial["is_own"] else "") + trial["definition"],
        "quantity": trial["label"],
        "value": display(trial["value"], "", unit),
        "bounds": NOTHING if bounds == [NOTHING] * 2 else " to ".join(bounds),
        "observed on": trial["observed_on"],
        "coverage": trial["coverage"],
        "result": {True: "holds", False: "fails", None: trial["missing"]}[trial["holds"]],
    }
