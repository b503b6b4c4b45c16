"""The published statements, and invalid files of statements."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest
import yaml

from tests.conftest import ROOT
from warehouse.claims.predicates import BY_NAME, TESTS
from warehouse.claims.read import CLAIMS, ClaimError, claims, read_claims
from warehouse.claims.rows import claim_rows, trial_rows

PAGES = ROOT.parent / "shared"


def test_the_tables_have_every_statement_once() -> None:
    assert len(claims()) == len({c.id for c in claims()}) == claim_rows().height
    expected = sum(len(c.measures) * len(c.definitions) for c in claims())
    assert trial_rows().height == expected


def test_statement_files_have_no_verdicts() -> None:
    for path in CLAIMS.glob("*.yml"):
        for claim in yaml.safe_load(path.read_text("utf-8")):
            assert "verdict" not in claim, path


def test_definitions_with_a_past_day_are_tested_only_for_the_stated_moment() -> None:
    dated = {(c.id, d.id) for c in claims() for d in c.definitions if d.on or d.id in ("best_day",)}
    flagged = trial_rows().filter("only_stated").select("claim_id", "definition_id").unique()
    assert dated <= set(flagged.iter_rows())
    today = trial_rows().filter(~pl.col("only_stated") & pl.col("is_own"))
    assert set(today["claim_id"]) == {c.id for c in claims()}


def test_every_test_of_a_statement_is_in_the_list() -> None:
    assert set(trial_rows()["test"]) <= set(TESTS)
    parameters = {f for test in BY_NAME.values() for f in test.model_fields}
    assert parameters <= set(trial_rows().columns)


def test_the_ledger_lists_25_claims_and_18_observatory_figures() -> None:
    listed = [name for c in claims() for name in c.listed_as]
    assert len({n for n in listed if n.startswith("claims:")}) >= 25
    assert {n for n in listed if n.startswith("observatories:")} == {
        f"observatories:{row}" for row in range(1, 19)
    }


def test_every_statement_has_a_page_or_the_day_of_a_search_and_a_meaning() -> None:
    assert len(claims()) >= 85
    assert [c.id for c in claims() if not c.url and not c.url_searched_on] == []
    assert [c.id for c in claims() if c.meaning is None] == []


def _page(name: str) -> str:
    path = PAGES / name
    if not path.exists():
        pytest.skip(f"{name} is not part of the repository")
    return path.read_text("utf-8")


def test_every_listed_statement_is_a_claim() -> None:
    ids = re.findall(r"^\| ([a-z0-9-]+) \|", _page("claims.md"), flags=re.M)
    named = {f"claims:{name}" for name in ids if name != "id"}
    assert len(named) >= 25
    assert named <= {name for c in claims() for name in c.listed_as}


def test_every_disputed_figure_is_a_claim() -> None:
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


def test_every_lab_in_the_statements_is_in_the_registry() -> None:
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
  url: https://example.org/a
  period: once
  meaning: plain
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
        ("statement: One thing.", "statment: One thing.", 2, "unknown field; use one of as_of,"),
        ("test: hub_lead", "test: hub_lid", 18, "use one of hub_share, hub_amount"),
        ("other: US}", "other: US, population: everybody}", 18, "population"),
        ("relation: above", "relation: equals", 13, "tolerance"),
        ("period: once", "period: once\n  quote: Eine Sache.", 2, "give both"),
        (
            "period: once",
            "period: once\n  quote: x\n  quote_language: hindi language",
            10,
            "en, hi",
        ),
        ("url: https://example.org/a", "url: www.example.org", 7, "https://example.org/report"),
        ("meaning: plain", "meaning: stated", 2, "source_definition"),
        ("meaning: plain", "meaning: unclear", 9, "use 'stated', 'plain' or 'open'"),
        ("  meaning: plain\n", "", 2, "meaning: required; add it"),
        ("  url: https://example.org/a\n", "", 2, "give url, or url_searched_on"),
        ("url: https://example.org/a", "url_searched_on: today", 7, "2025-12-31"),
        (
            "period: once",
            "period: once\n  url_searched_on: 2026-11-30",
            2,
            "remove url_searched_on",
        ),
        ("period: once", "", 2, "period: required; add it"),
        ("is_own: true", "is_own: false", 2, "no definition has is_own"),
        ("is_own: true", "is_own: true, 'on': 2025-01-01", 2, "can be tested today"),
        ("says: as it is,", "says: as it is, set: {rank: ub},", 2, "parameters: rank"),
        ("says: as it is,", "says: as it is, set: {credit: half},", 2, "credit"),
        ("says: as it is,", "says: as it is, replace: {us: {test: outside}},", 2, "quantities: us"),
        ("other: US}", "other: US, window_days: 90, metric: likes}", 18, "30 days"),
        (
            "check: {test: hub_lead, subject: CN, other: US}",
            "check: {test: ai_index_value, edition: 2026, series: x, subject: CN, period: '2025'}",
            2,
            "does not test the statement",
        ),
    ],
)
def test_an_invalid_statement_is_an_error_with_file_line_and_field(
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
def test_a_file_without_a_list_of_statements_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "claims.yml"
    path.write_text(text, "utf-8")
    with pytest.raises(ClaimError, match=re.escape(str(path))):
        read_claims(path)
