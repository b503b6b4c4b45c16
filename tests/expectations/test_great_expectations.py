"""Great Expectations: quiet, offline, imported late, and its Data Docs."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from expectations.docs import build_docs
from expectations.rule import Rule
from tests.conftest import ROOT
from tests.support.validation import KNOWN, MODELS, NO_RULES, alone, models, validate


def test_validation_says_nothing_on_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    typo = Rule("typo", MODELS.table, "critical", "A typo.", "SELECT nn FROM {batch}")
    assert validate(models(tmp_path), rules=[typo]).failures("critical")
    assert capfd.readouterr() == ("", "")
    assert [r for r in caplog.records if r.name.startswith("great_expectations")] == []


def test_great_expectations_is_imported_only_when_something_is_validated() -> None:
    code = (
        "import sys, expectations.validate, expectations.docs; "
        "sys.exit(bool({'great_expectations', 'sqlalchemy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert done.returncode == 0


def test_the_docs_show_every_table_of_every_stage(tmp_path: Path) -> None:
    path = models(tmp_path, "UPDATE core.models SET n = -77 WHERE model_id = 'b'")
    reports = [validate(path, *KNOWN), alone(path, "core.labs", rules=NO_RULES)]
    index = build_docs(reports, tmp_path / "docs", date(2026, 8, 15))
    assert index == tmp_path / "docs" / "index.html"
    text = index.read_text()
    assert "core.models" in text and "core.labs" in text
    pages = {p.relative_to(tmp_path / "docs").as_posix() for p in index.parent.rglob("*.html")}
    time = "20260815T000000.000000Z"
    assert pages == {
        "index.html",
        f"validations/core/models/core/{time}/core.models.html",
        f"validations/core/labs/core/{time}/core.labs.html",
        f"validations/core/labs/published/{time}/core.labs.html",
    }
    page = (index.parent / f"validations/core/models/core/{time}/core.models.html").read_text()
    assert "n of core.models lies at least 0 and at most 100." in page and "-77" in page
    assert "great-expectations-web-assets" not in page + text


def test_the_docs_of_the_same_answers_are_the_same_bytes(tmp_path: Path) -> None:
    path = models(tmp_path, "UPDATE core.models SET n = -77, lab_id = 'z', share = 'nan'")
    sites = []
    for name in ("one", "two"):
        folder = build_docs([validate(path)], tmp_path / name, date(2026, 8, 15)).parent
        found = sorted(p for p in folder.rglob("*") if p.is_file())
        sites.append({p.relative_to(folder): p.read_bytes() for p in found})
    assert sites[0] == sites[1]


def test_reports_add_up_in_the_order_of_their_key(tmp_path: Path) -> None:
    path = models(tmp_path)
    one, two = validate(path, "core.models"), validate(path, "core.labs")
    assert (one + two).results == (two + one).results == validate(path, *KNOWN).results
