"""Who leads on the Hub: beyond all that is unknown, three days in a row, outages not counted."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest

from tests.support.frames import compute, rows

FIRST = date(2026, 8, 1)


def day(n: int) -> date:
    return FIRST + timedelta(days=n)


def shares(*days: dict[str, float]) -> pl.LazyFrame:
    """Shares by country, one mapping a day."""
    given = [
        {"as_of_date": day(n), "country_code": code, "share": share}
        for n, one in enumerate(days)
        for code, share in one.items()
    ]
    shared = {
        "population": "all",
        "metric": "downloads_30d",
        "metric_window": "30d",
        "attribution": "base",
        "credit": "fractional",
        "country_name": "x",
        "panel_id": "whole_hub",
        "share_lower": 0.0,
        "share_upper": 1.0,
        "numerator": 1.0,
        "denominator": 1.0,
        "n_models": 1,
        "n_models_population": 1,
        "n_models_without_counter": 0,
    }
    return rows("mart.country_share_daily", *given, **shared)


def days(n: int, *outages: int) -> pl.LazyFrame:
    given = [
        {"as_of_date": day(i), "counter_outage": "stale_day" if i in outages else None}
        for i in range(n)
    ]
    counts = ("models", "models_changed", "models_new", "models_left", "models_returned")
    compared = ("models_compared", "models_compared_100")
    shared = dict.fromkeys((*counts, *compared), 1) | {"is_whole_sweep": True}
    return rows("core.hub_counter_days", *given, **shared)


US = {"US": 0.5, "CN": 0.3, "XX": 0.1}
CN = {"US": 0.3, "CN": 0.5, "XX": 0.1}
IN_DOUBT = {"US": 0.40, "CN": 0.35, "XX": 0.15, "ZZ": 0.10}


def changes(observed: list[dict[str, float]], *outages: int) -> list[tuple[object, ...]]:
    found = compute(
        "mart.hub_leader_changes",
        country_share_daily=shares(*observed),
        hub_counter_days=days(len(observed), *outages),
    )
    return found.select("confirmed_date", "previous_holder", "holder").rows()


def test_a_lead_is_confirmed_on_the_third_day_and_a_change_names_both() -> None:
    assert changes([US, US, US, CN, CN, CN]) == [(day(2), None, "US"), (day(5), "US", "CN")]


def test_two_days_do_not_confirm_a_lead() -> None:
    assert changes([US, US, US, CN, CN, US, US, US]) == [(day(2), None, "US")]


def test_stale_days_are_skipped() -> None:
    observed = [US, US, US, CN, CN, CN]
    assert changes(observed, 5) == [(day(2), None, "US")]
    assert changes([*observed, CN], 5) == [(day(2), None, "US"), (day(6), "US", "CN")]


def test_a_lead_must_exceed_everything_unknown() -> None:
    assert changes([IN_DOUBT] * 5) == []


def test_an_uncertain_day_does_not_end_a_lead() -> None:
    assert changes([US, US, US, IN_DOUBT, US, US, US]) == [(day(2), None, "US")]


@pytest.mark.parametrize("unknown", ["XX", "ZZ"])
def test_zz_and_xx_never_lead(unknown: str) -> None:
    assert changes([{"US": 0.2, unknown: 0.8}] * 4) == []
