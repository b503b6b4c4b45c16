"""Files that the producer repairs: the correction is reported and not applied."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from expectations.report import Report
from flows.sources.http import SourceError
from flows.steps.observe import observe
from tests.conftest import DAY, settings_for
from tests.standin import StandIn
from tests.support.ai_index_build import build, checked
from tests.support.frames import compute
from warehouse.contracts.source import cards
from warehouse.contracts.table import contracts
from warehouse.releases.licensing import plan_release

KEPT = [
    "1.1.1",
    "1.1.2",
    "1.2.3",
    "1.2.3(1)",
    "1.6.1",
    "3.8.3",
    "4.2.9",
    "4.2.14",
    "4.4.33",
    "8.4.2",
]


@pytest.fixture
def laid(recordings: Path, tmp_path: Path) -> Path:
    """Some files of the 2026 edition, to be changed."""
    for number in KEPT:
        (found,) = (recordings / "ai_index/2026").rglob(f"fig_{number}.csv")
        target = tmp_path / "recorded/ai_index/2026/1. Research/Data" / found.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(found, target)
    return tmp_path / "recorded"


def rebuilt(laid: Path, folder: Path) -> tuple[dict[str, pl.DataFrame], Report]:
    with StandIn(laid) as server:
        settings = settings_for(server, folder)
        observe("ai_index", settings, DAY)
        made = build(settings, folder / "observatory.duckdb")
    return made, checked(folder / "observatory.duckdb")


def announced(report: Report) -> set[str]:
    (result,) = [r for r in report.results if r.expectation == "correction_still_applies"]
    assert result.severity == "warning"
    rows = json.loads(result.details or "{}").get("rows", [])
    return {row["correction_id"] for row in rows}


def replaced(old: str, new: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        data = path.read_bytes()
        assert old.encode() in data
        path.write_bytes(data.replace(old.encode(), new.encode()))

    return change


def to_utf8(path: Path) -> None:
    path.write_bytes(path.read_bytes().decode("mac_roman").encode())


@pytest.mark.parametrize(
    ("number", "repair", "correction"),
    [
        ("1.1.1", replaced("50,United States", "59,United States"), "2026-1.1.1"),
        ("1.1.1", replaced("1,Hong Kong", "1,Hong Kong\n1,Singapore"), "2026-1.1.1"),
        ("1.2.3(1)", Path.unlink, "2026-1.2.3-second"),
        ("1.6.1", replaced("2013,0.216", "2025,0.216"), "2026-1.6.1"),
        ("3.8.3", replaced("Country Code", "Dimension"), "2026-3.8.3"),
        ("4.2.9", replaced("2025,1953", "2025,1073"), "2026-4.2.9-4.2.14"),
        ("8.4.2", replaced("France,4", "France (upper chamber),4"), "2026-8.4.2"),
        ("4.4.33", to_utf8, "2026-4.4.33-encoding"),
    ],
)
def test_repaired_file_is_reported(
    laid: Path, tmp_path: Path, number: str, repair: Callable[[Path], None], correction: str
) -> None:
    (path,) = laid.rglob(f"fig_{number}.csv")
    repair(path)
    made, report = rebuilt(laid, tmp_path)
    assert announced(report) == {correction}
    report.raise_for_critical()
    revised = made["core.ai_index_series"].filter(pl.col("revision") == 2)
    assert revised.is_empty() == (number == "1.1.1")


def test_outdated_correction_is_not_applied_to_a_repaired_figure(
    laid: Path, tmp_path: Path
) -> None:
    made, report = rebuilt(laid, tmp_path / "as it was")
    assert announced(report) == set()

    def americans(made: dict[str, pl.DataFrame]) -> list[tuple[int, float, bool]]:
        found = made["core.ai_index_series"].filter(figure="1.1.1", country_code="US")
        return found.select("revision", "value", "is_preferred").sort("revision").rows()

    assert americans(made) == [(1, 50.0, False), (2, 59.0, True)]
    (path,) = laid.rglob("fig_1.1.1.csv")
    replaced("50,United States", "61,United States")(path)  # a third number: neither is ours to fix
    made, report = rebuilt(laid, tmp_path / "repaired")
    assert americans(made) == [(1, 61.0, True)]
    assert announced(report) == {"2026-1.1.1"}


def test_two_figures_with_the_same_content_stop_the_build_if_one_is_mapped(
    laid: Path, tmp_path: Path
) -> None:
    (one,) = laid.rglob("fig_1.1.2.csv")
    shutil.copyfile(one, one.with_name("fig_7.7.7.csv"))
    _, report = rebuilt(laid, tmp_path)
    failed = {r.expectation for r in report.failures("critical")}
    assert failed == {"mapped_figures_have_distinct_content"}


def test_unlisted_file_that_is_not_utf8_is_an_error(laid: Path, tmp_path: Path) -> None:
    (path,) = laid.rglob("fig_1.6.1.csv")
    path.write_bytes(path.read_bytes() + b"\xff")
    with StandIn(laid) as server, pytest.raises(SourceError, match="is not UTF-8"):
        observe("ai_index", settings_for(server, tmp_path), DAY)


def test_tables_derived_from_the_figures_are_not_in_a_public_release() -> None:
    derived = {
        name: c
        for name, c in contracts().items()
        if c.published and "ai_index" in name and "ai_index" in c.license_inputs
    }
    expected = {"core.ai_index_series", "mart.ai_index_restated", "mart.ai_index_arena_gap"}
    assert expected <= set(derived)
    shares = plan_release(derived, cards(), "public").shares
    withheld = {name for name in derived if shares[name].is_left_out}
    # only the printed rows of this table are withheld
    assert set(derived) - withheld == {"mart.ai_index_reconciliation"}
    assert shares["mart.ai_index_reconciliation"].included_rows != "true"
    assert not any(
        s.is_left_out for s in plan_release(derived, cards(), "internal").shares.values()
    )


def test_marts_are_empty_without_figures() -> None:
    assert compute("mart.ai_index_restated").is_empty()
    assert compute("mart.ai_index_arena_gap").is_empty()
