"""Windows of days: n days are n days, at both ends."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import polars as pl
import pytest

from tests.support.frames import DAY, compute, rows
from transforms.claims.trending import trending
from transforms.core.hub_daily_downloads import LAUNCH_LAG_DAYS
from transforms.hub.definitions import LAUNCH_DAYS, NEW_DAYS, SPIKE_DAYS, YEAR_DAYS
from transforms.mart.lab_measures import is_recent
from transforms.numeric.windows import age_in_days, created_within

LAST_MOMENT = datetime.combine(DAY, time.max)


def evaluated(expression: pl.Expr, **values: object) -> object:
    return pl.DataFrame({k: [v] for k, v in values.items()}).select(expression).item()


@pytest.mark.parametrize("days", [1, LAUNCH_LAG_DAYS, NEW_DAYS, LAUNCH_DAYS, YEAR_DAYS])
def test_a_window_of_n_days_holds_n_dates_with_the_day_itself(days: int) -> None:
    dates = [DAY - timedelta(days=n) for n in range(-2, days + 3)]
    for at in (time.min, time.max):
        created = pl.DataFrame(
            {"day": [DAY] * len(dates), "created": [datetime.combine(d, at) for d in dates]}
        )
        inside = created.filter(created_within(pl.col("day"), pl.col("created"), days))
        held = sorted(c.date() for c in inside["created"])
        assert (len(held), held[0], held[-1]) == (days, DAY - timedelta(days=days - 1), DAY)


def test_age_is_counted_in_dates_and_unknown_without_a_creation() -> None:
    age = age_in_days(pl.col("day"), pl.col("created"))
    assert evaluated(age, day=DAY, created=LAST_MOMENT) == 0
    assert evaluated(age, day=DAY, created=LAST_MOMENT - timedelta(days=1)) == 1
    nothing = pl.DataFrame(
        {"day": [DAY], "created": [None]}, schema_overrides={"created": pl.Datetime}
    )
    assert nothing.select(created_within(pl.col("day"), pl.col("created"), 30)).item() is False


@pytest.mark.parametrize(
    ("days_before", "counts"), [(0, False), (1, True), (31, True), (32, False)]
)
def test_a_spike_is_judged_by_the_31_days_before(days_before: int, counts: bool) -> None:
    near = [DAY - timedelta(days=n) for n in (2, 3)]
    earlier = [
        {"model_id_hf": "a/m", "observed_date": day, "downloads_30d": 1}
        for day in (*near, DAY - timedelta(days=days_before))
    ]
    shared = {"snapshot_id": f"hub/{DAY}", "snapshot_date": DAY}
    made = compute(
        "core.hub_counter_spikes",
        hub_daily_counters=rows(
            "core.hub_daily_counters",
            {"as_of_date": DAY, "model_id_hf": "a/m", "downloads_30d": 100},
        ),
        raw_hub_earlier_counters=rows("raw.hub_earlier_counters", *earlier, **shared),
    )
    assert (made.height == 1) is counts
    assert SPIKE_DAYS == 31


@pytest.mark.parametrize(
    ("published", "counts"),
    [
        (date(2025, 8, 15), False),
        (date(2025, 8, 16), True),
        (DAY, True),
        (DAY + timedelta(days=1), False),
        (None, None),
    ],
)
def test_the_12_months_up_to_a_vintage_are_12_months(
    published: date | None, counts: bool | None
) -> None:
    frame = pl.DataFrame(
        {"publication_date": [published], "vintage": [DAY]},
        schema_overrides={"publication_date": pl.Date},
    )
    assert frame.select(is_recent("vintage")).item() is counts


@pytest.mark.parametrize("days", [7, 14, 91])
def test_a_window_of_trending_lists_has_the_stated_number_of_days(days: int) -> None:
    held = [DAY - timedelta(days=n) for n in range(days + 3)]
    request = {
        **{"request": 0, "test": "trending_days", "moment": "stated", "subject": "CN"},
        **{"top_n": 10, "attribution": "publisher", "places": 1.0, "window_days": days},
        **{"day": DAY, "clock": DAY, "within_days": 0},
    }
    types = {"request": pl.UInt32, "top_n": pl.Int32}

    def rate(*with_places: date) -> float:
        shares = rows(
            "mart.trending_share_daily",
            *({"as_of_date": d, "country_code": "CN" if d in with_places else "US"} for d in held),
            **{"top_n": 10, "attribution": "publisher", "country_name": "x"},
            **{"n_places": 1.0, "n_places_total": 10.0, "share": 0.1},
        )
        empty = (rows("core.hub_trending"), rows("core.hub_models"))
        wanted = pl.DataFrame([request], schema_overrides=types).lazy()
        return trending(wanted, shares, *empty).collect()["value"].item()

    assert rate(held[0]) == rate(held[days - 1]) == pytest.approx(1 / days)
    assert rate(held[days]) == 0
