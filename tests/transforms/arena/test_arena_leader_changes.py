"""Confirmed changes of the leader of a board."""

from __future__ import annotations

import math
from datetime import timedelta
from statistics import NormalDist
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tests.support.boards import LABS, by_country, by_lab, on, ratings
from tests.support.frames import DAY, PROPERTY, Row, compute, shuffled
from transforms.mart.arena_leader_changes import DOUBT_DEVIATIONS, N_BOARDS


def changes(found: pl.LazyFrame) -> pl.DataFrame:
    """Every confirmed change, after the two marts it reads."""
    return compute(
        "mart.arena_leader_changes",
        arena_ratings=found,
        arena_leaders=by_country(found).lazy(),
        arena_lab_leaders=by_lab(found).lazy(),
        labs=LABS,
    )


def confirmed(found: pl.LazyFrame, level: str = "country") -> list[tuple[Any, ...]]:
    """Previous holder, holder, and the days of first lead and confirmation, counted from DAY."""
    made = changes(found).filter(level=level)
    return [
        (was, now, (first - DAY).days, (confirmed - DAY).days)
        for was, now, first, confirmed in made.select(
            "previous_holder", "holder", "first_led_date", "confirmed_date"
        ).iter_rows()
    ]


def duel(*margins: float, sd: float = 3.0, every: int = 1) -> list[list[Row]]:
    """Boards on which alpha (US) is so far ahead of beta (CN), never the same twice."""
    return [
        on(every * i, alpha=(1400.0 + i + margin, sd), beta=(1400.0 + i, sd), gamma=(1300.0, sd))
        for i, margin in enumerate(margins)
    ]


def test_a_lead_is_confirmed_on_the_third_new_board() -> None:
    assert (N_BOARDS, DOUBT_DEVIATIONS) == (3, 1.96)
    doubt = 1.96 * math.sqrt(18)
    found = ratings(*duel(20, 20, 20, 5, 20, 1, -20, -20, 5, -20, -20, -20, -20))
    assert confirmed(found) == [(None, "US", 0, 2), ("US", "CN", 9, 11)]
    assert confirmed(found, "lab") == [(None, "alpha", 0, 2), ("alpha", "beta", 9, 11)]
    last = changes(found).filter(level="country").row(-1, named=True)
    assert (last["best_model"], last["rival_model"], last["rival_holder"]) == (
        "beta",
        "alpha",
        "US",
    )
    assert (last["margin"], last["doubt"]) == (pytest.approx(20), pytest.approx(doubt))
    assert last["expected_win_rate"] == pytest.approx(1 / (1 + 10 ** (-20 / 400)))
    first = NormalDist().cdf(20 / math.sqrt(18))
    assert (last["n_dates"], last["probability_first"]) == (4, pytest.approx(first, abs=1e-6))


def test_two_boards_do_not_confirm_a_lead_and_an_uncertain_board_does_not_end_one() -> None:
    assert confirmed(ratings(*duel(20, 20))) == []
    assert confirmed(ratings(*duel(20, 20, 2, 20, 20, 2, 20, 20))) == []
    assert confirmed(ratings(*duel(20, 20, 20, 2, 2, -2, 20, 20, 20))) == [(None, "US", 0, 2)]


def test_a_republished_board_does_not_confirm_a_lead() -> None:
    fresh = duel(20, 20, 20, every=10)
    day = timedelta(days=1)
    stale = [
        [{**line, "publish_date": line["publish_date"] + i * day} for line in fresh[n]]
        for n in (0, 1)
        for i in (1, 2, 3)
    ]
    assert confirmed(ratings(*fresh[:2], *stale)) == []
    assert confirmed(ratings(*fresh, *stale)) == [(None, "US", 0, 20)]


def test_a_board_without_variances_does_not_confirm_a_lead() -> None:
    lines = [on(i, alpha=1500.0 + i, beta=1400.0) for i in range(5)]
    assert confirmed(ratings(*lines)) == []


def without_intervals(lines: list[Row]) -> list[Row]:
    return [{**line, "variance": None} for line in lines]


def test_a_board_without_variances_interrupts_a_row_only_if_another_holder_is_first() -> None:
    """Boards of 2024 come from sources with and without intervals in turn."""
    boards = duel(20, 20, 20, 20, 20)
    boards[1], boards[3] = without_intervals(boards[1]), without_intervals(boards[3])
    assert confirmed(ratings(*boards)) == [(None, "US", 0, 4)]
    made = changes(ratings(*boards)).filter(level="country")
    assert made["n_dates"].to_list() == [3]  # those that say so
    boards = duel(20, 20, -20, 20, 20, 20)
    boards[2] = without_intervals(boards[2])
    assert confirmed(ratings(*boards)) == [(None, "US", 3, 5)]
    # in doubt, then not known: the row does not go on from before the doubt
    boards = duel(20, 20, 5, 20, 20)
    boards[3] = without_intervals(boards[3])
    assert confirmed(ratings(*boards)) == []


def test_zz_xx_and_models_without_a_lab_prevent_a_lead_but_never_have_one() -> None:
    near = [
        on(i, alpha=(1400.0 + i, 3.0), omega=(1398.0 + i, 3.0), beta=(1300.0, 3.0))
        for i in range(4)
    ]
    assert confirmed(ratings(*near)) == []
    assert confirmed(ratings(*near), "lab") == []
    ahead = [on(i, alpha=(1400.0 + i, 3.0), omega=(1450.0 + i, 3.0)) for i in range(4)]
    assert confirmed(ratings(*ahead)) == []
    assert confirmed(ratings(*ahead), "lab") == [
        (None, "omega", 0, 2)
    ]  # examined, a lab of its own


def test_a_change_between_labs_of_one_country_is_only_a_change_of_labs() -> None:
    lines = [
        on(
            i,
            alpha=(1450.0 + i, 3.0),
            delta=(1450.0 + i + (-30 if i < 3 else 30), 3.0),
            beta=(1300.0, 3.0),
        )
        for i in range(6)
    ]
    assert confirmed(ratings(*lines)) == [(None, "US", 0, 2)]
    assert confirmed(ratings(*lines), "lab") == [(None, "alpha", 0, 2), ("alpha", "delta", 3, 5)]


def test_catalog_rows_mark_a_lead_and_the_next_one() -> None:
    boards = duel(*[20.0] * 3, *[-20.0] * 3, *[20.0] * 3)
    boards[1] = [{**line, "has_catalog_rows": True} for line in boards[1]]
    made = changes(ratings(*boards)).filter(level="country")
    assert made["has_catalog_rows"].to_list() == [True, True, False]


MARGINS = st.lists(st.integers(-25, 25).map(float), max_size=14)
DOUBT = 1.96 * math.sqrt(18)


@PROPERTY
@given(MARGINS.map(lambda margins: [m for m in margins if abs(m) <= DOUBT]))
def test_noise_within_the_doubt_never_changes_the_leader(margins: list[float]) -> None:
    assert confirmed(ratings(*duel(*margins))) == []


@pytest.mark.slow
@PROPERTY
@given(
    MARGINS,
    st.lists(st.booleans(), min_size=14, max_size=14),
    st.lists(st.integers(1, 3), min_size=14, max_size=14),
    st.integers(0, 2**16),
)
def test_changes_equal_their_definition(
    margins: list[float], is_bare: list[bool], copies: list[int], seed: int
) -> None:
    """Boards published up to three times over and the order of rows change nothing."""
    expected, leader, row, of = [], None, [], None
    for i, (margin, bare) in enumerate(zip(margins, is_bare, strict=False)):
        first = "CN" if margin < 0 else "US"  # of equals alpha by its name
        if bare and first == of:
            continue
        holder = first if not bare and abs(margin) > DOUBT else None
        row = [*row, i] if holder and holder == of else [i]
        of = holder
        if holder and holder != leader and len(row) == 3:
            expected.append((leader, holder, 5 * row[0], 5 * row[2]))
            leader = holder
    boards = [
        without_intervals(lines) if bare else lines
        for lines, bare in zip(duel(*margins, every=5), is_bare, strict=False)
    ]
    again = [
        [{**line, "publish_date": line["publish_date"] + timedelta(days=i)} for line in lines]
        for lines, n in zip(boards, copies, strict=False)
        for i in range(n)
    ]
    assert confirmed(ratings(*boards)) == expected
    found = ratings(*again)
    assert confirmed(found) == expected
    assert_frame_equal(changes(shuffled(found, seed)), changes(found), check_exact=True)
