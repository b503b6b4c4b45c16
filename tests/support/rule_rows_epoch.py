"""Sound and faulty rows for the rules of expectations/rule_sets/epoch.py."""

from __future__ import annotations

from datetime import date
from typing import Any

Rows = list[dict[str, Any]]
VINTAGE = date(2026, 5, 2)


def organisations(**change: Any) -> Rows:
    """Two organizations of one record in the newest vintage; `change` applies to the second."""
    on = {
        "vintage_date": VINTAGE,
        "line": 1,
        "snapshot_id": f"epoch/{VINTAGE}",
        "organization": "A",
        "n_organizations": 2,
        "weight": 0.5,
        "lab_id": "a",
        "country_code": "US",
        "top_country_code": "US",
    }
    return [{**on, "position": 1}, {**on, "position": 2, **change}]


def reconciled(**change: Any) -> Rows:
    """A count of the 2026 edition that is re-derived within the limits."""
    row = {
        "edition": 2026,
        "measure": "notable_models",
        "period": "2024",
        "year": 2024,
        "country_code": "US",
        "country_name": "United States",
        "method": "parent",
        "is_edition_method": True,
        "figure": "1.1.2",
        "revision": 1,
        "n_printed": 57,
        "n_derived": 58,
        "residual": 1,
        "vintage_date": VINTAGE,
        "vintage_days": 19,
        "explanation": "unexplained",
        "is_reviewed": False,
    }
    return [{**row, **change}]


SOUND: dict[str, Rows] = {
    "core.notable_model_labs": organisations(),
    "mart.ai_index_reconciliation": [
        *reconciled(),
        *reconciled(country_code="CN", n_derived=59, residual=2),
        *reconciled(period="2023", year=2023, n_derived=62, residual=5, is_reviewed=True),
        *reconciled(period="2022", year=2022, n_printed=None, residual=None),
        *reconciled(period="2021", year=2021, n_derived=7, residual=-50, explanation="vintage_far"),
        *reconciled(method="epoch", n_derived=50, residual=-7, is_edition_method=False),
    ],
}
FAULTS: list[tuple[str, str, Rows, dict[str, Any]]] = [
    ("core.notable_model_labs", "weights_sum_to_one", organisations(weight=0.4), {"line": 1}),
    ("core.notable_model_labs", "weights_sum_to_one", organisations()[:1], {"n_rows": 1}),
    (
        "core.notable_model_labs",
        "organizations_are_examined",
        organisations(lab_id=None),
        {"n_rows": 2, "n_examined": 1},
    ),
    (
        "mart.ai_index_reconciliation",
        "residual_is_derived_minus_printed",
        reconciled(residual=-1),
        {"n_printed": 57, "residual": -1},
    ),
    (
        "mart.ai_index_reconciliation",
        "residual_is_derived_minus_printed",
        reconciled(n_printed=None),
        {"n_derived": 58},
    ),
    (
        "mart.ai_index_reconciliation",
        "rederived_counts_match_printed_ones",
        reconciled(n_derived=55, residual=-2),
        {"country_code": "US", "residual": -2},
    ),
    (
        "mart.ai_index_reconciliation",
        "rederived_counts_match_printed_ones",
        reconciled(country_code="CN", n_derived=60, residual=3),
        {"country_code": "CN", "residual": 3},
    ),
]
