"""Roots of the declared lineage: by hand, and on drawn graphs."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tests.support.frames import (
    PROPERTY,
    shuffled,
)
from tests.support.listings import GONE, graphs, hub, listing, model, roots, roots_of, walked


def test_a_chain_ends_at_its_root() -> None:
    chain = [model("a/1"), model("a/2", parents=["a/1"]), model("a/3", parents=["a/2"])]
    assert roots_of(*chain, start="a/1") == [("a/1", 1.0, 0, "root")]
    assert roots_of(*chain, start="a/3") == [("a/1", 1.0, 2, "root")]


def test_two_paths_to_one_root_give_one_row() -> None:
    diamond = [
        model("a/top"),
        model("a/left", parents=["a/top"]),
        model("a/right", parents=["a/top"]),
        model("a/low", parents=["a/left", "a/right", "a/top"]),
    ]
    ((root, weight, depth, reason),) = roots_of(*diamond, start="a/low")
    assert (root, depth, reason) == ("a/top", 2, "root")
    assert weight == pytest.approx(1, abs=1e-12)


def test_an_unlisted_parent_is_a_stub() -> None:
    found = [model("a/top"), model("a/x", parents=["a/top", "Gone/Model"])]
    assert roots_of(*found, start="a/x") == [
        ("Gone/Model", 0.5, 1, "stub"),
        ("a/top", 0.5, 1, "root"),
    ]


def test_a_stub_under_two_spellings_is_one_root() -> None:
    found = [
        model("a/left", parents=["Gone/Model"]),
        model("a/right", parents=["gone/model"]),
        model("a/x", parents=["a/left", "a/right"]),
    ]
    ((root, weight, _, reason),) = roots_of(*found, start="a/x")
    assert (root.lower(), weight, reason) == ("gone/model", 1.0, "stub")


def test_a_parent_that_differs_only_in_case_is_the_listed_model() -> None:
    found = [model("Org/Top"), model("a/x", parents=["org/TOP"])]
    assert roots_of(*found, start="a/x") == [("Org/Top", 1.0, 1, "root")]


def test_a_self_parent_is_a_root() -> None:
    assert roots_of(model("a/X", parents=["a/x"]), start="a/X") == [("a/X", 1.0, 0, "root")]


@pytest.mark.parametrize("size", [2, 3])
def test_on_a_cycle_every_model_is_its_own_root(size: int) -> None:
    ring = [model(f"a/{i}", parents=[f"a/{(i + 1) % size}"]) for i in range(size)]
    for i in range(size):
        assert roots_of(*ring, start=f"a/{i}") == [(f"a/{i}", 1.0, 0, "cycle")]


def test_a_model_below_a_cycle_keeps_the_weight_of_the_cycle() -> None:
    found = [
        model("a/1", parents=["a/2"]),
        model("a/2", parents=["a/1"]),
        model("a/top"),
        model("a/x", parents=["a/1", "a/top"]),
    ]
    assert roots_of(*found, start="a/x") == [("a/top", 0.5, 1, "root"), ("a/x", 0.5, 1, "cycle")]


@pytest.mark.parametrize("steps", [31, 32, 33, 40])
def test_the_walk_is_cut_after_32_steps(steps: int) -> None:
    chain = [model(f"a/{i:03}", parents=[f"a/{i + 1:03}"]) for i in range(steps)]
    ((root, weight, depth, reason),) = roots_of(*chain, model(f"a/{steps:03}"), start="a/000")
    if steps <= 32:
        assert (root, weight, depth, reason) == (f"a/{steps:03}", 1.0, steps, "root")
    else:
        assert (root, weight, depth, reason) == ("a/000", 1.0, 32, "depth")


def test_paths_that_meet_continue_as_one() -> None:
    """Fifteen rungs of sixteen ways each: 2^60 ways from the lowest model to the highest."""
    ladder = [model("a/000")]
    for i in range(15):
        low, high = f"a/{2 * i:03}", f"a/{2 * i + 2:03}"
        sides = [f"a/{2 * i + 1:03}{side}" for side in "abcdefghijklmnop"]
        ladder += [model(side, parents=[low]) for side in sides] + [model(high, parents=sides)]
    ((root, weight, depth, reason),) = roots_of(*ladder, start="a/030")
    assert (root, depth, reason) == ("a/000", 30, "root")
    assert weight == pytest.approx(1, abs=1e-12)


def test_models_that_differ_only_in_case_have_one_lineage() -> None:
    found = hub(
        listing(model("a/Top"), model("A/top"), model("b/x", parents=["a/top"]), model("B/X"))
    )
    made = roots(found)
    for seed in range(6):
        assert_frame_equal(roots(shuffled(found, seed)), made, check_exact=True)
    assert made.group_by("model_id_hf").agg(pl.col("weight").sum())["weight"].to_list() == [1.0] * 4
    below = made.filter(pl.col("model_id_hf").str.to_lowercase() == "b/x")
    assert below["root_model_id_hf"].n_unique() == 1


@PROPERTY
@given(graphs(), st.integers(0, 2**16), st.booleans())
def test_roots_equal_those_found_by_following_every_path(
    graph: dict[str, list[str]], seed: int, upper: bool
) -> None:
    spelled = {
        m: [p.upper() if upper and p not in GONE else p for p in g] for m, g in graph.items()
    }
    found = hub(listing(*(model(m, parents=p) for m, p in spelled.items())))
    made = roots(found)
    expected = walked(graph)
    assert {(m, r) for m, r, *_ in made.rows()} == set(expected)
    for start, root, weight, depth, reason in made.rows():
        exact, longest, why = expected[start, root]
        assert weight == pytest.approx(float(exact), abs=1e-12)
        assert (depth, reason) == (longest, why)
    total = made.group_by("model_id_hf").agg(pl.col("weight").sum())["weight"]
    assert total.to_list() == pytest.approx([1.0] * len(graph), abs=1e-9)
    assert_frame_equal(roots(shuffled(found, seed)), made, check_exact=True)
