"""mart.token_share_daily, and the measure that mart.lab_measures makes of it."""

from __future__ import annotations

from datetime import date

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tests.support.frames import DAY, PROPERTY, compute, rows, shuffled
from tests.transforms.test_lab_measures import card, labs, share
from tests.transforms.test_lab_measures import shares as hub_shares

KINDS = st.sampled_from(["model", "cloaked", "other"])


def used(slug: str, tokens: int, lab: str | None = None, **more: object) -> dict[str, object]:
    row = {"day": DAY, "model_permaslug": slug, "kind": "model", "tokens": tokens, "lab_id": lab}
    row |= {"country_code": "US" if lab else "XX", "snapshot_id": "o/x", "snapshot_date": DAY}
    return {**row, **more}


def shares(*given_rows: dict[str, object]) -> pl.DataFrame:
    return compute(
        "mart.token_share_daily",
        openrouter_tokens=rows("core.openrouter_tokens", *given_rows),
        labs=labs("one", "two"),
    )


def test_doubt_has_rows_of_its_own_and_widens_every_share() -> None:
    made = shares(
        used("one/a", 30, "one"),
        used("one/b", 10, "one"),
        used("two/a", 20, "two"),
        used("nobody/a", 15),
        used("stealth/a", 20, kind="cloaked"),
        used("other", 5, kind="other"),
    )
    columns = ("level", "holder", "tokens", "share", "share_lower", "share_upper", "n_models")
    doubt = [("cloaked", 20, 0.2, 1), ("other", 5, 0.05, 0), ("unexamined", 15, 0.15, 1)]
    assert made.select(columns).sort(columns[:2]).rows() == [
        ("country", "US", 60, 0.6, 0.6, 1.0, 3),
        *(("country", name, n, part, None, None, m) for name, n, part, m in doubt),
        ("lab", "cloaked", 20, 0.2, None, None, 1),
        ("lab", "one", 40, 0.4, 0.4, 0.8, 2),
        ("lab", "other", 5, 0.05, None, None, 0),
        ("lab", "two", 20, 0.2, 0.2, 0.6, 1),
        ("lab", "unexamined", 15, 0.15, None, None, 1),
    ]
    assert set(made["tokens_in_doubt"]) == {40}
    assert set(made["has_other"]) == {True}
    names = dict(made.select("holder", "holder_name").rows())
    assert (names["US"], names["one"]) == ("United States", "A lab")
    assert names["other"] == "Models that are not listed"


def test_without_a_sum_of_other_models_the_day_says_so() -> None:
    assert set(shares(used("one/a", 30, "one"))["has_other"]) == {False}


def test_a_day_without_tokens_has_no_shares() -> None:
    assert shares(used("one/a", 0, "one")).is_empty()


@PROPERTY
@given(st.lists(st.tuples(st.integers(0, 10**13), KINDS, st.booleans()), min_size=1, max_size=9))
def test_shares_sum_to_one_and_their_order_does_not_matter(
    listed: list[tuple[int, str, bool]],
) -> None:
    given_rows = [
        used(f"p/{n}", tokens, "one" if known and kind == "model" else None, kind=kind)
        for n, (tokens, kind, known) in enumerate(listed)
    ]
    made = shares(*given_rows)
    if sum(tokens for tokens, _, _ in listed):
        sums = made.group_by("level").agg(pl.col("share").sum())["share"]
        assert len(sums) == 2
        assert all(abs(share - 1) < 1e-9 for share in sums)
    mixed = shuffled(rows("core.openrouter_tokens", *given_rows), 3)
    again = compute("mart.token_share_daily", openrouter_tokens=mixed, labs=labs("one", "two"))
    assert_frame_equal(again, made, check_exact=True)


def test_a_lab_has_its_newest_share_of_tokens_with_its_bounds() -> None:
    earlier = date(2026, 8, 10)
    ranked = shares(
        used("one/a", 30, "one", day=earlier),
        used("two/a", 60, "two", day=earlier),
        used("stealth/a", 10, kind="cloaked", day=earlier),
    )
    found = card(token_share_daily=ranked.lazy())
    measure = "openrouter_token_share"
    one = found["one", DAY]
    held = {c: one[f"{measure}:{c}"] for c in ("value", "value_lower", "value_upper", "unit")}
    assert held == {"value": 0.3, "value_lower": 0.3, "value_upper": 0.4, "unit": "share"}
    assert one[f"{measure}:observed_on"] == earlier
    assert one[f"{measure}:coverage"] == 0.9
    assert one["hub_likes:missing_reason"] == "no_observation"


def test_a_lab_without_tokens_is_not_ranked_and_without_a_ranking_nobody_is() -> None:
    ranked = shares(used("one/a", 30, "one")).lazy()
    both = card(token_share_daily=ranked, lab_share_daily=hub_shares(share("two", 0.5)))
    assert both["two", DAY]["openrouter_token_share:missing_reason"] == "not_ranked"
    alone = card(lab_share_daily=hub_shares(share("two", 0.5)))
    assert alone["two", DAY]["openrouter_token_share:missing_reason"] == "no_ranking"
