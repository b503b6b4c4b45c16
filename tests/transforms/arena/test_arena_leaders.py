"""Leaders of LMArena's boards: by hand, and against the definitions on drawn boards."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from flows.reports.headline import leaders_table
from tests.support.boards import (
    WHERE,
    _place,
    board,
    by_country,
    by_lab,
    chances,
    leaders,
    leaders_of_boards,
    model,
    ratings,
)
from tests.support.frames import DAY, PROPERTY, Row, shuffled


def test_the_best_model_of_each_country_leads_for_it() -> None:
    found = leaders(
        ratings(
            board(
                model("a", 1400.0, "beta", rank_ub=2),
                model("b", 1439.0, "alpha", rank_ub=1),
                model("c", 1434.0, "delta", rank_ub=1),
                model("d", 1300.0),
                model("e", 1290.0, "omega"),
                model("f", None, "beta"),
                is_style_controlled=True,
                segment_id=4,
            )
        )
    )
    assert set(found) == {"US", "CN", "XX", "ZZ"}
    us, cn, unexamined = found["US"], found["CN"], found["XX"]
    assert (us["best_model"], us["best_lab_id"], us["best_rank_ordinal"]) == ("b", "alpha", 1)
    assert us["best_rank_ub"] == 1
    assert (us["gap_to_leader"], us["n_models"], us["n_models_board"]) == (0, 2, 5)
    assert (cn["best_model"], cn["best_model_id"], cn["best_rank_ordinal"]) == ("a", "a", 3)
    assert cn["best_rank_ub"] == 2
    assert (cn["country_name"], cn["gap_to_leader"], cn["n_models"]) == ("China", 39, 1)
    assert (unexamined["best_lab_id"], unexamined["best_rank_ub"]) == (None, None)
    assert {(r["is_style_controlled"], r["segment_id"]) for r in found.values()} == {(True, 4)}
    assert {r["probability_reason"] for r in found.values()} == {"no_variance"}
    assert {(r["probability_best"], r["probability_first"]) for r in found.values()} == {
        (None,) * 2
    }


def test_a_model_only_on_the_style_controlled_board_counts_there() -> None:
    found = leaders_of_boards(
        board(model("a", 1400.0, "beta", rank_ub=2), model("b", 1439.0, "alpha", rank_ub=1)),
        board(
            model("a", 1380.0, "beta", rank_ub=7),
            model("new", 1430.0, "beta", rank_ub=3),
            board="text_style_control",
            is_style_controlled=True,
        ),
    )
    ranks = {place: row["best_rank_ub_style_control"] for place, row in found.items()}
    assert ranks == {("text", "CN"): 3, ("text", "US"): None, ("text_style_control", "CN"): 3}


@pytest.mark.parametrize(("gap", "rate"), [(0, 0.5), (5, 0.507), (39, 0.556), (400, 10 / 11)])
def test_gaps_give_expected_win_rates(gap: float, rate: float) -> None:
    lines = board(model("a", 1400.0 + gap, "alpha"), model("b", 1400.0, "beta"))
    behind = leaders(ratings(lines))["CN"]
    assert behind["gap_to_leader"] == pytest.approx(gap)
    assert behind["expected_win_rate_of_leader"] == pytest.approx(rate, abs=5e-4)


def test_probability_first_sums_over_all_models_of_a_country() -> None:
    lines = [
        model("a", 1410.0, "alpha", sd=4),
        model("b", 1408.0, "beta", sd=4),
        model("c", 1408.0, "beta", sd=4),
        model("d", 1300.0, "gamma", sd=4),
        model("e", 1409.0, sd=3),
    ]
    alone, _ = chances(*lines)
    found = leaders(ratings(board(*lines)))
    assert {c: r["probability_first"] for c, r in found.items()} == pytest.approx(
        {"US": alone["a"], "CN": alone["b"] + alone["c"], "FR": 0, "XX": alone["e"]}
    )
    assert found["CN"]["probability_first"] > found["US"]["probability_first"]  # yet second by rank
    assert (found["CN"]["probability_best"], found["FR"]["probability_best"]) == (alone["b"], 0)
    assert {r["probability_reason"] for r in found.values()} == {None}


def test_tops_are_counted_by_ordinal_rank() -> None:
    lines = [model(f"m{i:03}", 2000.0 - i, "beta" if i % 3 else "alpha") for i in range(120)]
    found = leaders(ratings(board(*lines)))
    tops = ("n_top1", "n_top3", "n_top5", "n_top10", "n_top20", "n_top50", "n_top100", "n_models")
    assert [found["CN"][n] for n in tops] == [0, 2, 3, 6, 13, 33, 66, 80]
    assert [found["US"][n] for n in tops] == [1, 1, 2, 4, 7, 17, 34, 40]


def test_tied_models_share_a_rank_and_the_first_by_name_is_shown() -> None:
    tied = [model("b", 1500.0, "beta"), model("a", 1500.0, "beta"), model("c", 1500.0, "alpha")]
    found = leaders(ratings(board(*tied, model("d", 1490.0, "gamma", is_open_weights=True))))
    shown = ("best_model", "best_rank_ordinal", "best_n_tied", "gap_to_leader", "n_top1", "n_top3")
    assert [found["CN"][c] for c in shown] == ["a", 1, 3, 0, 2, 2]
    assert [found["US"][c] for c in shown] == ["c", 1, 3, 0, 1, 1]
    assert [found["FR"][c] for c in shown] == ["d", 4, 1, 10, 0, 0]


def test_among_tied_models_the_best_published_rank_is_shown() -> None:
    tied = [
        model(n, 1500.0, "beta", rank_published=r) for n, r in (("a", 3), ("b", 2), ("c", None))
    ]
    assert leaders(ratings(board(*tied)))["CN"]["best_model"] == "b"


def test_of_tied_open_models_each_leads() -> None:
    tied = [
        model(n, 1500.0, lab, is_open_weights=True) for n, lab in (("a", "beta"), ("b", "alpha"))
    ]
    found = leaders(ratings(board(*tied)))
    assert {c: r["is_open_weight_leader"] for c, r in found.items()} == {"CN": True, "US": True}


def test_the_best_open_model_is_shown_beside_the_leader() -> None:
    found = leaders(
        ratings(
            board(
                model("a", 1500.0, "alpha", is_open_weights=False),
                model("b", 1480.0, "alpha", is_open_weights=True),
                model("c", 1490.0, "beta", is_open_weights=True),
                model("d", 1470.0, "beta", is_open_weights=True),
                model("e", 1485.0, "gamma"),
            )
        )
    )
    opened = ("best_open_model", "best_open_rank_ordinal", "best_open_rating")
    opened += ("best_open_gap_to_leader", "is_open_weight_leader", "n_open_models")
    unknown = "n_models_license_unknown"
    assert [found["CN"][c] for c in (*opened, unknown)] == ["c", 2, 1490, 10, True, 2, 0]
    assert [found["US"][c] for c in (*opened, unknown)] == ["b", 4, 1480, 20, False, 1, 0]
    assert [found["FR"][c] for c in (*opened, unknown)] == [None, None, None, None, False, 0, 1]


def test_models_without_a_lab_have_no_row_but_are_counted() -> None:
    found = ratings(
        board(
            model("x", 1500.0, sd=5),
            model("a", 1495.0, "alpha", sd=5),
            model("b", 1480.0, "delta", sd=5),
            model("y", None),
        )
    )
    made = leaders(found, "lab_id")
    assert set(made) == {"alpha", "delta"}
    alpha, delta = made["alpha"], made["delta"]
    assert (alpha["best_rank_ordinal"], alpha["gap_to_leader"]) == (2, 5)
    assert (alpha["lab_name"], alpha["country_code"]) == ("Alpha", "US")
    assert (alpha["n_models_board"], alpha["n_models_without_lab"]) == (3, 1)
    alone, _ = chances(model("x", 1500, sd=5), model("a", 1495, sd=5), model("b", 1480, sd=5))
    assert alpha["probability_first"] + delta["probability_first"] == pytest.approx(1 - alone["x"])


def test_a_board_without_ratings_has_no_leader() -> None:
    found = ratings(board(model("a", None, "alpha")))
    assert by_country(found).height == by_lab(found).height == 0
    assert by_country(ratings()).height == by_lab(ratings()).height == 0


LINE = st.tuples(
    st.sampled_from(list(WHERE)), st.none() | st.integers(1000, 1030), st.none() | st.booleans()
)


@PROPERTY
@given(st.lists(LINE, max_size=14), st.integers(0, 2**16))
def test_leaders_equal_their_definitions(
    drawn: list[tuple[str | None, int | None, bool | None]], seed: int
) -> None:
    lines = board(
        *(
            model(f"m{i}", rating and float(rating), lab, is_open_weights=is_open)
            for i, (lab, rating, is_open) in enumerate(drawn)
        )
    )
    other = board(model("x", 1.0, "beta"), model("y", 2.0, "gamma"), category="other")
    found = ratings(lines, other)
    rated = sorted((line for line in lines if line["rank_ordinal"]), key=_place)
    for column, made in (("country_code", by_country(found)), ("lab_id", by_lab(found))):
        expected: dict[Any, list[Row]] = defaultdict(list)
        for line in rated:
            expected[line[column]].append(line)
        expected.pop(None, None)
        top = rated[0]["rating"] if rated else 0
        columns = [column, "best_model", "best_rank_ordinal", "gap_to_leader", "n_models"]
        columns += ["n_top3", "best_open_model", "best_n_tied"]
        assert made.filter(category="overall").select(columns).rows() == [
            (
                holder,
                held[0]["model_id"],
                held[0]["rank_ordinal"],
                top - held[0]["rating"],
                len(held),
                sum(line["rank_ordinal"] <= 3 for line in held),
                next((line["model_id"] for line in held if line["is_open_weights"]), None),
                sum(line["rating"] == held[0]["rating"] for line in rated),
            )
            for holder, held in sorted(expected.items())
        ]
        again = (by_country if column == "country_code" else by_lab)(shuffled(found, seed))
        assert_frame_equal(again, made, check_exact=True)


def test_the_headline_shows_win_rate_and_probability_but_never_0_or_100() -> None:
    row = {"publish_date": DAY, "country_code": "US", "best_model": "a", "best_rank_ordinal": 1}
    row |= {"rating": 1439.0, "gap_to_leader": 39.0, "expected_win_rate_of_leader": 0.5559}
    row |= {"n_top10": 1, "n_top20": 2}
    shown = {None: "–", 0.0: "< 0.1 %", 0.25: "25.0 %", 1.0: "> 99.9 %"}
    for probability, cell in shown.items():
        _, header, (cells,) = leaders_table([{**row, "probability_first": probability}])
        by = dict(zip(header, cells, strict=True))
        assert (by["leader wins"], by["holds #1"]) == ("55.6 %", cell)
