"""The probability of being the best model of a board."""

from __future__ import annotations

import math
import random
from collections import Counter
from statistics import NormalDist

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tests.support.boards import WHERE, board, by_country, chances, model, ratings
from tests.support.frames import PROPERTY, shuffled
from transforms.arena.probability_best import log_normal_cdf
from transforms.arena.scale import BOARD


def test_the_normal_distribution_is_that_of_the_standard_library() -> None:
    z = [i / 64 for i in range(-7 * 64, 9 * 64)]
    found = pl.DataFrame({"z": z}).select(log_normal_cdf(pl.col("z"))).to_series().to_list()
    expected = [math.log(math.erfc(-x / math.sqrt(2)) / 2) for x in z]
    assert found == pytest.approx(expected, abs=3e-9)
    assert found[3 * 64 :] == pytest.approx(expected[3 * 64 :], abs=2e-12)  # from -4 on


@pytest.mark.parametrize(("gap", "one", "other"), [(0, 3, 3), (5, 4, 2), (30, 6, 9), (-12, 1, 40)])
def test_the_probability_of_two_models_depends_on_their_difference(
    gap: float, one: float, other: float
) -> None:
    found, _ = chances(model("a", 1400.0 + gap, sd=one), model("b", 1400.0, sd=other))
    first = NormalDist().cdf(gap / math.hypot(one, other))
    assert found == pytest.approx({"a": first, "b": 1 - first}, abs=1e-7)


def test_equal_models_have_equal_chances_and_a_single_model_is_the_best() -> None:
    found, _ = chances(*(model(name, 1400.0, sd=5) for name in "abcd"))
    assert found == pytest.approx(dict.fromkeys("abcd", 0.25), abs=1e-8)
    assert chances(model("a", 1400.0, sd=5))[0] == pytest.approx({"a": 1.0}, abs=1e-8)
    assert chances(model("a", 1114.0, sd=0))[0] == {"a": 1.0}


def test_an_anchor_is_best_if_all_others_are_below_it() -> None:
    found, reasons = chances(
        model("anchor", 1114.0, sd=0), model("b", 1110.0, sd=5), model("c", 1120.0, sd=8)
    )
    anchor = NormalDist().cdf(4 / 5) * NormalDist().cdf(-6 / 8)
    assert found["anchor"] == pytest.approx(anchor, abs=1e-9)
    assert sum(found.values()) == pytest.approx(1, abs=1e-7)
    assert reasons == {None}


def test_equal_anchors_share_and_a_lower_anchor_is_never_best() -> None:
    lines = [model("x", 1114.0, sd=0), model("y", 1114.0, sd=0), model("z", 1113.0, sd=0)]
    assert chances(*lines)[0] == {"x": 0.5, "y": 0.5, "z": 0.0}
    found, _ = chances(*lines, model("b", 1114.0, sd=7))
    assert found == pytest.approx({"x": 0.25, "y": 0.25, "z": 0.0, "b": 0.5}, abs=1e-8)


def test_a_missing_variance_matters_only_for_models_that_could_be_best() -> None:
    first, near, far = model("a", 1400.0, sd=3), model("b", 1390.0), model("c", 1300.0)
    assert chances(first, near) == ({"a": None, "b": None}, {"no_variance"})
    found, reasons = chances(first, far)
    assert (found["a"], found["c"], reasons) == (pytest.approx(1, abs=1e-8), 0.0, {None})
    # were c as uncertain as d, it could be the best
    found, reasons = chances(first, far, model("d", 1250.0, sd=60))
    assert (set(found.values()), reasons) == ({None}, {"no_variance"})
    assert chances(near, far) == ({"b": None, "c": None}, {"no_variance"})


def test_too_uneven_deviations_are_reported() -> None:
    found, reasons = chances(model("a", 1400.0, sd=1e-4), model("b", 1400.0, sd=10))
    assert (set(found.values()), reasons) == ({None}, {"uneven_variances"})


DRAWN = st.lists(
    st.tuples(st.integers(1380, 1420), st.sampled_from([0, 2, 5, 9, 30])), min_size=1, max_size=6
)


@PROPERTY
@given(DRAWN)
def test_probabilities_equal_those_of_simulated_boards(drawn: list[tuple[int, int]]) -> None:
    """Against 20,000 draws of the standard library's generator, seeded."""
    found, _ = chances(*(model(f"m{i}", float(r), sd=sd) for i, (r, sd) in enumerate(drawn)))
    assert sum(found.values()) == pytest.approx(1, abs=1e-6)
    generator, n = random.Random(20261009), 20_000
    wins: Counter[int] = Counter()
    for _ in range(n):
        strengths = [generator.gauss(r, sd) for r, sd in drawn]
        best = max(strengths)
        firsts = [i for i, strength in enumerate(strengths) if strength == best]
        wins[firsts[generator.randrange(len(firsts))]] += 1
    for i in range(len(drawn)):
        assert found[f"m{i}"] == pytest.approx(wins[i] / n, abs=0.018)  # five standard errors


def test_probabilities_of_many_boards_are_bit_identical_in_any_order() -> None:
    generator = random.Random(7)
    boards = [
        board(
            *(
                model(f"m{i}", generator.gauss(1400, 15), lab, sd=generator.uniform(2, 9))
                for i, lab in enumerate(generator.choices(list(WHERE), k=40))
            ),
            category=f"c{j}",
        )
        for j in range(150)
    ]
    found = ratings(*boards)
    first = by_country(found)
    sums = first.group_by(BOARD).agg(pl.col("probability_first").sum())
    assert sums["probability_first"].to_list() == pytest.approx([1.0] * 150, abs=1e-6)
    for seed in range(2):
        assert_frame_equal(by_country(shuffled(found, seed)), first, check_exact=True)
