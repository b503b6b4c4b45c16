"""Statements about windows of time, from made-up files of the study to verdicts."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest

from tests.support.frames import everything, rows
from tests.support.ledger import raw_trials, trial
from tests.support.study_file import Model, raw_counters, raw_study
from warehouse.claims.rows import claim_rows, trial_rows
from warehouse.registry.load import reference_tables

YEAR = ("hub-share-cn-us", "mit-hf-share-year-2025")
WEEKS = [date(2025, 8, 27) + timedelta(days=7 * n) for n in (-1, 0, 1)]
RECENT, OLD = date(2024, 11, 5), date(2022, 6, 1)
LATER = date(2026, 10, 15)
REGISTRY = {f"raw_{n.removeprefix('raw.')}": f.lazy() for n, f in reference_tables().items()}
LLAMA = "meta-llama/Llama-3.1-8B-Instruct"


def of_rate(name: str, country: str | None, created: date, rate: int) -> Model:
    return Model(name, country, created, lambda day: rate)


def study(china: int, america: int, rest: int) -> list[Model]:
    """A whole file: recent models with these downloads a day, and older ones with many more."""
    return [
        of_rate("Qwen/Qwen3-8B", "China", RECENT, china),
        of_rate("google/gemma-3-1b-it", "United States of America", RECENT, america),
        of_rate("someone/model", "user", RECENT, rest // 2),
        of_rate("project/model", "International/Online", RECENT, rest - rest // 2),
        of_rate("openai-community/gpt2", "United States of America", OLD, 100_000),
        of_rate("google-bert/bert-base-uncased", "United States of America", date(2024, 3, 1), 50),
    ]


def claims_on(raw: pl.LazyFrame, *ids: str) -> dict[tuple[str, str], dict[str, Any]]:
    """The verdicts on statements of the ledger, by id and moment."""
    mine = pl.col("claim_id").is_in(ids)
    given = {k: f for k, f in REGISTRY.items() if k not in ("raw_claims", "raw_claim_trials")}
    made = everything(
        LATER,
        {"mart.claims"},
        raw_claims=claim_rows().filter(mine).lazy(),
        raw_claim_trials=trial_rows().filter(mine).lazy(),
        raw_hub_evolution_counters=raw,
        **given,
    )["mart.claims"]
    return {(r["claim_id"], r["moment"]): r for r in made.iter_rows(named=True)}


def answers(raw: pl.LazyFrame, **test: Any) -> dict[str, dict[str, Any]]:
    """mart.claim_trials of one made-up test, by moment."""
    given = {k: f for k, f in REGISTRY.items() if k not in ("raw_claims", "raw_claim_trials")}
    usual = {"by": "country", "subject": "CN", "population": "all", "attribution": "publisher"}
    made = everything(
        LATER,
        {"mart.claim_trials"},
        raw_claim_trials=raw_trials(trial(**{**usual, "counters": "any", **test})),
        raw_hub_evolution_counters=raw,
        **given,
    )["mart.claim_trials"]
    return {r["moment"]: r for r in made.iter_rows(named=True)}


def test_a_whole_file_of_the_study_reproduces_the_published_shares() -> None:
    """17.1 % and 15.8 %: one copy of the last day, by the study's own countries."""
    made = claims_on(raw_counters(study(1710, 1580, 6710), WEEKS), *YEAR)
    for claim in YEAR:
        row = made[claim, "stated"]
        assert row["verdict"] == "reproduced", row["reason"]
        assert row["observed_on"] in WEEKS
        assert row["recomputed_value"] == pytest.approx(0.171, abs=1e-4)
        assert "15.8" in row["recomputed_text"]


def test_other_shares_are_no_contradiction_while_the_definition_is_open() -> None:
    made = claims_on(raw_counters(study(1200, 2500, 6300), WEEKS), *YEAR)
    for claim in YEAR:
        row = made[claim, "stated"]
        assert (row["verdict"], row["reason_code"]) == ("not_testable", "definition_not_stated")


def test_a_part_of_the_file_decides_nothing_about_shares() -> None:
    bare = [Model(m.name, None, m.created, m.per_day) for m in study(1710, 1580, 6710)]
    row = claims_on(raw_counters(bare, WEEKS), *YEAR)[YEAR[0], "stated"]
    assert row["verdict"] == "not_testable"
    assert row["recomputed_value"] is None  # without annotations there is no value, not even 0


def counted(day: date, **counters: int) -> pl.LazyFrame:
    """All-time counters of some models on a day, without anything else."""
    given = [
        {"line": n, "model_id_hf": name, "as_of_date": day, "downloads_all_time": value}
        for n, (name, value) in enumerate(counters.items(), start=1)
    ]
    return rows("raw.hub_evolution_counters", *given, snapshot_id="x", snapshot_date=day)


@pytest.mark.parametrize(("counter", "holds"), [(352_500_000, False), (340_000_000, None)])
def test_recorded_downloads_bound_those_of_a_family_from_below(
    counter: int, holds: bool | None
) -> None:
    """A part above the stated sum of all contradicts it; a part below says nothing."""
    raw = counted(date(2025, 12, 17), **{LLAMA: counter, "someone/Llama-3-copy": 10**9})
    row = answers(
        raw, test="window_amount", by="family", subject="llama", unit="downloads",
        target_date=date(2025, 12, 15), stated_value=346e6, tolerance=5e6,
    )["stated"]  # fmt: skip
    assert row["holds"] is holds
    assert (row["value_lower"], row["value_upper"]) == (counter, None)
    assert row["bounds_hold"]
    assert row["observed_on"] == date(2025, 12, 17)


def test_the_recorded_llama_repositories_bound_their_family(more_recordings: Path) -> None:
    """Nine repositories of the study's recorded part, added up from the file itself."""
    path = more_recordings / "hub_evolution" / "all_downloads_with_annotations.parquet"
    day = date(2025, 12, 10)
    mine = [
        row["downloadsAllTime"]
        for row in pq.read_table(path, columns=["author", "time", "downloadsAllTime"]).to_pylist()
        if row["author"] == "meta-llama" and row["time"].date() == day
    ]
    assert len(mine) == 9
    family = {"test": "window_amount", "by": "family", "subject": "llama", "unit": "downloads"}
    row = answers(raw_study(path), **family, target_date=day, stated_value=1.0)["stated"]
    assert (row["value"], row["value_lower"], row["value_upper"]) == (sum(mine), sum(mine), None)
    assert not row["holds"]


def test_a_counter_long_after_the_day_is_no_lower_bound() -> None:
    raw = counted(date(2025, 12, 24), **{LLAMA: 360_000_000})
    row = answers(
        raw, test="window_amount", by="family", subject="llama", unit="downloads",
        target_date=date(2025, 12, 15), stated_value=346e6, tolerance=5e6,
    )["stated"]  # fmt: skip
    assert (row["value"], row["missing"]) == (None, "no_observation")


QUARTER = {"period_from": date(2025, 7, 1), "period_to": date(2025, 9, 30)}


@pytest.mark.parametrize("test", ["window_share", "window_lead", "window_rank"])
def test_an_excerpt_bounds_shares_leads_and_ranks_by_their_limits(test: str) -> None:
    days = [date(2025, 7, 2), date(2025, 10, 1)]
    bare = [Model(m.name, None, m.created, m.per_day) for m in study(300, 700, 0)]
    row = answers(raw_counters(bare, days), test=test, other="US", stated_value=1.0, **QUARTER)[
        "stated"
    ]
    limits = {"window_share": (0, 1), "window_lead": (-1, 1), "window_rank": (1, None)}
    assert (row["value_lower"], row["value_upper"]) == limits[test]
    assert (row["holds"], row["missing"]) == (None, "panel_not_population")
    assert row["coverage_time"] == pytest.approx(90 / 92)


def test_the_studys_own_file_is_exact_for_statements_about_it() -> None:
    days = [date(2025, 7, 2), date(2025, 10, 1)]
    about = {"counters": "hub_evolution", "attribution": "study_publisher", **QUARTER}
    raw = raw_counters(study(300, 700, 1000), days)
    share = answers(raw, test="window_share", stated_value=300 / 102_050, tolerance=1e-5, **about)
    assert share["stated"]["holds"]
    assert share["stated"]["coverage"] == pytest.approx(90 / 92)
    rank = answers(raw, test="window_rank", stated_value=2.0, tolerance=0.0, **about)
    assert (rank["stated"]["value"], rank["stated"]["holds"]) == (2, True)
    amount = answers(raw, test="window_amount", stated_value=300 * 91, tolerance=0.0, **about)
    assert amount["stated"]["holds"]


def test_the_newest_moment_moves_the_window_to_the_newest_counters() -> None:
    days = [date(2025, 7, 2), date(2025, 10, 1), date(2026, 4, 1), date(2026, 7, 1)]
    about = {"counters": "hub_evolution", "attribution": "study_publisher", **QUARTER}
    raw = raw_counters(study(300, 700, 1000), days)
    row = answers(raw, test="window_lead", other="US", relation="below", stated_value=0.0, **about)
    assert [row[m]["observed_on"] for m in ("stated", "newest")] == [days[1], days[3]]
    assert row["newest"]["holds"]


def test_a_window_that_the_counters_cover_too_little_of_is_not_testable() -> None:
    days = [date(2025, 7, 2), date(2025, 9, 3)]
    about = {"counters": "hub_evolution", "attribution": "study_publisher", **QUARTER}
    raw = raw_counters(study(3, 7, 9), days)
    row = answers(raw, test="window_share", within_days=31, **about)["stated"]
    assert (row["holds"], row["missing"]) == (None, "window_not_covered")
