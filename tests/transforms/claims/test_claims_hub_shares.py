"""Verdicts on shares of the Hub, and on statements as a whole."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest

from tests.support.frames import DAY, compute, rows
from tests.support.ledger import (
    HUB,
    SHARE,
    SIZES,
    STATED,
    ledger,
    listing,
    raw_trials,
    shares,
    trial,
    tried,
)
from warehouse.claims.read import claims
from warehouse.claims.rows import claim_rows, trial_rows


def test_an_equal_value_is_reproduced() -> None:
    made = ledger(trial(**SHARE), **shares(listing(STATED, {"CN": 40, "US": 60})))
    assert made["stated"]["verdict"] == "reproduced"
    assert made["stated"]["recomputed_value"] == pytest.approx(0.4)
    assert made["stated"]["observed_on"] == STATED
    assert made["stated"]["coverage"] == 1
    assert made["stated"]["holds_under"] == "as stated"
    assert "40.0 %" in made["stated"]["reason"]


def test_another_value_is_contradicted() -> None:
    made = ledger(trial(**SHARE), **shares(listing(STATED, {"CN": 30, "US": 70})))
    assert (made["stated"]["verdict"], made["stated"]["holds_under"]) == ("contradicted", None)


def test_a_value_that_holds_only_under_another_definition_differs_by_definition() -> None:
    other = trial(**{**SHARE, "attribution": "base"}, definition_id="base", is_own=False)
    made = ledger(
        trial(**SHARE),
        {**other, "definition": "by base", "position": 1},
        **shares(
            listing(STATED, {"CN": 30, "US": 70}),
            listing(STATED, {"CN": 40, "US": 60}, attribution="base")[:2],
        ),
    )
    assert made["stated"]["verdict"] == "differs_by_definition"
    assert made["stated"]["holds_under"] == "by base"
    assert "by base" in made["stated"]["reason"]
    assert made["stated"]["others_text"] == "by base: China: 40.0 %"


def test_a_panel_is_not_testable_even_if_its_value_fits() -> None:
    made = ledger(trial(**SHARE), **shares(listing(STATED, {"CN": 40, "US": 60}, n_models=500)))
    row = made["stated"]
    assert (row["verdict"], row["reason_code"]) == ("not_testable", "panel_not_population")
    assert row["coverage"] == row["coverage_population"] == pytest.approx(0.5)
    assert row["recomputed_value"] == pytest.approx(0.4)  # shown, and no finding
    assert "50.0 %" in row["reason"] and "more data" in row["reason"]


def test_an_amount_on_an_excerpt_is_at_least_what_was_found() -> None:
    amount = {**SHARE, "test": "hub_amount", "unit": "downloads", "tolerance": 0.0}
    given = shares(listing(STATED, {"CN": 400, "US": 600}, n_models=10))
    for relation, stated, expected in (
        ("at_least", 300.0, "reproduced"),
        ("equals", 346.0, "contradicted"),
        ("at_most", 399.0, "contradicted"),
        ("at_least", 401.0, "not_testable"),
    ):
        about = {**amount, "relation": relation, "stated_value": stated}
        row = ledger(trial(**about), **given)["stated"]
        assert (row["recomputed_value"], row["verdict"]) == (400, expected), relation
        assert (row["recomputed_lower"], row["recomputed_upper"]) == (400, None)


def test_downloads_are_covered_by_downloads_if_their_total_is_known() -> None:
    few = shares(listing(STATED, {"CN": 400, "US": 600}, n_models=10))
    for total, expected in ((1005, "reproduced"), (2000, "not_testable")):
        sizes = rows(
            "raw.registry_hub_sizes",
            {"as_of_date": STATED, "n_models": HUB, "n_downloads_30d": total},
            basis="test",
            reviewer="test",
            known_from=date(2026, 1, 1),
        )
        row = ledger(trial(**SHARE), raw_registry_hub_sizes=sizes, **few)["stated"]
        assert row["verdict"] == expected
        assert row["coverage_population"] == pytest.approx(1000 / total)


def test_without_the_size_of_the_hub_nothing_is_testable() -> None:
    given = shares(listing(STATED, {"CN": 40, "US": 60}))
    nobody_counted = SIZES.filter(pl.lit(False))
    row = ledger(trial(**SHARE), raw_registry_hub_sizes=nobody_counted, **given)["stated"]
    assert (row["verdict"], row["coverage_population"]) == ("not_testable", 0.0)


@pytest.mark.parametrize(("off", "expected"), [(15, "reproduced"), (16, "not_testable")])
def test_an_observation_too_far_from_the_stated_day_is_not_used(off: int, expected: str) -> None:
    day = STATED - timedelta(days=off)
    row = ledger(trial(**SHARE), **shares(listing(day, {"CN": 40, "US": 60})))["stated"]
    assert row["verdict"] == expected
    assert row["reason_code"] == ("holds" if off == 15 else "no_observation")


def test_the_newest_moment_uses_later_observations() -> None:
    lead = trial(**{**SHARE, "relation": "at_least"})
    then, later = listing(STATED, {"CN": 40, "US": 60}), listing(DAY, {"CN": 30, "US": 70})
    made = ledger(lead, **shares(then, later))
    assert [made[m]["verdict"] for m in ("stated", "newest")] == ["reproduced", "contradicted"]
    assert made["newest"]["observed_on"] == DAY
    assert made["newest"]["reason"].startswith("As of today")
    earlier = ledger(lead, as_of=DAY - timedelta(days=1), **shares(then, later))
    assert earlier["newest"]["observed_on"] == STATED  # nothing after the clock is looked at


def test_todays_value_cannot_reproduce_a_figure_of_a_past_day() -> None:
    given = shares(listing(STATED, {"CN": 10, "US": 90}), listing(DAY, {"CN": 40, "US": 60}))
    made = ledger(trial(**SHARE), **given)
    assert made["stated"]["verdict"] == "contradicted"
    assert (made["newest"]["verdict"], made["newest"]["reason_code"]) == (
        "not_testable",
        "of_its_day",
    )
    assert made["newest"]["recomputed_value"] == pytest.approx(0.4)  # shown beside


def test_unexamined_names_can_make_a_statement_undecided() -> None:
    held = {"CN": 40, "US": 50, "XX": 10}
    row = ledger(trial(**SHARE), **shares(listing(STATED, held)))["stated"]
    assert (row["verdict"], row["reason_code"]) == ("not_testable", "names_not_examined")
    assert row["coverage_names"] == pytest.approx(0.9)
    assert (row["recomputed_lower"], row["recomputed_upper"]) == pytest.approx((0.4, 0.5))


def test_zz_does_not_prevent_reproduction_but_prevents_contradiction() -> None:
    """ZZ is an answer, as the row of unaffiliated users is in the studies themselves."""
    agree = ledger(trial(**SHARE), **shares(listing(STATED, {"CN": 40, "US": 40, "ZZ": 20})))
    assert agree["stated"]["verdict"] == "reproduced"
    below = ledger(trial(**SHARE), **shares(listing(STATED, {"CN": 30, "US": 50, "ZZ": 20})))
    assert below["stated"]["verdict"] == "not_testable"  # with those of ZZ it could be 40 %
    far = ledger(trial(**SHARE), **shares(listing(STATED, {"CN": 10, "US": 70, "ZZ": 20})))
    assert far["stated"]["verdict"] == "contradicted"


def test_a_lead_must_exceed_the_unexamined_share() -> None:
    lead = {**SHARE, "test": "hub_lead", "other": "US", "relation": "above", "stated_value": 0.0}
    sure = ledger(trial(**lead), **shares(listing(STATED, {"CN": 50, "US": 30, "XX": 19})))
    doubt = ledger(trial(**lead), **shares(listing(STATED, {"CN": 50, "US": 30, "XX": 21})))
    assert sure["stated"]["verdict"] == "reproduced"
    assert doubt["stated"]["verdict"] == "not_testable"


def test_downloads_are_not_read_on_days_of_counter_outages() -> None:
    still = rows(
        "core.hub_counter_days",
        {"as_of_date": STATED, "counter_outage": "stale_day", "is_whole_sweep": True},
        **dict.fromkeys(
            (
                *("models", "models_changed", "models_new", "models_left", "models_returned"),
                *("models_compared", "models_compared_100", "models_fallen_all_time"),
                "downloads_all_time_falls",
            ),
            0,
        ),
    )
    days = shares(
        listing(STATED, {"CN": 40, "US": 60}),
        listing(STATED - timedelta(days=1), {"CN": 30, "US": 70}),
        listing(STATED, {"CN": 40, "US": 60}, metric="likes"),
    )
    downloads = ledger(trial(**SHARE), hub_counter_days=still, **days)["stated"]
    assert downloads["observed_on"] == STATED - timedelta(days=1)
    likes = ledger(trial(**{**SHARE, "metric": "likes"}), hub_counter_days=still, **days)["stated"]
    assert likes["observed_on"] == STATED


def test_a_rank_counts_only_countries() -> None:
    rank = {**SHARE, "test": "hub_rank", "relation": "at_most", "stated_value": 1.0, "unit": "rank"}
    held = {"CN": 40, "US": 30, "ZZ": 5, "XX": 5, "FR": 1}
    made = ledger(trial(**rank), **shares(listing(STATED, held)))["stated"]
    assert (made["recomputed_value"], made["verdict"]) == (1, "reproduced")
    unsure = ledger(trial(**rank), **shares(listing(STATED, {**held, "US": 36})))["stated"]
    assert (unsure["recomputed_value"], unsure["verdict"]) == (1, "not_testable")


def test_longer_windows_are_tiled_with_30_day_counters() -> None:
    year = {**SHARE, "window_days": 360}
    ends = [STATED - timedelta(days=30 * tile) for tile in range(12)]
    split = [{"CN": 20 + 4 * (tile % 2) * 10, "US": 60} for tile in range(12)]  # 20 and 60 in turn
    whole = shares(*(listing(d, held) for d, held in zip(ends, split, strict=True)))
    row = ledger(trial(**year), **whole)["stated"]
    assert row["coverage_time"] == 1
    assert row["recomputed_value"] == pytest.approx(6 * (20 + 60) / (6 * (80 + 120)))
    assert row["verdict"] == "reproduced"
    gaps = shares(*(listing(d, {"CN": 40, "US": 60}) for d in ends[:10]))
    row = ledger(trial(**year), **gaps)["stated"]
    assert (row["verdict"], row["reason_code"]) == ("not_testable", "window_not_covered")
    assert row["coverage_time"] == pytest.approx(10 / 12)


def test_a_failing_quantity_decides_even_if_others_are_unknown() -> None:
    unknown = trial(test="outside", measure_id="o", position=1)
    failing = ledger(trial(**SHARE), unknown, **shares(listing(STATED, {"CN": 10, "US": 90})))
    holding = ledger(trial(**SHARE), unknown, **shares(listing(STATED, {"CN": 40, "US": 60})))
    assert failing["stated"]["verdict"] == "contradicted"
    assert holding["stated"]["verdict"] == "not_testable"
    assert holding["stated"]["reason_code"] == "outside_sources"


def test_readings_of_an_undefined_statement_do_not_contradict_it() -> None:
    given = shares(listing(STATED, {"CN": 10, "US": 90}))
    clear = ledger(trial(**SHARE), meaning="stated", **given)["stated"]
    unclear = ledger(trial(**SHARE), meaning="open", **given)["stated"]
    assert (clear["verdict"], clear["reason_code"]) == ("contradicted", "fails")
    assert (unclear["verdict"], unclear["reason_code"]) == ("not_testable", "definition_not_stated")
    assert "as stated: China: 10.0 %" in unclear["reason"]
    assert (unclear["recomputed_value"], unclear["coverage"]) == (pytest.approx(0.1), 1.0)
    holding = shares(listing(STATED, {"CN": 40, "US": 60}))
    assert ledger(trial(**SHARE), meaning="open", **holding)["stated"]["verdict"] == "reproduced"


def test_a_definition_without_data_makes_a_statement_not_testable() -> None:
    base = trial(**{**SHARE, "attribution": "base"}, definition_id="base", position=1)
    for china, value in ((40, 0.4), (10, 0.1)):
        given = shares(listing(STATED, {"CN": china, "US": 100 - china}))
        row = ledger(trial(**SHARE), base, **given)["stated"]
        assert (row["verdict"], row["recomputed_value"]) == ("not_testable", pytest.approx(value))


def test_every_statement_has_two_rows_without_any_data() -> None:
    found = tried(trial_rows().lazy())
    assert found["holds"].null_count() == found.height
    made = compute("mart.claims", raw_claims=claim_rows().lazy(), claim_trials=found.lazy())
    assert made.height == 2 * len(claims())
    assert set(made["verdict"]) == {"not_testable"}
    assert made["coverage"].to_list() == [0.0] * made.height


def test_a_look_up_checks_only_the_citation() -> None:
    printed = trial(
        **{"test": "ai_index_value", "edition": 2026, "series": "hub_download_share_by_country"},
        **{"subject": "CN", "period": "2025", "definition_id": "printed", "is_own": False},
        **{"definition": "as printed", "position": 1},
    )
    series = rows(
        "core.ai_index_series",
        {"subject_key": "CN", "value": 40.0, "revision": 2, "is_preferred": True},
        {"subject_key": "CN", "value": 35.0, "revision": 1, "is_preferred": False},
        {"subject_key": "US", "value": 30.0, "revision": 1, "is_preferred": True},
        **{"edition": 2026, "figure": "1.5.7", "line": 1, "period": "2025", "year": 2025},
        **{"series": "hub_download_share_by_country", "subject_kind": "area", "unit": "percent"},
        is_point=False,
    )
    filed = rows(
        "raw.ai_index_rows",
        {"snapshot_id": "ai_index/x", "snapshot_date": DAY, "edition": 2026, "figure": "1.5.7"},
        **{"file_name": "fig_1.5.7.csv", "line": 1, "header_json": "[]", "record_json": "[]"},
    )
    given = {"ai_index_series": series, "raw_ai_index_rows": filed}
    trials = tried(raw_trials(trial(**SHARE), printed), **given).filter(
        pl.col("definition_id") == "printed"
    )
    assert trials["value"].to_list() == [0.4, 0.4]
    assert set(trials["strict_source"]) == {"ai_index"}
    assert set(trials["evidence"]) == {"publishers_file"}
    row = ledger(trial(**SHARE), printed, **given)["stated"]
    assert (row["verdict"], row["is_printed"], row["holds_under"]) == ("not_testable", True, None)
    assert (row["n_definitions"], row["others_text"]) == (1, None)
    older = ledger(trial(**SHARE), {**printed, "revision": 1}, **given)["stated"]
    assert older["is_printed"] is False
    assert "35" not in str(older)  # what the file prints instead stays with the trials
    lead = {**printed, "other": "US", "stated_value": 0.1}
    assert ledger(trial(**SHARE), lead, **given)["stated"]["is_printed"] is True
