"""What the sample says about published statements also holds on the complete recordings."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest

from tests.conftest import DAY, Shared
from tests.support.builds import build_tables
from tests.support.recorded_days import add_histories
from warehouse.archive.archive import Archive

LEAST = 15  # statements with a verdict
Ledger = dict[tuple[str, str], str]


def ledger(path: Path) -> Ledger:
    """Verdicts by statement and moment, without those that cannot be tested."""
    with duckdb.connect(str(path), read_only=True) as con:
        rows = con.execute("SELECT claim_id, moment, verdict FROM mart.claims").fetchall()
    return {(claim, moment): v for claim, moment, v in rows if v != "not_testable"}


@pytest.fixture(scope="module")
def on_sample(sampled: tuple[Path, str]) -> Ledger:
    return ledger(sampled[0] / "observatory.duckdb")


@pytest.fixture(scope="module")
def on_recordings(
    recorded_days: Path, recordings: Path, more_recordings: Path, shared: Shared
) -> Ledger:
    """With every recorded day of every source, third parties' histories included."""

    def fill(folder: Path) -> None:
        archive = shutil.copytree(recorded_days, folder / "archive")
        add_histories(recordings, more_recordings, Archive(archive))
        build_tables(archive, DAY, folder / "built.duckdb", folder / "history")

    return ledger(shared("recorded-histories", fill) / "built.duckdb")


def test_the_first_run_answers(on_sample: Ledger) -> None:
    assert len([key for key in on_sample if key[1] == "stated"]) >= LEAST


@pytest.mark.slow
def test_a_verdict_on_the_sample_holds_on_the_recordings(
    on_sample: Ledger, on_recordings: Ledger
) -> None:
    common = on_sample.keys() & on_recordings.keys()
    assert len([key for key in common if key[1] == "stated"]) >= LEAST
    assert {k: (on_sample[k], on_recordings[k]) for k in common} == {
        k: (on_sample[k], on_sample[k]) for k in common
    }


@pytest.mark.slow
def test_nothing_is_contradicted_on_the_sample_alone(
    on_sample: Ledger, on_recordings: Ledger
) -> None:
    contradicted = {key for key, verdict in on_sample.items() if verdict == "contradicted"}
    assert {key for key in contradicted if on_recordings.get(key) != "contradicted"} == set()
