"""Inputs that once came out wrong, observed and built as a user would, with the right answer.

The cases are recorded beside the project; the smaller tests of each parser and transform hold the
same promises without them.
"""

from __future__ import annotations

import os
import runpy
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import pytest

from expectations.report import Report
from expectations.validate import validate_database
from flows.steps import sequence
from tests.conftest import ROOT
from warehouse.contracts.table import contracts
from warehouse.database.duckdb_file import connect

pytestmark = pytest.mark.slow

CASES = Path(os.environ.get("OBSERVATORY_CASES", ROOT.parent / "shared" / "cases"))

# Case -> what its answer must hold, and what it must not.
RIGHT: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "01-path-in-lineage-tag": (
        ("('someone/adapter', 'Qwen/Qwen3-8B', 1.0, 'root')", "'CN', 200.0, 200.0, 1.0)"),
        ("'XX'", "/root/models", "/mnt/workspace"),
    ),
    "04-old-name-used-again": (
        ("('someone/child', 'Qwen/M', 1.0, 'root')", "'CN', 120.0, 130.0,", "'US', 10.0, 130.0,"),
        (),
    ),
    "05-two-digit-years": (
        (
            "2024, 'US', 1)",
            *(f"models.csv', {at}, 'publication_date: expected YYYY" for at in (2, 3, 4)),
        ),
        (" 6, 'CN'", " 12, 'US'"),
    ),
    "07-comma-in-a-country": (
        ("'KR', 1)", "'CD', 1)", "'CN,KR', 2)", "'TW', 1)", "'CN,US', 2)"),
        ("'CG", "'CN,XX'", "'TW,XX'"),
    ),
    "08-zone-of-the-machine": (("datetime.datetime(2024, 1, 1, 20, 0)",), ("2024, 1, 2,",)),
    "10-bound-without-end": (("'CN', 'newcomer', 1, 1510.0, None)",), ("'US', 'model-0', 1,",)),
    "12-whole-vintage-refused": (("ValidationError",), ("build: passed",)),
    "14-page-sent-twice": (("is_complete False",), ()),
    "16-half-a-character": (("'CN', 500.0,", "'US', 500.0,"), ("SourceError",)),
    "17-mixed-line-ends": (("2024, 'CN', 1)", "2024, 'US', 2)"), ("SourceError",)),
    "18-one-name-twice-in-a-zip": (("('m1', 155.0)", "('m2', 150.0)"), ("('m2', 140.0)",)),
    "19-download-in-two-parts": (("001.zip",), ("build: passed", "ai_index_2025', 2025")),
    "21-one-cell-costs-the-record": (("2024, 'CN', 1)", "2024, 'US', 3)"), ()),
    "22-utf8-twice": (("'FR', 1)", "'CN', 1)", "'US', 1)"), ("'XX'",)),
    "23-blank-last-line": (("2025, 'US', 7)", "2025, 'CN', 3)", "2024, 'US', 1)"), ("Error",)),
    "24-expand-refused": (("'CN', 10.0, 10.0, 1.0)",), ("SourceError",)),
}


@pytest.fixture(autouse=True)
def _own_process_state(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The runner changes folder, environment, time zone and search path; all of it comes back."""
    before = dict(os.environ)
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    os.environ.clear()
    os.environ.update(before)
    time.tzset()


def _tables_with_rows(path: Path, tables: Sequence[str], stage: str) -> Report:
    """Most tables of a case are empty, and what is asked of them takes half of its time."""
    with connect(path, read_only=True) as con:
        names = {table: contracts()[table].sql_name for table in tables}
        filled = [t for t, name in names.items() if con.sql(f"FROM {name} LIMIT 1").fetchone()]
    return validate_database(path, filled, stage)


def _no_pages(_reports: object, folder: Path, _as_of: date) -> None:
    """The pages about the expectations take a sixth of a case and show none of its numbers."""
    folder.mkdir(parents=True)


@pytest.mark.parametrize("name", RIGHT)
def test_case_comes_out_right(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = CASES / "sources" / name
    if not folder.is_dir():
        pytest.skip(f"no recorded cases at {CASES} (set OBSERVATORY_CASES)")
    monkeypatch.setattr(sys, "argv", ["run_case.py", str(folder), "--repo", str(ROOT)])
    monkeypatch.setattr(sequence, "build_docs", _no_pages)
    monkeypatch.setattr(sequence, "validate_database", _tables_with_rows)
    runpy.run_path(str(CASES / "run_case.py"), run_name="__main__")
    answer = capsys.readouterr().out
    expected, forbidden = RIGHT[name]
    assert [text for text in expected if text not in answer] == [], answer
    assert [text for text in forbidden if text in answer] == [], answer
