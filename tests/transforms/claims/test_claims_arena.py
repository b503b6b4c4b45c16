"""Verdicts on LMArena's boards."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from tests.support.ledger import STATED, board, ledger, on_boards, snapshots, trial

TOP = {
    **{"test": "arena_count", "unit": "models", "relation": "at_least", "stated_value": 2.0},
    **{"subject": "CN", "board": "text", "category": "overall", "top_n": 3, "access": "open"},
}


@pytest.mark.parametrize(
    ("leader", "expected"),
    [
        ({"open": False}, "reproduced"),
        ({"open": True}, "reproduced"),  # it takes one of three places
        ({"open": None}, "reproduced"),
        ({"open": True, "country": "XX"}, "reproduced"),
    ],
)
def test_unclear_license_labels_widen_the_bounds_of_places(
    leader: dict[str, Any], expected: str
) -> None:
    given = on_boards(
        board(
            {"name": "leader", "rating": 1500, **leader},
            {"name": "b", "rating": 1450, "country": "CN", "open": True},
            {"name": "c", "rating": 1440, "country": "CN", "open": True},
            {"name": "d", "rating": 1430, "country": "FR", "open": True},
        )
    )
    assert ledger(trial(**TOP), **given)["stated"]["verdict"] == expected


def test_an_unclear_license_label_can_cost_a_place() -> None:
    lines = [
        {"name": "a", "rating": 1500, "open": None},
        {"name": "b", "rating": 1450, "open": True},
        {"name": "c", "rating": 1440, "country": "CN", "open": True},
        {"name": "d", "rating": 1430, "country": "CN", "open": True},
    ]
    row = ledger(trial(**TOP), **on_boards(board(*lines)))["stated"]
    assert (row["recomputed_value"], row["verdict"]) == (2, "not_testable")
    assert (row["recomputed_lower"], row["recomputed_upper"]) == (1, 2)
    tie = [{**m, "open": True, "rating": 1430} if m["name"] != "b" else m for m in lines]
    row = ledger(trial(**{**TOP, "stated_value": 1.0}), **on_boards(board(*tie)))["stated"]
    # three share rank 2, and are counted; broken one by one, only two of them are in, one sure
    assert (row["recomputed_value"], row["recomputed_lower"], row["recomputed_upper"]) == (2, 1, 2)


def test_unknown_weights_of_the_first_model_are_the_reason() -> None:
    """The first model may be open; a known closed one above the best open one decides."""
    best = trial(
        **{"test": "arena_rank", "unit": "rank", "relation": "at_most", "stated_value": 1.0},
        **{"by": "access", "subject": "open", "board": "text", "category": "overall"},
        **{"rank": "ordinal", "access": "all"},
    )
    lines = [
        {"name": "a", "rating": 1500, "open": None}, {"name": "b", "rating": 1450, "open": True},
    ]  # fmt: skip
    row = ledger(best, **on_boards(board(*lines)))["stated"]
    assert (row["verdict"], row["reason_code"]) == ("not_testable", "weights_not_known")
    assert "all models of the board were observed" in row["reason"]
    above = {"name": "c", "rating": 1501, "open": False}
    assert ledger(best, **on_boards(board(above, *lines)))["stated"]["verdict"] == "contradicted"


def test_the_board_in_force_is_the_last_one_before() -> None:
    rank = trial(
        **{"test": "arena_rank", "unit": "rank", "relation": "at_most", "stated_value": 1.0},
        **{"by": "access", "subject": "open", "board": "text", "category": "overall"},
        **{"rank": "ordinal", "access": "all"},
    )
    before = board({"name": "a", "rating": 1500, "open": True}, day=STATED - timedelta(days=10))
    later = [{"name": "b", "rating": 1500, "open": False}, {"name": "a", "rating": 1, "open": True}]
    after = board(*later, day=STATED + timedelta(days=1))
    made = ledger(rank, **on_boards(before, after))
    assert made["stated"]["observed_on"] == STATED - timedelta(days=10)
    assert [made[m]["verdict"] for m in ("stated", "newest")] == ["reproduced", "contradicted"]


def test_a_reason_names_the_definition_that_it_is_about() -> None:
    """Two boards give two ranks; the reason says which one is whose."""
    rank = {
        **{"test": "arena_rank", "unit": "rank", "relation": "at_most", "stated_value": 1.0},
        **{"by": "access", "subject": "open", "category": "overall"},
        **{"rank": "ordinal", "access": "all"},
    }
    raw = trial(**rank, board="text", definition_id="raw", definition="raw board")
    style = trial(
        **{**rank, "board": "text_style_control", "definition_id": "style", "position": 1},
        definition="style-controlled board",
    )
    closed = [{"name": f"c{n}", "rating": 1500 - n, "open": False} for n in range(3)]
    mine = {"name": "a", "rating": 1450, "open": True}
    first = board(*closed, mine)
    second = board(*closed[:1], mine, board="text_style_control", is_style_controlled=True)
    row = ledger(raw, style, **on_boards(first, second))["stated"]
    assert row["reason"].startswith("China: rank 4 (2025-08-31; raw board), stated at most rank 1.")
    unclear = ledger(raw, style, meaning="open", **on_boards(first, second))["stated"]
    assert "raw board: China: rank 4; style-controlled board: China: rank 2." in unclear["reason"]
    alone = ledger(raw, **on_boards(first))["stated"]
    assert alone["reason"].startswith("China: rank 4 (2025-08-31), stated at most rank 1.")


def test_ahead_needs_a_probability_at_the_stated_level() -> None:
    ahead = trial(
        **{"test": "arena_ahead", "unit": "probability", "relation": "ahead"},
        **{"stated_value": 0.95, "tolerance": 0.0, "subject": "a", "other": "b"},
        **{"board": "text", "category": "overall"},
    )
    for gap, expected in ((30, "reproduced"), (3, "not_testable"), (-30, "contradicted")):
        given = on_boards(board({"name": "a", "rating": 1400 + gap}, {"name": "b", "rating": 1400}))
        assert ledger(ahead, **given)["stated"]["verdict"] == expected


def test_values_from_sources_without_a_license_are_withheld() -> None:
    lead = trial(
        **{"test": "arena_lead", "unit": "percent", "stated_value": 3.0, "tolerance": 0.1},
        **{"by": "country", "subject": "US", "other": "CN", "scale": "percent"},
        **{"board": "text", "category": "overall"},
    )
    lines = [{"name": "a", "rating": 1442}, {"name": "b", "rating": 1400, "country": "CN"}]
    open_row = ledger(lead, **on_boards(board(*lines)))["stated"]
    strict = ledger(lead, **on_boards(board(*lines, has_catalog_rows=True)))["stated"]
    assert open_row["verdict"] == strict["verdict"] == "reproduced"
    assert open_row["recomputed_value"] == pytest.approx(3.0)
    assert (strict["value_withheld"], strict["recomputed_value"]) == ("arena_catalog", None)
    assert strict["recomputed_text"] is None
    assert "1442" not in str(strict) and "3.0 %" not in strict["reason"].split("stated")[0]


RANKED = trial(
    **{"test": "arena_rank", "unit": "rank", "relation": "at_most", "stated_value": 1.0},
    **{"tolerance": 0.0, "by": "country", "subject": "CN", "rank": "ordinal"},
    **{"board": "text", "category": "overall", "access": "all"},
)


def first_places(n: int, **change: Any) -> dict[str, pl.LazyFrame]:
    """The first `n` models of a board, the third of which is Chinese."""
    lines = [
        {"name": f"m{i}", "rating": 1500 - i, "country": "CN" if i == 2 else "US"} for i in range(n)
    ]
    found = on_boards(board(*lines, snapshot_id=f"lmarena/{STATED}"))
    return {**found, "meta_snapshots": snapshots(**change)}


def test_an_incomplete_board_decides_only_its_first_places() -> None:
    sample = first_places(5, is_sample=True)
    # whoever is missing is rated below the last one, so that rank 3 is certain
    row = ledger(RANKED, **sample)["stated"]
    assert (row["recomputed_value"], row["verdict"]) == (3, "contradicted")
    upper = ledger({**RANKED, "rank": "ub"}, **sample)["stated"]
    assert upper["verdict"] == "not_testable"
    for top_n, whole, expected in (
        (5, False, "contradicted"),
        (10, False, "not_testable"),
        (10, True, "contradicted"),
    ):
        about = {**TOP, "access": "all", "top_n": top_n}
        given = first_places(5, is_sample=not whole)
        row = ledger(trial(**about), **given)["stated"]
        assert (row["recomputed_value"], row["verdict"]) == (1, expected)


def test_a_board_with_a_rejected_row_decides_no_rank_but_compares_two_models() -> None:
    lines = [{"name": f"m{i}", "rating": 1500 - 20 * i, "country": "CN"} for i in range(3)]
    given = {n: on_boards(board(*lines, n_missing=n)) for n in (0, 1)}
    assert ledger(RANKED, **given[0])["stated"]["verdict"] == "reproduced"
    row = ledger(RANKED, **given[1])["stated"]
    assert (row["verdict"], row["reason_code"]) == ("not_testable", "source_not_whole")
    ahead = trial(
        **{"test": "arena_ahead", "unit": "probability", "relation": "ahead", "stated_value": 0.5},
        **{"tolerance": 0.0, "subject": "m0", "other": "m2", "board": "text"},
        category="overall",
    )
    for n in (0, 1):
        assert ledger(ahead, **given[n])["stated"]["verdict"] == "reproduced"
