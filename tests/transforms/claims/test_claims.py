"""The claim ledger on made-up data whose truth is known: each verdict, and what it rests on."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import ROOT
from tests.support.frames import DAY, PROPERTY, Row, all_countries, compute, rows
from transforms.claims.requests import NEEDED, answers, asked
from transforms.claims.verdicts import by_definition, verdicts, with_judgement
from warehouse.claims.claim import CLAIMS, ClaimError, claim_rows, claims, read_claims, trial_rows
from warehouse.claims.predicates import TESTS
from warehouse.contracts.table import contract

STATED = date(2025, 8, 31)
PAGES = ROOT.parent / "shared"


# ---- the statements themselves ------------------------------------------------------------------


def test_every_statement_has_one_home_and_the_tables_hold_them_all() -> None:
    assert len(claims()) == len({c.id for c in claims()}) == claim_rows().height
    expected = sum(len(c.measures) * len(c.definitions) for c in claims())
    assert trial_rows().height == expected


def test_no_statement_carries_a_verdict() -> None:
    for path in CLAIMS.glob("*.yml"):
        for claim in yaml.safe_load(path.read_text("utf-8")):
            assert "verdict" not in claim, path


def test_what_names_a_day_of_the_past_says_nothing_of_today() -> None:
    dated = {(c.id, d.id) for c in claims() for d in c.definitions if d.on or d.id in ("best_day",)}
    flagged = trial_rows().filter("only_stated").select("claim_id", "definition_id").unique()
    assert dated <= set(flagged.iter_rows())
    today = trial_rows().filter(~pl.col("only_stated") & pl.col("is_own"))
    assert set(today["claim_id"]) == {c.id for c in claims()}


def test_every_test_of_the_vocabulary_is_used_and_computed() -> None:
    used = set(trial_rows()["test"])
    assert used == set(TESTS), "a test that no statement needs is one that nobody has looked at"


def test_the_lists_count_what_the_issue_counts() -> None:
    listed = [name for c in claims() for name in c.listed_as]
    assert len({n for n in listed if n.startswith("claims:")}) == 25
    assert {n for n in listed if n.startswith("observatories:")} == {
        f"observatories:{row}" for row in range(1, 19)
    }


def _page(name: str) -> str:
    path = PAGES / name
    if not path.exists():
        pytest.skip(f"{name} lies beside the repository, and here it does not")
    return path.read_text("utf-8")


def test_every_statement_of_the_page_is_in_the_ledger() -> None:
    ids = re.findall(r"^\| ([a-z0-9-]+) \|", _page("claims.md"), flags=re.M)
    named = {f"claims:{name}" for name in ids if name != "id"}
    assert len(named) >= 25
    assert named <= {name for c in claims() for name in c.listed_as}


def test_every_published_figure_that_disagrees_is_in_the_ledger() -> None:
    text = _page("sources/observatories.md")
    section = text.split("## 2.")[1].split("\n## ")[0]
    figures = [line for line in section.splitlines() if line.startswith("| ")][1:]
    named = {name for c in claims() for name in c.listed_as}
    assert {f"observatories:{row}" for row in range(1, len(figures) + 1)} == {
        n for n in named if n.startswith("observatories:")
    }
    stated = " ".join(c.statement for c in claims())
    for figure in ("17.1", "16.93", "41 %", "1.15", "540", "63 %", "385", "1503", "42 points"):
        assert figure in stated, figure


def test_every_lab_that_the_page_names_is_in_the_registry() -> None:
    from warehouse.registry.load import read_registry

    labs = set(read_registry("labs")["lab_id"])
    named = {
        *("alibaba", "deepseek", "moonshot-ai", "bytedance", "the-university-of-hong-kong"),
        *("baidu", "z-ai-zhipu", "tsinghua-university", "stepfun", "minimax", "agibot"),
        *("kuaishou", "tencent", "meta", "openai", "google", "microsoft", "luma-ai"),
        *("hugging-face", "mit", "stanford-university", "pinterest", "airbnb", "tiktok"),
    }
    assert named <= labs


GOOD = """
- id: a
  listed_as: [claims:a]
  statement: One thing.
  publisher: Somebody
  source: Somewhere
  period: once
  quantity: share
  data_needed: More.
  measures:
    - id: cn
      label: China
      unit: share
      relation: above
      stated: 0
      check: {test: hub_lead, subject: CN, other: US}
  definitions:
    - {id: own, says: as it is, is_own: true}
"""


@pytest.mark.parametrize(
    ("change", "into", "line", "what"),
    [
        ("statement: One thing.", "statment: One thing.", 2, "statment"),
        ("test: hub_lead", "test: hub_lid", 16, "hub_lid"),
        ("other: US}", "other: US, population: everybody}", 16, "population"),
        ("relation: above", "relation: equals", 11, "tolerance"),
        ("is_own: true", "is_own: false", 2, "no definition is its own"),
        ("is_own: true", "is_own: true, 'on': 2025-01-01", 2, "nothing of its own"),
        ("says: as it is,", "says: as it is, set: {rank: ub},", 2, "'rank'"),
        ("says: as it is,", "says: as it is, set: {credit: half},", 2, "credit"),
        ("says: as it is,", "says: as it is, replace: {us: {test: outside}},", 2, "'us'"),
        ("other: US}", "other: US, window_days: 90, metric: likes}", 16, "30 days"),
        (
            "check: {test: hub_lead, subject: CN, other: US}",
            "check: {test: ai_index_value, edition: 2026, series: x, subject: CN, period: '2025'}",
            2,
            "tests nothing",
        ),
    ],
)
def test_a_statement_that_cannot_be_meant_is_refused_by_file_line_and_field(
    tmp_path: Path, change: str, into: str, line: int, what: str
) -> None:
    path = tmp_path / "claims.yml"
    path.write_text(GOOD, "utf-8")
    assert read_claims(path)[0].id == "a"
    assert change in GOOD
    path.write_text(GOOD.replace(change, into), "utf-8")
    with pytest.raises(ClaimError) as error:
        read_claims(path)
    assert f"{path}:{line}: " in str(error.value)
    assert what in str(error.value)


@pytest.mark.parametrize("text", ["- [", "", "a: b", "- 1"])
def test_a_file_that_is_no_list_of_statements_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "claims.yml"
    path.write_text(text, "utf-8")
    with pytest.raises(ClaimError, match=re.escape(str(path))):
        read_claims(path)


# ---- constructed data ---------------------------------------------------------------------------

ABOUT = {
    **{"claim_id": "c", "definition_id": "own", "measure_id": "m", "position": 0},
    **{"definition": "as stated", "is_own": True, "label": "China", "unit": "share"},
    **{"relation": "equals", "stated_value": 0.4, "tolerance": 0.01, "only_stated": False},
    **{"target_date": STATED, "within_days": 15},
}
SHARE = {
    **{"test": "hub_share", "by": "country", "subject": "CN", "population": "all"},
    **{"metric": "downloads_30d", "attribution": "publisher", "credit": "fractional"},
}
HUB = 1000  # models on the made-up Hub


def trial(**given: object) -> Row:
    return {**ABOUT, **given}


def listing(day: date, held: dict[str, float], n_models: int = HUB, **cut: Any) -> list[Row]:
    """A day's shares by country, and how many models its listing holds."""
    total = sum(held.values())
    about: dict[str, Any] = {
        **{"as_of_date": day, "metric_window": "30d", "country_name": "x", "denominator": total},
        **{"n_models": 1, "n_models_population": n_models, "n_models_without_counter": 0},
    }
    counters = {**{k: v for k, v in SHARE.items() if k not in ("test", "by", "subject")}, **cut}
    shares = [
        {
            **about,
            **counters,
            "country_code": country,
            "numerator": amount,
            "share": amount / total,
            "share_lower": 0.0,
            "share_upper": 1.0,
        }
        for country, amount in held.items()
    ]
    models = {
        "population": "all",
        "metric": "models",
        "metric_window": "all_time",
        "country_code": "US",
    }
    whole = {"denominator": n_models, "numerator": n_models, "share": 1.0}
    return [*shares, {**shares[0], **models, **whole}]


SIZES = rows(
    "raw.registry_hub_sizes",
    {"as_of_date": STATED, "n_models": HUB},
    basis="test",
    reviewer="test",
    known_from=date(2026, 1, 1),
)


def tried(*trials: Row, as_of: date = DAY, **tables: pl.LazyFrame) -> pl.DataFrame:
    tables.setdefault("raw_registry_hub_sizes", SIZES)
    tables.setdefault("raw_registry_countries", all_countries())
    return compute(
        "mart.claim_trials", as_of, raw_claim_trials=rows("raw.claim_trials", *trials), **tables
    )


def ledger(*trials: Row, as_of: date = DAY, **tables: pl.LazyFrame) -> dict[str, dict[str, Any]]:
    """The two verdicts on the statement `c`, by moment."""
    about = rows(
        "raw.claims",
        {"claim_id": "c", "as_of": STATED, "within_days": 15},
        **dict.fromkeys(
            ("listed_as", "statement", "publisher", "source", "period", "quantity"), "x"
        ),
        data_needed="more data",
    )
    found = tried(*trials, as_of=as_of, **tables)
    made = compute("mart.claims", as_of, raw_claims=about, claim_trials=found.lazy())
    return {row["moment"]: row for row in made.iter_rows(named=True)}


def shares(*days: list[Row]) -> dict[str, pl.LazyFrame]:
    return {"country_share_daily": rows("mart.country_share_daily", *(r for d in days for r in d))}


# ---- one verdict each ---------------------------------------------------------------------------


def test_what_comes_out_as_stated_is_reproduced() -> None:
    made = ledger(trial(**SHARE), **shares(listing(STATED, {"CN": 40, "US": 60})))
    assert made["stated"]["verdict"] == "reproduced"
    assert made["stated"]["recomputed_value"] == pytest.approx(0.4)
    assert made["stated"]["observed_on"] == STATED
    assert made["stated"]["coverage"] == 1
    assert made["stated"]["holds_under"] == "as stated"
    assert "40.0 %" in made["stated"]["reason"]


def test_what_comes_out_otherwise_is_contradicted() -> None:
    made = ledger(trial(**SHARE), **shares(listing(STATED, {"CN": 30, "US": 70})))
    assert (made["stated"]["verdict"], made["stated"]["holds_under"]) == ("contradicted", None)


def test_what_holds_under_another_definition_alone_differs_by_definition() -> None:
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


def test_a_panel_is_not_the_population_however_well_its_value_fits() -> None:
    made = ledger(trial(**SHARE), **shares(listing(STATED, {"CN": 40, "US": 60}, n_models=500)))
    row = made["stated"]
    assert (row["verdict"], row["reason_code"]) == ("not_testable", "panel_not_population")
    assert row["coverage"] == row["coverage_population"] == pytest.approx(0.5)
    assert row["recomputed_value"] == pytest.approx(0.4)  # shown, and no finding
    assert "50.0 %" in row["reason"] and "more data" in row["reason"]


def test_the_size_of_the_hub_unknown_nothing_is_the_population() -> None:
    given = shares(listing(STATED, {"CN": 40, "US": 60}))
    nobody_counted = SIZES.filter(pl.lit(False))
    row = ledger(trial(**SHARE), raw_registry_hub_sizes=nobody_counted, **given)["stated"]
    assert (row["verdict"], row["coverage_population"]) == ("not_testable", 0.0)


@pytest.mark.parametrize(("off", "expected"), [(15, "reproduced"), (16, "not_testable")])
def test_an_observation_too_far_from_the_stated_day_tells_nothing(off: int, expected: str) -> None:
    day = STATED - timedelta(days=off)
    row = ledger(trial(**SHARE), **shares(listing(day, {"CN": 40, "US": 60})))["stated"]
    assert row["verdict"] == expected
    assert row["reason_code"] == ("holds" if off == 15 else "no_observation")


def test_the_newest_moment_adapts_to_what_is_observed_later() -> None:
    lead = trial(**{**SHARE, "relation": "at_least"})
    then, later = listing(STATED, {"CN": 40, "US": 60}), listing(DAY, {"CN": 30, "US": 70})
    made = ledger(lead, **shares(then, later))
    assert [made[m]["verdict"] for m in ("stated", "newest")] == ["reproduced", "contradicted"]
    assert made["newest"]["observed_on"] == DAY
    assert made["newest"]["reason"].startswith("Were it said today")
    earlier = ledger(lead, as_of=DAY - timedelta(days=1), **shares(then, later))
    assert earlier["newest"]["observed_on"] == STATED  # nothing after the clock is looked at


def test_a_figure_of_its_day_is_not_reproduced_by_coincidence_today() -> None:
    given = shares(listing(STATED, {"CN": 10, "US": 90}), listing(DAY, {"CN": 40, "US": 60}))
    made = ledger(trial(**SHARE), **given)
    assert made["stated"]["verdict"] == "contradicted"
    assert (made["newest"]["verdict"], made["newest"]["reason_code"]) == (
        "not_testable",
        "of_its_day",
    )
    assert made["newest"]["recomputed_value"] == pytest.approx(0.4)  # shown beside


def test_names_that_nobody_examined_could_decide_either_way() -> None:
    held = {"CN": 40, "US": 50, "XX": 10}
    row = ledger(trial(**SHARE), **shares(listing(STATED, held)))["stated"]
    assert (row["verdict"], row["reason_code"]) == ("not_testable", "names_not_examined")
    assert row["coverage_names"] == pytest.approx(0.9)
    assert (row["recomputed_lower"], row["recomputed_upper"]) == pytest.approx((0.4, 0.5))


def test_what_is_of_no_single_country_is_no_doubt_of_a_share_but_of_its_denial() -> None:
    """ZZ is an answer, as the row of unaffiliated users is in the studies themselves."""
    agree = ledger(trial(**SHARE), **shares(listing(STATED, {"CN": 40, "US": 40, "ZZ": 20})))
    assert agree["stated"]["verdict"] == "reproduced"
    below = ledger(trial(**SHARE), **shares(listing(STATED, {"CN": 30, "US": 50, "ZZ": 20})))
    assert below["stated"]["verdict"] == "not_testable"  # with those of ZZ it could be 40 %
    far = ledger(trial(**SHARE), **shares(listing(STATED, {"CN": 10, "US": 70, "ZZ": 20})))
    assert far["stated"]["verdict"] == "contradicted"


def test_a_lead_must_exceed_what_nobody_examined() -> None:
    lead = {**SHARE, "test": "hub_lead", "other": "US", "relation": "above", "stated_value": 0.0}
    sure = ledger(trial(**lead), **shares(listing(STATED, {"CN": 50, "US": 30, "XX": 19})))
    doubt = ledger(trial(**lead), **shares(listing(STATED, {"CN": 50, "US": 30, "XX": 21})))
    assert sure["stated"]["verdict"] == "reproduced"
    assert doubt["stated"]["verdict"] == "not_testable"


def test_a_day_on_which_counters_stood_still_tells_nothing_of_downloads() -> None:
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


def test_a_rank_counts_countries_alone() -> None:
    rank = {**SHARE, "test": "hub_rank", "relation": "at_most", "stated_value": 1.0, "unit": "rank"}
    held = {"CN": 40, "US": 30, "ZZ": 5, "XX": 5, "FR": 1}
    made = ledger(trial(**rank), **shares(listing(STATED, held)))["stated"]
    assert (made["recomputed_value"], made["verdict"]) == (1, "reproduced")
    unsure = ledger(trial(**rank), **shares(listing(STATED, {**held, "US": 36})))["stated"]
    assert (unsure["recomputed_value"], unsure["verdict"]) == (1, "not_testable")


def test_a_longer_window_is_made_of_counters_of_thirty_days() -> None:
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


def test_one_quantity_that_fails_decides_whatever_is_unknown_of_the_others() -> None:
    unknown = trial(test="outside", measure_id="o", position=1)
    failing = ledger(trial(**SHARE), unknown, **shares(listing(STATED, {"CN": 10, "US": 90})))
    holding = ledger(trial(**SHARE), unknown, **shares(listing(STATED, {"CN": 40, "US": 60})))
    assert failing["stated"]["verdict"] == "contradicted"
    assert holding["stated"]["verdict"] == "not_testable"
    assert holding["stated"]["reason_code"] == "outside_sources"


def test_a_reading_without_data_keeps_a_statement_from_being_reproduced_or_contradicted() -> None:
    base = trial(**{**SHARE, "attribution": "base"}, definition_id="base", position=1)
    for china, value in ((40, 0.4), (10, 0.1)):
        given = shares(listing(STATED, {"CN": china, "US": 100 - china}))
        row = ledger(trial(**SHARE), base, **given)["stated"]
        assert (row["verdict"], row["recomputed_value"]) == ("not_testable", pytest.approx(value))


def test_without_any_data_every_statement_still_has_its_two_rows() -> None:
    given = {"raw_claims": claim_rows().lazy(), "claim_trials": None}
    found = compute(
        "mart.claim_trials",
        raw_claim_trials=trial_rows().lazy(),
        raw_registry_countries=all_countries(),
    )
    assert found["holds"].null_count() == found.height
    given["claim_trials"] = found.lazy()
    made = compute("mart.claims", **given)
    assert made.height == 2 * len(claims())
    assert set(made["verdict"]) == {"not_testable"}
    assert made["coverage"].to_list() == [0.0] * made.height


# ---- the Hub's models ---------------------------------------------------------------------------

CREATED = {
    **{"test": "repositories_created", "unit": "repositories", "relation": "at_least"},
    **{"stated_value": 2.0, "names": "lab/One\nlab/Two*"},
    **{"period_from": date(2025, 2, 1), "period_to": date(2025, 2, 28)},
}


def models(*given: tuple[str, date | None, str | None]) -> pl.LazyFrame:
    """Repositories with the day of creation and the license."""
    return rows(
        "core.hub_models",
        *(
            {
                "model_id_hf": name,
                "model_key": number,
                "created_at": day and datetime.combine(day, time(12)),
                "license": license,
            }
            for number, (name, day, license) in enumerate(given, 1)
        ),
        first_seen_date=DAY,
        last_seen_date=DAY,
    )


FEBRUARY = date(2025, 2, 14)


ONE, TWO = ("lab/One", FEBRUARY, None), ("lab/Two-7B", FEBRUARY, None)


@pytest.mark.parametrize(
    ("found", "n_models", "expected", "code"),
    [
        ([ONE, TWO], 5, "reproduced", "holds"),
        ([("LAB/one-7b", FEBRUARY, None), TWO], 5, "reproduced", "holds"),
        ([ONE], 5, "not_testable", "not_found"),
        ([ONE], HUB, "contradicted", "fails"),
        ([("lab/Oneness", FEBRUARY, None), TWO], HUB, "contradicted", "fails"),
        ([("lab/One", None, None), TWO], 5, "not_testable", "not_found"),
        ([("lab/One", date(2025, 3, 1), None), TWO], 5, "not_testable", "not_found"),
        ([("lab/One", date(2022, 3, 2), None), TWO], HUB, "contradicted", "fails"),
    ],
)
def test_a_release_is_proved_by_what_is_found_and_denied_by_a_whole_listing_alone(
    found: list[tuple[str, date | None, str | None]], n_models: int, expected: str, code: str
) -> None:
    given = shares(listing(DAY, {"CN": 1, "US": 1}, n_models=n_models))
    row = ledger(trial(**CREATED), hub_models=models(*found), **given)["stated"]
    assert (row["verdict"], row["reason_code"]) == (expected, code)


def test_the_floor_of_createdat_is_no_day_of_release() -> None:
    early = {**CREATED, "period_from": date(2022, 1, 1), "period_to": date(2022, 12, 31)}
    floor = models(("lab/One", date(2022, 3, 2), None), ("lab/Two", date(2022, 3, 3), None))
    given = shares(listing(DAY, {"CN": 1, "US": 1}))
    assert ledger(trial(**early), hub_models=floor, **given)["stated"]["recomputed_value"] == 1


def test_an_open_license_must_be_on_record() -> None:
    licensed = {**CREATED, "licenses": "apache-2.0\nmit"}
    given = shares(listing(DAY, {"CN": 1, "US": 1}, n_models=5))
    for license, expected in (("mit", "reproduced"), (None, "not_testable"), ("x", "not_testable")):
        found = models(("lab/One", FEBRUARY, "apache-2.0"), ("lab/Two", FEBRUARY, license))
        row = ledger(trial(**licensed), hub_models=found, **given)["stated"]
        assert row["verdict"] == expected, license


def test_a_data_set_that_is_found_is_proof_and_one_that_is_not_is_none() -> None:
    asked_for = {k: v for k, v in CREATED.items() if k != "test"}
    wanted = trial(
        **{**asked_for, "test": "datasets_created", "names": "lab/*"} | {"stated_value": 1.0}
    )
    for day, expected in ((FEBRUARY, "reproduced"), (date(2025, 3, 1), "not_testable")):
        found = rows(
            "raw.hub_datasets",
            {"dataset_id_hf": "lab/set", "created_at": datetime.combine(day, time(12))},
            **{"snapshot_id": "hub_datasets/x", "snapshot_date": DAY, "file_name": "1"},
        )
        assert ledger(wanted, raw_hub_datasets=found)["stated"]["verdict"] == expected


def test_a_rank_in_a_panel_may_be_worse_in_the_whole() -> None:
    rank = {
        **{"test": "model_rank", "unit": "rank", "relation": "at_most", "stated_value": 2.0},
        **{"names": "lab/One", "metric": "likes"},
    }
    counters = rows(
        "core.hub_daily_counters",
        {"model_id_hf": "x/a", "likes": 9},
        {"model_id_hf": "lab/One", "likes": 7},
        {"model_id_hf": "x/b", "likes": 7},
        {"model_id_hf": "x/c"},
        as_of_date=STATED,
    )
    for n_models, expected in ((HUB, "reproduced"), (5, "not_testable")):
        given = shares(listing(STATED, {"CN": 1, "US": 1}, n_models=n_models))
        row = ledger(trial(**rank), hub_daily_counters=counters, **given)["stated"]
        assert (row["recomputed_value"], row["verdict"]) == (2, expected)


# ---- trending -----------------------------------------------------------------------------------

STRIP = {
    **{"subject": "CN", "attribution": "publisher", "window_days": 14},
    **{"relation": "above", "stated_value": 0.5},
}


def strips(*places: tuple[int, int, int]) -> pl.LazyFrame:
    """Days before the stated day, with places of China and of the unexamined among ten."""
    held = [
        {"as_of_date": STATED - timedelta(days=back), "country_code": code, "n_places": float(n)}
        for back, china, unknown in places
        for code, n in (("CN", china), ("XX", unknown), ("US", 10 - china - unknown))
        if n
    ]
    return rows(
        "mart.trending_share_daily",
        *held,
        top_n=10,
        attribution="publisher",
        country_name="x",
        n_places_total=10.0,
        share=0.1,
    )


def test_days_of_the_strip_are_counted_in_weeks_that_were_observed() -> None:
    days = trial(**STRIP, test="trending_days", top_n=10, places=3)
    full = [(back, 3 if back % 7 < 5 else 1, 0) for back in range(14)]
    row = ledger(days, trending_share_daily=strips(*full))["stated"]
    assert (row["recomputed_value"], row["verdict"]) == (pytest.approx(10 / 14), "reproduced")
    one_week = ledger(days, trending_share_daily=strips(*full[:7]))["stated"]
    assert (one_week["verdict"], one_week["coverage_time"]) == ("not_testable", 0.5)
    unknown = [(back, 2, 1) for back in range(14)]
    row = ledger(days, trending_share_daily=strips(*unknown))["stated"]
    assert (row["verdict"], row["reason_code"]) == ("not_testable", "names_not_examined")


def test_some_weeks_are_weeks_with_a_day() -> None:
    weeks = trial(
        **{**STRIP, "relation": "at_least", "stated_value": 2.0},
        test="trending_weeks",
        top_n=10,
        places=4,
    )
    for other, expected in ((10, "reproduced"), (3, "contradicted")):
        days = [(back, 4 if back in (2, other) else 0, 0) for back in range(14)]
        row = ledger(weeks, trending_share_daily=strips(*days))["stated"]
        assert row["verdict"] == expected


# ---- the Arena ----------------------------------------------------------------------------------


def board(*given: dict[str, Any], day: date = STATED, **shared: Any) -> list[Row]:
    """Rows of a board: name, rating, country, and whether its weights can be had."""
    about = {
        **{"board": "text", "category": "overall", "publish_date": day, "segment_id": 1},
        **{"board_source": "lmarena", "has_catalog_rows": False, "snapshot_id": "lmarena/x"},
        **{"is_style_controlled": False, "is_org_carried": False, "n_missing": 0, **shared},
    }
    return [
        {
            **about,
            "model_name_arena": m["name"],
            "model_id": m["name"],
            "rating": float(m["rating"]),
            "rating_lower": float(m["rating"]) - 1.96 * m.get("sd", 5),
            "rating_upper": float(m["rating"]) + 1.96 * m.get("sd", 5),
            "variance": float(m.get("sd", 5)) ** 2,
            "country_code": m.get("country", "US"),
            "lab_id": m.get("lab"),
            "is_open_weights": m.get("open"),
            "rank_ub": 1,
        }
        for m in given
    ]


def on_boards(*boards: list[Row]) -> dict[str, pl.LazyFrame]:
    return {"arena_ratings": rows("core.arena_ratings", *(r for b in boards for r in b))}


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
def test_places_among_open_models_allow_for_labels_that_do_not_say(
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


def test_a_label_that_does_not_say_can_cost_a_place() -> None:
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


def test_ahead_is_a_matter_of_doubt() -> None:
    ahead = trial(
        **{"test": "arena_ahead", "unit": "probability", "relation": "ahead"},
        **{"stated_value": 0.95, "tolerance": 0.0, "subject": "a", "other": "b"},
        **{"board": "text", "category": "overall"},
    )
    for gap, expected in ((30, "reproduced"), (3, "not_testable"), (-30, "contradicted")):
        given = on_boards(board({"name": "a", "rating": 1400 + gap}, {"name": "b", "rating": 1400}))
        assert ledger(ahead, **given)["stated"]["verdict"] == expected


def test_rows_under_unstated_terms_keep_their_figures_out_of_the_ledger() -> None:
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


# ---- properties ---------------------------------------------------------------------------------

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
    requests = asked(rows("raw.claim_trials", *given), DAY).filter(pl.col("moment") == "stated")
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
        found.append({"request": request["request"], **bounds, **covered})
    schema = {"request": pl.UInt32, **dict.fromkeys(
        ("value", "low", "high", "value_lower", "value_upper", "coverage_time",
         "coverage_population"), pl.Float64)}  # fmt: skip
    given_answers = answers(pl.DataFrame(found, schema=schema).lazy())
    return with_judgement(
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
def test_a_wider_tolerance_never_turns_yes_into_no(case: dict[str, Any], more: float) -> None:
    order = {False: 0, None: 1, True: 2}
    strict = judged([case])["holds"].item()
    wide = judged([{**case, "tolerance": case["tolerance"] + more}])["holds"].item()
    assert order[wide] >= order[strict]


@PROPERTY
@given(cases, st.floats(0, 0.3))
def test_more_doubt_never_makes_an_answer(case: dict[str, Any], more: float) -> None:
    inner = tuple(x + more for x in case["inner"])
    narrow, wide = (
        judged([case])["holds"].item(),
        judged([{**case, "inner": inner}])["holds"].item(),
    )
    assert wide is None or wide == narrow


# ---- what the publisher's own file says ---------------------------------------------------------


def test_a_look_up_checks_the_citation_and_decides_nothing() -> None:
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
    trials = tried(trial(**SHARE), printed, **given).filter(pl.col("definition_id") == "printed")
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


# ---- what was not observed whole ----------------------------------------------------------------

EPOCH_DAY = date(2026, 5, 2)
NOTABLE = {
    **{"test": "notable_count", "unit": "models", "subject": "US", "year": 2024},
    **{"method": "epoch", "stated_value": 57.0, "tolerance": 2.0, "target_date": EPOCH_DAY},
}


def snapshots(**change: Any) -> pl.LazyFrame:
    """meta.snapshots of the three sources that the claims below rest on; `change` is to all."""
    about = {
        **dict.fromkeys(("producer", "url", "license", "citation", "sidecar_sha256"), "x"),
        **{"redistribution": "derived", "retrieved_at": datetime(2026, 5, 2), "files": 1},
        **{"bytes": 1, "rows_seen": 1, "is_complete": True, "is_sample": False, "is_loaded": True},
    }
    given = [("epoch", EPOCH_DAY), ("hub", STATED), ("lmarena", STATED)]
    return rows(
        "meta.snapshots",
        *(
            {"snapshot_id": f"{s}/{d}", "source": s, "snapshot_date": d, **about, **change}
            for s, d in given
        ),
    )


def sizes(*given: tuple[str, date, int]) -> pl.LazyFrame:
    about = {"basis": "test", "reviewer": "test", "known_from": date(2026, 1, 1)}
    return rows(
        "raw.registry_epoch_sizes",
        *({"file_name": f, "as_of_date": d, "n_records": n, **about} for f, d, n in given),
    )


def notable(day: date = EPOCH_DAY, **countries: int) -> list[Row]:
    """Records of 2024 by country."""
    codes = [code for code, n in countries.items() for _ in range(n)]
    about = {"vintage_date": day, "snapshot_id": f"epoch/{day}", "publication_year": 2024}
    return [
        {**about, "line": line, "country_codes": code, "n_countries": 1}
        for line, code in enumerate(codes, 1)
    ]


def counted(models: list[Row], n_known: int | None, **change: Any) -> dict[str, Any]:
    known = sizes(("notable_ai_models", EPOCH_DAY, n_known)) if n_known else sizes()
    given = {"notable_models": rows("core.notable_models", *models)}
    given |= {"raw_registry_epoch_sizes": known, "meta_snapshots": snapshots(**change)}
    return ledger(trial(**NOTABLE), **given)["stated"]


def test_a_whole_vintage_reproduces_and_contradicts() -> None:
    assert counted(notable(US=57, CN=29), 86)["verdict"] == "reproduced"
    assert counted(notable(US=40, CN=46), 86)["verdict"] == "contradicted"
    assert counted(notable(US=40, CN=60), 86)["verdict"] == "contradicted"  # larger than known


@pytest.mark.parametrize("n_us", [9, 56, 57])
def test_an_excerpt_of_epoch_never_contradicts_a_count(n_us: int) -> None:
    row = counted(notable(US=n_us, CN=4), 1011)
    assert (row["verdict"], row["reason_code"]) == ("not_testable", "source_not_whole")
    held = 1000 * (n_us + 4) // 1011 / 10
    assert f"{held} % of its records" in row["reason"]
    assert row["coverage_population"] == pytest.approx((n_us + 4) / 1011)


def test_a_few_missing_records_count_both_ways() -> None:
    """95 of 100: not so few that nothing is said, and enough to reach the stated count."""
    assert counted(notable(US=50, CN=45), 100)["verdict"] == "not_testable"
    assert counted(notable(US=49, CN=46), 100)["verdict"] == "contradicted"
    assert counted(notable(US=60, CN=35), 100)["verdict"] == "contradicted"  # more than stated


def test_a_sample_of_unknown_size_says_nothing() -> None:
    row = counted(notable(US=9, CN=4), None, is_sample=True)
    assert (row["verdict"], row["reason_code"]) == ("not_testable", "source_not_whole")
    assert counted(notable(US=9, CN=4), None, is_complete=False)["verdict"] == "not_testable"


def test_a_vintage_smaller_than_an_earlier_one_of_our_own_is_an_excerpt() -> None:
    later = EPOCH_DAY + timedelta(days=30)
    known = sizes(("notable_ai_models", date(2026, 1, 1), 50))
    models = [*notable(US=57, CN=63), *notable(later, US=30, CN=25)]
    given = {"notable_models": rows("core.notable_models", *models)}
    about = {**NOTABLE, "target_date": later}
    row = ledger(trial(**about), raw_registry_epoch_sizes=known, **given)["stated"]
    assert (row["verdict"], row["observed_on"]) == ("not_testable", later)


def test_an_excerpt_of_the_capabilities_gives_no_lag() -> None:
    frontier = {
        **{"test": "frontier_lag", "unit": "months", "subject": "CN", "other": "US"},
        **{"since": date(2024, 1, 1), "levels": "subject", "statistic": "mean"},
        **{"stated_value": 1.0, "tolerance": 0.5, "target_date": EPOCH_DAY},
    }
    scored = [
        ("US", 10.0, date(2024, 1, 1)), ("CN", 10.0, date(2024, 12, 31)),
    ]  # fmt: skip
    about = {"snapshot_id": "x", "snapshot_date": EPOCH_DAY, "file_name": "x"}
    names = {"US": "United States of America", "CN": "China"}
    given = rows(
        "raw.epoch_capabilities",
        *(
            {"line": i, "country_name": names[c], "eci_score": s, "release_date": d, **about}
            for i, (c, s, d) in enumerate(scored, 1)
        ),
    )
    for n_known, expected in ((2, "contradicted"), (3, "not_testable"), (583, "not_testable")):
        known = sizes(("epoch_capabilities_index", EPOCH_DAY, n_known))
        row = ledger(
            trial(**frontier), raw_epoch_capabilities=given, raw_registry_epoch_sizes=known
        )["stated"]
        assert row["verdict"] == expected


@pytest.mark.parametrize("part", [{"is_sample": True}, {"is_complete": False}])
def test_a_listing_of_the_hub_that_is_a_part_never_contradicts(part: dict[str, bool]) -> None:
    given = shares(listing(STATED, {"CN": 30, "US": 70}, n_models=950))  # 95 % of the Hub
    assert ledger(trial(**SHARE), meta_snapshots=snapshots(), **given)["stated"]["verdict"] == (
        "contradicted"
    )
    row = ledger(trial(**SHARE), meta_snapshots=snapshots(**part), **given)["stated"]
    assert (row["verdict"], row["reason_code"]) == ("not_testable", "source_not_whole")


def test_absence_from_a_part_of_the_hub_denies_no_repository() -> None:
    named = trial(
        **{"test": "repositories_created", "unit": "repositories", "relation": "at_least"},
        **{"stated_value": 2.0, "names": "a/one\na/two", "tolerance": 0.0},
        **{"period_from": date(2025, 1, 1), "period_to": date(2026, 12, 31)},
    )
    one = {"model_id_hf": "a/one", "created_at": datetime(2025, 5, 5), "is_llm_vlm": False}
    about = {**one, "last_seen_date": STATED, "first_seen_date": STATED}
    held = {k: v for k, v in about.items() if k in contract("core.hub_models").columns}
    needed = {
        c: _filler(column.type)
        for c, column in contract("core.hub_models").columns.items()
        if not column.nullable and c not in held
    }
    given = shares(listing(STATED, {"US": 1.0}, n_models=950))
    given["hub_models"] = rows("core.hub_models", {**needed, **held})
    for change, expected in (({}, "contradicted"), ({"is_complete": False}, "not_testable")):
        row = ledger(named, meta_snapshots=snapshots(**change), **given)["stated"]
        assert row["verdict"] == expected


def _filler(kind: str) -> Any:
    return {"VARCHAR": "x", "DATE": STATED, "BOOLEAN": False}.get(kind, 0)


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


def test_the_first_places_of_a_board_tell_ranks_and_no_count_beyond_them() -> None:
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


def test_a_strip_that_lacks_places_denies_nothing() -> None:
    days = trial(
        **{**STRIP, "relation": "at_least", "stated_value": 1.0},
        **{"test": "trending_days", "top_n": 10, "places": 3},
    )
    full = [(back, 1, 0) for back in range(14)]
    assert ledger(days, trending_share_daily=strips(*full))["stated"]["verdict"] == "contradicted"
    cut = strips(*full).with_columns(n_places_total=pl.lit(6.0))
    assert ledger(days, trending_share_daily=cut)["stated"]["verdict"] == "not_testable"


def test_a_board_that_lacks_a_refused_row_tells_no_rank_and_still_compares_two_models() -> None:
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
