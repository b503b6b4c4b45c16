"""Verdicts on one model: its rank on a board, its size, its release, and a counter."""

from __future__ import annotations

from datetime import date, datetime, time

import polars as pl
import pytest

from tests.support.frames import DAY, rows
from tests.support.ledger import STATED, board, ledger, listing, on_boards, shares, trial

PLACES = (
    {"name": "a", "rating": 1500, "country": "US", "open": False},
    {"name": "b", "rating": 1450, "country": "CN", "open": True},
    {"name": "c", "rating": 1440, "country": "US", "open": True},
    {"name": "d", "rating": 1200, "country": "CN", "open": True},
)
RANK = {
    **{"test": "arena_rank", "by": "model", "board": "text", "category": "overall"},
    **{"unit": "rank", "relation": "equals", "tolerance": 0.0, "rank": "ordinal"},
}


@pytest.mark.parametrize(
    ("model", "access", "place"),
    [("a", "all", 1), ("c", "all", 3), ("c", "open", 2), ("b", "open", 1), ("d", "all", 4)],
)
def test_a_model_has_its_place_among_all_or_the_open_ones(
    model: str, access: str, place: int
) -> None:
    wanted = {**RANK, "subject": model, "access": access, "stated_value": float(place)}
    row = ledger(trial(**wanted), **on_boards(board(*PLACES)))["stated"]
    assert (row["recomputed_value"], row["verdict"]) == (place, "reproduced")
    wrong = {**wanted, "stated_value": float(place + 1)}
    assert ledger(trial(**wrong), **on_boards(board(*PLACES)))["stated"]["verdict"] == (
        "contradicted"
    )


def test_a_model_that_is_not_on_the_board_has_no_place() -> None:
    wanted = trial(**RANK, subject="z", access="all", stated_value=1.0)
    assert ledger(wanted, **on_boards(board(*PLACES)))["stated"]["verdict"] == "not_testable"


@pytest.mark.parametrize(("place", "percent"), [(2, 100 * 50 / 1450), (4, 25.0)])
def test_the_spread_is_a_percentage_of_the_lower_place(place: int, percent: float) -> None:
    wanted = trial(
        **{"test": "arena_spread", "board": "text", "category": "overall", "top_n": place},
        **{"unit": "percent", "stated_value": percent, "tolerance": 0.001},
    )
    row = ledger(wanted, **on_boards(board(*PLACES)))["stated"]
    assert row["recomputed_value"] == pytest.approx(percent)
    assert row["verdict"] == "reproduced"


def test_a_board_with_fewer_places_has_no_spread() -> None:
    wanted = trial(
        **{"test": "arena_spread", "board": "text", "category": "overall", "top_n": 5},
        **{"unit": "percent", "stated_value": 1.0},
    )
    assert ledger(wanted, **on_boards(board(*PLACES)))["stated"]["verdict"] == "not_testable"


def hub_models(*given: tuple[str, date]) -> pl.LazyFrame:
    return rows(
        "core.hub_models",
        *(
            {
                "model_id_hf": name,
                "model_key": number,
                "created_at": datetime.combine(day, time(12)),
                "parameters_total": number * 10**9,
            }
            for number, (name, day) in enumerate(given, 1)
        ),
        first_seen_date=DAY,
        last_seen_date=DAY,
    )


DECEMBER, JANUARY = date(2024, 12, 26), date(2025, 1, 20)


@pytest.mark.parametrize(
    ("exact", "found", "expected"),
    [
        (True, [("lab/One", JANUARY)], "reproduced"),
        (True, [("lab/One", DECEMBER)], "contradicted"),  # known to be of another time
        (True, [("lab/One", DECEMBER), ("lab/One-0120", JANUARY)], "contradicted"),
        (False, [("lab/One", DECEMBER), ("lab/One-0120", JANUARY)], "reproduced"),
        (False, [("lab/One", DECEMBER)], "not_testable"),  # a version may be missing
        (True, [("lab/Two", JANUARY)], "not_testable"),
    ],
)
def test_an_exact_name_is_missing_if_it_was_created_at_another_time(
    *, exact: bool, found: list[tuple[str, date]], expected: str
) -> None:
    wanted = trial(
        **{"test": "repositories_created", "unit": "repositories", "relation": "at_least"},
        **{"stated_value": 1.0, "tolerance": 0.0, "names": "lab/One", "exact": exact},
        **{"period_from": date(2025, 1, 1), "period_to": date(2025, 2, 28)},
    )
    given = shares(listing(DAY, {"CN": 1, "US": 1}, n_models=5))
    row = ledger(wanted, hub_models=hub_models(*found), **given)["stated"]
    assert row["verdict"] == expected


def test_the_size_of_a_model_is_that_of_its_files() -> None:
    wanted = {
        **{"test": "model_parameters", "unit": "parameters"},
        **{"stated_value": 2.1e9, "tolerance": 0.2e9},
    }
    found = hub_models(("lab/One", JANUARY), ("lab/Two", JANUARY))
    for name, expected in (("lab/Two", "reproduced"), ("lab/One", "contradicted")):
        row = ledger(trial(**wanted, subject=name), hub_models=found)["stated"]
        assert row["verdict"] == expected, name
    assert "1.0 B parameters" in row["reason"]


def test_a_counter_is_that_of_the_nearest_day() -> None:
    counters = rows(
        "core.hub_daily_counters",
        {"as_of_date": date(2025, 8, 20), "model_id_hf": "lab/One", "likes": 5100},
        {"as_of_date": STATED, "model_id_hf": "lab/One", "likes": 5150},
        {"as_of_date": STATED, "model_id_hf": "lab/Two", "likes": 1},
    )
    wanted = trial(
        **{"test": "hub_counter", "subject": "lab/One", "metric": "likes", "unit": "likes"},
        **{"stated_value": 5156.0, "tolerance": 10.0},
    )
    moments = ledger(wanted, hub_daily_counters=counters)
    assert (moments["stated"]["recomputed_value"], moments["stated"]["verdict"]) == (
        5150,
        "reproduced",
    )
    assert moments["newest"]["verdict"] == "not_testable"  # a counter of its day


def test_the_unexamined_may_be_of_the_named_labs_or_of_others() -> None:
    about = {
        **{"as_of_date": STATED, "population": "all", "metric": "downloads_30d"},
        **{
            "metric_window": "30d",
            "attribution": "publisher",
            "lab_name": "x",
            "is_examined": True,
        },
        **{"country_name": "x", "share": 0.1, "denominator": 100.0, "n_models": 1},
    }
    held = {("a", "CN"): 40.0, ("b", "CN"): 30.0, ("c", "CN"): 20.0, ("d", "US"): 5.0}
    given = shares(listing(STATED, {"CN": 90, "US": 10}))
    for unknown, expected in ((0.0, "reproduced"), (60.0, "not_testable")):
        amounts = {**held, ("e", "XX"): unknown}
        labs = rows(
            "mart.lab_share_daily",
            *(
                {**about, "lab_id": lab, "country_code": country, "numerator": amount}
                for (lab, country), amount in amounts.items()
            ),
            panel_id="x",
        )
        wanted = trial(
            **{"test": "hub_part", "subject": "CN", "names": "a\nb", "population": "all"},
            **{"metric": "downloads_30d", "attribution": "publisher"},
            **{"relation": "above", "stated_value": 0.5, "tolerance": 0.0},
        )
        row = ledger(wanted, lab_share_daily=labs, **given)["stated"]
        assert row["recomputed_value"] == pytest.approx(70 / 90)
        assert row["verdict"] == expected, unknown
