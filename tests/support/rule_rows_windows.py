"""Sound and faulty rows for the rules on windows of time."""

from __future__ import annotations

from datetime import date
from typing import Any

from tests.support.rule_rows_arena import Fault, Rows

TABLE = "mart.country_share_window"


def windows(**change: Any) -> Rows:
    """A window by both bases; `change` is to one row of the last basis."""
    on = {
        **{"counter_source": "hub_evolution", "population": "created_in_window"},
        **{"attribution": "publisher", "credit": "fractional"},
        **{"window_start": date(2024, 8, 27), "window_end": date(2025, 8, 27)},
        **{"last_counter_on": date(2025, 8, 27), "period": "days_365", "panel": "study"},
    }
    data = [
        {**on, "basis": basis, "country_code": code, "downloads": 10.0 * n, "share": n / 4,
         "share_lower": n / 4, "share_upper": n / 4, "n_models": n}
        for basis in ("counter_differences", "counters_of_new_models")
        for code, n in (("CN", 1), ("US", 3))
    ]  # fmt: skip
    return [*data[:3], {**data[3], **change}]


SOUND: dict[str, Rows] = {TABLE: windows()}
FAULTS: list[Fault] = [
    (
        TABLE,
        "fractional_shares_sum_to_one",
        windows(share=0.8, share_upper=0.8),
        {"basis": "counters_of_new_models", "n_countries": 2},
    ),
    (TABLE, "share_is_within_bounds", windows(share_upper=0.7), {"country_code": "US"}),
    (
        TABLE,
        "both_bases_agree_on_models_created_in_the_window",
        windows(downloads=31.0),
        {"country_code": "US", "least": 30.0, "most": 31.0},
    ),
]
