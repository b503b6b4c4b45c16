"""Claims in a warehouse and in its releases: commands, rules and licenses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from expectations.rule_sets.claims import CLAIMS
from expectations.suites import select_failing_rows
from expectations.validate import validate_database
from flows.cli.app import app
from flows.reports.headline import headline
from flows.settings import Settings
from tests.support.pages import staged
from warehouse.claims.read import claims
from warehouse.contracts.source import cards
from warehouse.contracts.table import contracts
from warehouse.releases.licensing import check_lineage, plan_release

LEDGER = ["mart.claims", "mart.claim_trials"]


@pytest.fixture(scope="module")
def warehouse(sampled: tuple[Path, str]) -> Path:
    return sampled[0] / "observatory.duckdb"


def command_output(warehouse: Path, *options: str, code: int = 0) -> str:
    places = ["claims", f"--warehouse={warehouse}", *options]
    done = CliRunner().invoke(app, places, env={"COLUMNS": "200"})
    assert done.exit_code == code, done.output
    return done.output


def test_command_lists_every_statement_with_its_verdicts(warehouse: Path) -> None:
    shown = json.loads(command_output(warehouse, "--json"))
    assert [c["claim_id"] for c in shown["claims"]] == [c.id for c in claims()]
    assert sum(c["claims"] for c in shown["counts"]) == 2 * len(claims())
    text = command_output(warehouse)
    assert all(verdict in text for verdict in {c["verdict_then"] for c in shown["claims"]})


def test_command_shows_a_statement_with_every_trial(warehouse: Path) -> None:
    claim = next(c for c in claims() if c.id == "best-model-is-open")
    shown = json.loads(command_output(warehouse, "--id", claim.id, "--json"))
    assert {v["moment"] for v in shown["verdicts"]} == {"stated", "newest"}
    assert len(shown["trials"]) == 2 * len(claim.measures) * len(claim.definitions)
    text = command_output(warehouse, "--id", claim.id)
    assert all(d.says.split()[0] in text for d in claim.definitions)


def test_unknown_statement_is_an_error(warehouse: Path) -> None:
    assert "no statement 'nothing' in" in command_output(warehouse, "--id", "nothing", code=5)


def test_headline_counts_the_verdicts(warehouse: Path) -> None:
    counts = headline(warehouse)["claims"]
    assert sum(c["of_its_day"] for c in counts) == len(claims())
    assert sum(c["said_today"] for c in counts) == len(claims())


def test_an_excerpt_of_the_hub_contradicts_no_statement(warehouse: Path) -> None:
    """420 models say nothing about the downloads of the Hub's other three million."""
    with duckdb.connect(str(warehouse), read_only=True) as con:
        failed = """SELECT claim_id, test FROM mart.claim_trials
            WHERE holds = false AND test IN ('hub_share', 'hub_lead', 'hub_amount', 'hub_rank')"""
        assert con.execute(failed).fetchall() == []


# ---- rules --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def copy(warehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copy(warehouse, tmp_path_factory.mktemp("claims") / "warehouse.duckdb"))


@pytest.fixture
def tampered(copy: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse to tamper with; afterwards it is as it was."""
    with duckdb.connect(str(copy)) as con:
        con.execute("BEGIN")
        yield con
        con.execute("ROLLBACK")


WITH_VALUE = "value IS NOT NULL AND relation = 'equals'"
NOT_TESTABLE = "claim_id = 'hub-share-cn-us' AND moment = 'newest'"
FAULTS = {
    "a verdict typed in": (
        f"UPDATE mart.claims SET verdict = 'reproduced' WHERE {NOT_TESTABLE}",
        {"verdict_follows_from_trials", "reproduced_claims_have_enough_coverage"},
    ),
    "a verdict lost": (
        f"DELETE FROM mart.claims WHERE {NOT_TESTABLE}",
        {"every_statement_has_its_verdicts"},
    ),
    "a panel taken for the whole": (
        "UPDATE mart.claim_trials SET holds = true, missing = NULL "
        "WHERE coverage < coverage_needed AND value IS NOT NULL",
        {"no_answer_below_required_coverage"},
    ),
    "an excerpt taken for the whole": (
        "UPDATE mart.claim_trials SET holds = false, missing = NULL, coverage = 1 "
        "WHERE is_whole = false",
        {"incomplete_source_gives_no_answer"},
    ),
    "coverage beyond what was seen": (
        "UPDATE mart.claim_trials SET coverage = 1 WHERE coverage_population < 0.5",
        {"coverage_is_the_smallest_of_its_parts"},
    ),
    "an answer against the figures": (
        "UPDATE mart.claim_trials SET value = stated_value + tolerance + 1, value_upper = NULL, "
        f"value_lower = NULL, holds = true, coverage = 1, missing = NULL WHERE {WITH_VALUE}",
        {"answer_fits_the_figures"},
    ),
    "bounds on the wrong side": (
        f"UPDATE mart.claim_trials SET value_lower = value + 1 WHERE {WITH_VALUE}",
        {"value_is_within_bounds"},
    ),
    "a denial that holds somewhere": (
        f"UPDATE mart.claims SET verdict = 'contradicted', holds_under = 'x' WHERE {NOT_TESTABLE}",
        {"holds_under_fits_the_verdict", "verdict_follows_from_trials"},
    ),
    "a figure under strict terms": (
        "UPDATE mart.claims SET value_withheld = 'ai_index' WHERE recomputed_value IS NOT NULL",
        {"restricted_figures_are_withheld"},
    ),
}


def broken(con: duckdb.DuckDBPyConnection) -> set[str]:
    """The rules of claims with failing rows."""
    return {
        rule.name
        for rule in CLAIMS
        if con.sql(select_failing_rows(rule.table, str(rule.check().failing_rows))).fetchall()
    }


@pytest.mark.parametrize("fault", FAULTS)
def test_invalid_claims_fail_their_rules(tampered: duckdb.DuckDBPyConnection, fault: str) -> None:
    change, expected = FAULTS[fault]
    assert broken(tampered) == set()
    assert tampered.execute(change).fetchall()[0][0] > 0
    assert expected <= broken(tampered)


def test_every_rule_of_claims_has_a_failing_example() -> None:
    assert {rule.name for rule in CLAIMS} == set().union(*(rules for _, rules in FAULTS.values()))


def test_unchanged_claims_pass(copy: Path) -> None:
    assert validate_database(copy, LEDGER, "mart").failures("critical") == []


# ---- licenses -----------------------------------------------------------------------------------


def test_public_claims_are_complete_and_trials_withhold_restricted_figures() -> None:
    decided = plan_release(contracts(), cards(), "public")
    ledger, trials = (decided.shares[table] for table in LEDGER)
    assert (ledger.is_left_out, ledger.included_rows) == (False, "true")
    assert not trials.is_left_out
    for source in ("ai_index", "arena_catalog"):
        assert f"strict_source = '{source}'" in trials.included_rows
    assert {e.source for e in trials.licenses}.isdisjoint({"ai_index", "arena_catalog"})


def test_lineage_of_claims_names_every_restricted_source() -> None:
    from transforms.plan import plan as steps

    edges = [(s.table, i) for s in steps() for i in s.inputs.values() if s.table in LEDGER]
    check_lineage(contracts(), cards(), edges)


def test_public_release_has_cited_figures_and_no_restricted_ones(
    warehouse: Path, tmp_path: Path
) -> None:
    """A restricted trial is withheld; the statements are unchanged."""
    secret = 0.987654321
    mark = (
        f"UPDATE mart.claim_trials SET value = {secret}, strict_source = 'ai_index' "
        "WHERE claim_id = 'ai-index-2026-hub-share-2025' AND definition_id = 'printed'"
    )
    latest = tmp_path / "public"
    staged(warehouse, latest, "public", mark)
    found = _parquet(latest, "mart.claims", "claim_id, stated_value, moment")
    assert len(found) == 2 * len(claims())
    assert ("ai-index-2026-hub-share-2025", 0.1693, "stated") in found
    trials = _parquet(latest, "mart.claim_trials", "definition_id, value")
    assert all(definition != "printed" for definition, _ in trials)
    assert all(value != secret for _, value in trials)


def _parquet(folder: Path, table: str, columns: str) -> list[tuple[Any, ...]]:
    sql = f"SELECT {columns} FROM read_parquet('{folder / table}.parquet')"
    return duckdb.sql(sql).fetchall()


# ---- the recordings -----------------------------------------------------------------------------


def test_recordings_decide_only_what_they_cover(built: Settings) -> None:
    with duckdb.connect(str(built.warehouse), read_only=True) as con:
        sql = "SELECT claim_id, moment, verdict, reason_code, holds_under FROM mart.claims"
        found = {(c, m): rest for c, m, *rest in con.execute(sql).fetchall()}
    stated = {claim: rest for (claim, moment), rest in found.items() if moment == "stated"}
    # one day of a panel is no evidence about the Hub, nor about 2025
    for claim in ("hub-share-cn-us", "mit-hf-share-year-2025", "hub-family-qwen-llama"):
        assert {found[claim, m][0] for m in ("stated", "newest")} == {"not_testable"}
        assert stated[claim][1] == "no_observation"
    # boards of the day are available
    assert stated["open-top5-four-cn"][0] == "reproduced"
    # the speaker gives no measure, so places 7 and 16 on the boards do not contradict him
    assert stated["best-model-is-open"][:2] == ["not_testable", "definition_not_stated"]
    # a date of publication does not change, so a later list shows it
    assert stated["kimi-k15"][0] == "reproduced"
    assert stated["ai-index-2026-arena-gap-2026-03"][0] == "reproduced"
    verdict, _, under = stated["ai-index-2025-arena-gap-2025-02"]
    assert verdict == "differs_by_definition"
    assert under == "raw text board at the beginning of February 2025"
    # claims without a source stay untested
    for claim in ("us-startups-80pct", "pinterest-30-90", "tortoise-41-of-100"):
        assert stated[claim][:2] == ["not_testable", "outside_sources"]
