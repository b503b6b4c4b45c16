"""Verdicts on places in the trending list."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest

from tests.support.frames import rows
from tests.support.ledger import STATED, ledger, raw_trials, trial, tried

STRIP = {
    **{"subject": "CN", "attribution": "publisher", "window_days": 14},
    **{"relation": "above", "stated_value": 0.5},
}


def strips(*places: tuple[int, int, int]) -> pl.LazyFrame:
    """Days before the stated day, with places of China and of the unexamined among ten."""
    held = [
        {"as_of_date": STATED - timedelta(days=back), "country_code": code, "n_places": float(n)}
        for back, china, unknown in places
        for code, n in (("CN", china), ("XX", unknown), ("US", 10 - china - unknown))
        if n
    ]
    return rows(
        "mart.trending_share_daily",
        *held,
        top_n=10,
        attribution="publisher",
        country_name="x",
        n_places_total=10.0,
        share=0.1,
    )


def test_trending_days_count_only_observed_weeks() -> None:
    days = trial(**STRIP, test="trending_days", top_n=10, places=3)
    full = [(back, 3 if back % 7 < 5 else 1, 0) for back in range(14)]
    row = ledger(days, trending_share_daily=strips(*full))["stated"]
    assert (row["recomputed_value"], row["verdict"]) == (pytest.approx(10 / 14), "reproduced")
    one_week = ledger(days, trending_share_daily=strips(*full[:7]))["stated"]
    assert (one_week["verdict"], one_week["coverage_time"]) == ("not_testable", 0.5)
    unknown = [(back, 2, 1) for back in range(14)]
    row = ledger(days, trending_share_daily=strips(*unknown))["stated"]
    assert (row["verdict"], row["reason_code"]) == ("not_testable", "names_not_examined")


def test_trending_weeks_are_weeks_with_at_least_one_day() -> None:
    weeks = trial(
        **{**STRIP, "relation": "at_least", "stated_value": 2.0},
        test="trending_weeks",
        top_n=10,
        places=4,
    )
    for other, expected in ((10, "reproduced"), (3, "contradicted")):
        days = [(back, 4 if back in (2, other) else 0, 0) for back in range(14)]
        row = ledger(weeks, trending_share_daily=strips(*days))["stated"]
        assert row["verdict"] == expected


def test_a_trending_list_that_lacks_places_never_contradicts() -> None:
    days = trial(
        **{**STRIP, "relation": "at_least", "stated_value": 1.0},
        **{"test": "trending_days", "top_n": 10, "places": 3},
    )
    full = [(back, 1, 0) for back in range(14)]
    assert ledger(days, trending_share_daily=strips(*full))["stated"]["verdict"] == "contradicted"
    cut = strips(*full).with_columns(n_places_total=pl.lit(6.0))
    assert ledger(days, trending_share_daily=cut)["stated"]["verdict"] == "not_testable"


def test_one_recorded_week_is_enough_for_at_least_one() -> None:
    """13 of 14 days are missing: one day decides at least 1, but not at least 2, nor at most 1."""
    about = {**STRIP, "test": "trending_weeks", "top_n": 10, "places": 4}
    day = strips((9, 4, 0))
    for relation, stated, expected in (
        ("at_least", 1.0, "reproduced"), ("at_least", 2.0, "not_testable"),
        ("at_least", 3.0, "contradicted"), ("at_most", 1.0, "not_testable"),
    ):  # fmt: skip
        asked = trial(**{**about, "relation": relation, "stated_value": stated})
        assert ledger(asked, trending_share_daily=day)["stated"]["verdict"] == expected


@pytest.mark.parametrize("n_days", [1, 5, 8])
def test_bounds_of_a_gap_equal_those_with_all_places_or_none_on_every_other_day(
    n_days: int,
) -> None:
    seen = {(5 * i) % 14: 4 if i % 3 else 1 for i in range(n_days)}
    worst, best = ({back: seen.get(back, n) for back in range(14)} for n in (0, 10))
    for test, expected in (
        ("trending_days", [sum(n >= 4 for n in all_.values()) / 14 for all_ in (worst, best)]),
        (
            "trending_weeks",
            [len({back // 7 for back, n in all_.items() if n >= 4}) for all_ in (worst, best)],
        ),
    ):
        asked = raw_trials(trial(**STRIP, test=test, top_n=10, places=4))
        given = strips(*((back, n, 0) for back, n in seen.items()))
        row = tried(asked, trending_share_daily=given).row(0, named=True)
        assert row["coverage_time"] < 0.9
        assert [row["value_lower"], row["value_upper"]] == pytest.approx(expected)
