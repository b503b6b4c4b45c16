"""Properties of every verdict, on drawn answers."""

from __future__ import annotations

import sys
from itertools import chain
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.frames import DAY, PROPERTY, compute, rows
from tests.support.ledger import ANSWERED, UNANSWERED, raw_trials, trial
from transforms.claims.requests import NEEDED, for_tests, to_answers, to_requests
from transforms.claims.verdicts import (
    by_definition,
    verdicts,
    with_outcomes,
    without_contradicted_guesses,
)
from transforms.plan import plan
from warehouse.claims.predicates import TESTS

parts = st.floats(0, 1) | st.sampled_from([NEEDED, NEEDED - 1e-9, 0.0, 1.0])
relations = st.sampled_from(["equals", "at_least", "at_most", "above", "below", "ahead"])
cases = st.fixed_dictionaries(
    {
        "value": st.none() | st.floats(0, 1),
        "inner": st.tuples(st.floats(0, 0.5), st.floats(0, 0.5)),
        "outer": st.tuples(st.floats(0, 0.5), st.floats(0, 0.5)),
        "coverage_time": st.none() | parts,
        "coverage_population": st.none() | parts,
        "relation": relations,
        "stated_value": st.floats(0, 1),
        "tolerance": st.floats(0, 0.5),
        "definition": st.sampled_from(["a", "b", "c"]),
        "measure": st.sampled_from(["m", "n"]),
    }
)


def judged(drawn: list[dict[str, Any]]) -> pl.DataFrame:
    """Judgements on drawn answers; `a` and `b` are a statement's own definitions."""
    unique = {(c["definition"], c["measure"]): c for c in drawn}
    given = [
        trial(
            definition_id=definition,
            definition=definition,
            measure_id=measure,
            is_own=definition in "ab",
            position=i,
            test="hub_share",
            **{k: c[k] for k in ("relation", "stated_value", "tolerance")},
        )
        for i, ((definition, measure), c) in enumerate(sorted(unique.items()))
    ]
    requests = to_requests(rows("raw.claim_trials", *given), DAY).filter(
        pl.col("moment") == "stated"
    )
    found = []
    for request in requests.collect().iter_rows(named=True):
        c = unique[request["definition_id"], request["measure_id"]]
        v = c["value"]
        if v is None:
            continue
        low, high = v - c["inner"][0], v + c["inner"][1]
        bounds = {"value": v, "low": low, "high": high}
        bounds |= {"value_lower": low - c["outer"][0], "value_upper": high + c["outer"][1]}
        covered = {k: c[k] for k in ("coverage_time", "coverage_population")}
        bounds_hold = c.get("bounds_hold")
        found.append(
            {"request": request["request"], "bounds_hold": bounds_hold, **bounds, **covered}
        )
    schema = {"request": pl.UInt32, **dict.fromkeys(
        ("value", "low", "high", "value_lower", "value_upper", "coverage_time",
         "coverage_population"), pl.Float64), "bounds_hold": pl.Boolean}  # fmt: skip
    given_answers = to_answers(pl.DataFrame(found, schema=schema).lazy())
    return with_outcomes(
        requests.join(given_answers, on="request", how="left").with_columns(
            evidence=pl.lit("recomputed")
        )
    ).collect()


@PROPERTY
@given(st.lists(cases, min_size=1, max_size=6))
def test_a_verdict_is_never_better_than_its_coverage(drawn: list[dict[str, Any]]) -> None:
    made = judged(drawn)
    for row in made.iter_rows(named=True):
        seen = [row[c] for c in ("coverage_time", "coverage_population") if row[c] is not None]
        if row["value"] is None or min(seen, default=1.0) < NEEDED:
            assert row["holds"] is None
            assert row["missing"] is not None
    own = made.filter("is_own")
    if own.is_empty():
        return
    verdict = verdicts(by_definition(made.lazy())).collect()["verdict"].item()
    if verdict == "reproduced":
        assert own["holds"].all()
        assert (own["coverage"] >= NEEDED).all()
    if (own["coverage"] < NEEDED).all():
        assert verdict == "not_testable"


@PROPERTY
@given(cases, st.floats(0, 0.5))
def test_a_wider_tolerance_never_turns_true_into_false(case: dict[str, Any], more: float) -> None:
    order = {False: 0, None: 1, True: 2}
    strict = judged([case])["holds"].item()
    wide = judged([{**case, "tolerance": case["tolerance"] + more}])["holds"].item()
    assert order[wide] >= order[strict]


@PROPERTY
@given(cases, st.floats(0, 0.3))
def test_wider_bounds_never_turn_null_into_an_answer(case: dict[str, Any], more: float) -> None:
    inner = tuple(x + more for x in case["inner"])
    narrow, wide = (
        judged([case])["holds"].item(),
        judged([{**case, "inner": inner}])["holds"].item(),
    )
    assert wide is None or wide == narrow


@PROPERTY
@given(st.lists(cases, min_size=1, max_size=6))
def test_a_statement_that_its_source_does_not_define_is_never_contradicted(
    drawn: list[dict[str, Any]],
) -> None:
    if all(case["definition"] == "c" for case in drawn):
        return  # a statement has a definition of its own
    judgement = verdicts(by_definition(judged(drawn).lazy()))
    said = {
        meaning: without_contradicted_guesses(
            judgement, pl.LazyFrame({"claim_id": ["c"], "meaning": [meaning]})
        )
        .collect()
        .to_dicts()[0]
        for meaning in ("stated", "plain", "open")
    }
    assert said["open"]["verdict"] != "contradicted"
    if said["open"]["is_undefined"]:
        assert said["open"]["verdict"] == "not_testable"
        assert "a" in said["open"]["tried_text"] or "b" in said["open"]["tried_text"]
    else:
        assert said["open"]["verdict"] == said["stated"]["verdict"]
    assert said["stated"]["verdict"] == said["plain"]["verdict"]


@PROPERTY
@given(cases)
def test_bounds_that_hold_for_everything_decide_at_any_coverage(case: dict[str, Any]) -> None:
    full = judged([{**case, "coverage_time": None, "coverage_population": None}])
    bounded = judged([{**case, "bounds_hold": True}])
    if case["value"] is not None:
        assert bounded["holds"].item() == full["holds"].item()
        assert (bounded["missing"].item() is None) == (bounded["holds"].item() is not None)


# ---- which table answers which test ---------------------------------------------------------


def test_each_table_selects_the_tests_that_are_listed_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So `tried` can leave out the tables that none of its trials is for."""
    steps = {each.table.removeprefix("mart."): each for each in plan()}
    selected: set[str] = set()

    def recording(requests: pl.LazyFrame, *tests: str) -> pl.LazyFrame:
        selected.update(tests)
        return for_tests(requests, *tests)

    for name, module in sys.modules.items():
        if name.startswith("transforms.") and hasattr(module, "for_tests"):
            monkeypatch.setattr(module, "for_tests", recording)
    for name, tests in ANSWERED.items():
        selected.clear()
        compute(steps[name].table, raw_claim_trials=raw_trials(trial(test="outside")))
        assert selected == tests, name
    assert {name for name in steps if name.startswith("claim_answers_")} == set(ANSWERED)
    assert sorted([*UNANSWERED, *chain(*ANSWERED.values())]) == sorted(TESTS)
