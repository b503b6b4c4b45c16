"""How long ago another country reached a level."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tests.support.boards import WHERE, board, by_country, model, on, ratings
from tests.support.frames import DAY, PROPERTY, Row, shuffled


def lag_of(country: str, day: int, *boards: list[Row]) -> dict[str, Any]:
    made = by_country(ratings(*boards))
    (row,) = made.filter(country_code=country, publish_date=DAY + timedelta(days=day)).to_dicts()
    return {k: v for k, v in row.items() if k.startswith(("lag", "first_"))}


def test_the_lag_counts_from_the_first_other_country_at_that_level() -> None:
    history = [
        on(0, alpha=1300.0, beta=1200.0, gamma=1290.0),
        on(10, alpha=1350.0, beta=1250.0, gamma=1295.0),
        on(20, alpha=1340.0, beta=1310.0, gamma=1320.0),
        on(30, alpha=1345.0, beta=(1345.0, 3.0), beta_2=(1300.0, 1.0), gamma=1344.0),
    ]
    assert lag_of("CN", 30, *history) == {
        "lag_days": 20,  # 1345: alpha on day 10, though it fell back later
        "lag_days_lower": 0,  # 1350.9: nobody
        "lag_days_upper": 20,  # 1339.1: alpha on day 10
        "lag_is_censored": False,
        "lag_upper_is_censored": False,
        "first_reached_by": "US",
        "first_reached_by_name": "United States",
        "first_reached_date": DAY + timedelta(days=10),
    }
    assert lag_of("FR", 30, *history)["lag_days"] == 20
    assert lag_of("FR", 20, *history)["lag_days"] == 10
    assert lag_of("CN", 0, *history)["lag_is_censored"]
    assert lag_of("CN", 0, *history)["lag_days"] == 0
    first = lag_of("US", 10, *history)  # what others reach later does not count
    assert set(first.values()) == {None}
    # on one date: level with each other, so both are reached by the other on the day itself
    assert lag_of("US", 30, *history)["lag_days"] == 0
    assert lag_of("US", 30, *history)["first_reached_by"] == "CN"


def test_no_lag_across_a_break_of_the_scale() -> None:
    history = [
        on(0, alpha=1300.0, beta=1200.0),
        on(10, alpha=1260.0, beta=1255.0, segment_id=2),
        on(20, alpha=1270.0, beta=1256.0, segment_id=2),
    ]
    lag = lag_of("CN", 20, *history)
    assert (lag["lag_days"], lag["lag_is_censored"]) == (10, True)


def test_zz_and_xx_have_no_lag_and_reach_no_level_first() -> None:
    history = [on(0, omega=1400.0, alpha=1300.0, beta=1200.0), on(9, alpha=1390.0, beta=1250.0)]
    assert set(lag_of("ZZ", 0, *history).values()) == {None}
    assert lag_of("US", 9, *history)["lag_days"] is None
    assert lag_of("CN", 9, *history)["first_reached_by"] == "US"


def test_a_lag_from_catalog_rows_marks_its_whole_board() -> None:
    history = [
        on(0, alpha=1300.0, beta=1200.0, has_catalog_rows=True),
        on(9, alpha=1400.0, beta=1250.0),
        on(18, alpha=1400.0, beta=1350.0),
    ]
    made = (
        by_country(ratings(*history))
        .select("publish_date", "has_catalog_rows")
        .unique()
        .sort("publish_date")
    )
    assert made["has_catalog_rows"].to_list() == [True, True, False]


HISTORY = st.lists(
    st.tuples(
        st.integers(0, 1),  # whether the scale breaks before this board
        st.lists(
            st.tuples(
                st.sampled_from(list(WHERE)), st.integers(0, 12), st.none() | st.integers(0, 3)
            ),
            min_size=1,
            max_size=5,
        ),
    ),
    max_size=7,
)  # fmt: skip


@PROPERTY
@given(HISTORY, st.integers(0, 2**16))
def test_lags_equal_their_definition(
    drawn: list[tuple[int, list[tuple[str | None, int, int | None]]]], seed: int
) -> None:
    segment, boards = 1, []
    for day, (breaks, models) in enumerate(drawn):
        segment += breaks if day else 0
        lines = [model(f"m{i}", 1000.0 + r, lab, sd=sd) for i, (lab, r, sd) in enumerate(models)]
        when = DAY + timedelta(days=3 * day)
        boards.append(board(*lines, publish_date=when, segment_id=segment))
    found = ratings(*boards)
    made = by_country(found)
    for row in made.iter_rows(named=True):
        known = row["country_code"] not in ("ZZ", "XX")
        lower, upper = (row[f"rating_{bound}"] for bound in ("lower", "upper"))
        others = made.filter(
            pl.col("publish_date") <= row["publish_date"],
            ~pl.col("country_code").is_in(["ZZ", "XX", row["country_code"]]),
            segment_id=row["segment_id"],
        )

        def since(level: float | None, row: Any = row, others: Any = others) -> int | None:
            days = others.filter(pl.col("rating") >= level)["publish_date"]
            return None if days.is_empty() else int((row["publish_date"] - days.min()).days)

        expected = since(row["rating"]) if known else None
        assert row["lag_days"] == expected
        near = None if lower is None or not known else since(lower)
        assert row["lag_days_upper"] == near
        assert row["lag_days_lower"] == (None if near is None else since(upper) or 0)
        start = made.filter(segment_id=row["segment_id"])["publish_date"].min()
        is_first = row["first_reached_date"] == start
        assert row["lag_is_censored"] == (None if expected is None else is_first)
    assert_frame_equal(by_country(shuffled(found, seed)), made, check_exact=True)
