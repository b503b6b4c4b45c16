"""Runs on the bundled sample: what they print, publish and validate."""

from __future__ import annotations

import json
import logging
import re
import shutil
from pathlib import Path

import duckdb
import pytest

from expectations.report import Report, Result
from flows.cli.options import SAMPLE
from flows.reports.validation import EXPECTED_IN_SAMPLE, log_outcome, outcome
from tests.support.command_line import HOSTILE, assert_harmless, call, files_in, flat, places

DAY = "2026-08-15"


@pytest.fixture
def sample(sampled: tuple[Path, str], tmp_path: Path) -> Path:
    """A copy of the replayed sample that a test may change."""
    return shutil.copytree(sampled[0], tmp_path / "sample")


def test_the_summary_explains_the_numbers(sampled: tuple[Path, str]) -> None:
    folder, text = sampled[0], flat(sampled[1])
    for part in (
        f"SAMPLE of public figures as of {DAY}: a selection, not the whole Hub.",
        "Share of 30-day downloads on the Hugging Face Hub, 420 of about 2.97 million models "
        f"observed on {DAY}",
        "fractional credit. ZZ: examined, not attributable to one country. XX: not examined yet.",
        "all, by base",
        "llm_vlm, by publisher",
        "Leaders of LMArena text, overall, not style-controlled, board of 2026-06-26",
        "Notable AI models by country and year",
        f"{folder / 'published'}/latest.json",
        f"duckdb {folder / 'observatory.duckdb'}",
    ):
        assert part in text, part
    manifest = json.loads((folder / "published/latest/manifest.json").read_bytes())
    assert manifest["is_sample"] is True


def test_a_run_parses_no_file_twice(sampled: tuple[Path, str]) -> None:
    """Contracts, cards, statements and texts: a process reads each of them once."""
    parsed = json.loads((sampled[0] / "parsed.json").read_bytes())
    assert parsed, "the statements at least are read within the run"
    assert {name: n for name, n in parsed.items() if n > 1} == {}


@pytest.mark.slow
def test_replaying_again_gives_the_same_release_and_reuses_it(sample: Path) -> None:
    before = files_in(sample / "published")
    done = call("replay", f"--archive={SAMPLE}", *places(sample), f"--as-of={DAY}", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    (again,) = found["published"]
    assert again["is_reused"]
    assert again["uploaded_bytes"] == 0
    assert again["release_id"] == json.loads(before["latest.json"])["release_id"]
    assert files_in(sample / "published") == before
    assert found["about"]["is_sample"] is True
    assert {row["source"]: row["records"] for row in found["read"]} == {
        "epoch": 1703,
        "hub": 840,
        "hub_evolution": 1141,
        "hub_trending": 110,
        "hub_trending_feed": 290,
        "lmarena": 32527,
    }
    for table in ("country_share_daily", "arena_leaders", "notable_models_by_country"):
        assert found[table]
    assert done.stderr == "", "a warning that is expected for the sample is not shown with --json"


@pytest.mark.slow
def test_publish_for_the_public_to_another_place(sample: Path, tmp_path: Path) -> None:
    before = files_in(sample)
    done = call(
        "publish",
        places(sample)[0],
        f"--publish-to={tmp_path / 'open'}",
        "--audience=public",
        "--json",
    )
    assert done.exit_code == 0, done.output
    (found,) = json.loads(done.stdout)["published"]
    assert found["audience"] == "public"
    manifest = json.loads((tmp_path / "open/latest/manifest.json").read_bytes())
    assert "raw.ai_index_rows" not in {t["name"] for t in manifest["tables"]}
    assert found["n_left_out"] == len(manifest["left_out"]) > 0
    assert files_in(sample) == before


@pytest.mark.slow
def test_validate_runs_all_expectations_and_changes_nothing(sample: Path) -> None:
    before = files_in(sample)
    done = call("validate", places(sample)[0], "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["summary"]["expectations"] > 300
    assert [f for f in found["failures"] if f["severity"] == "critical"] == []
    assert files_in(sample) == before


@pytest.mark.slow
def test_validate_names_the_row_at_fault(sample: Path) -> None:
    with duckdb.connect(str(sample / "observatory.duckdb")) as con:
        con.execute(
            "UPDATE mart.arena_leaders SET best_rank_ordinal = -7 WHERE country_code = 'CN'"
        )
        con.execute(
            "UPDATE raw.hub_models SET author = ?, likes = -1 WHERE likes > 9000", [HOSTILE]
        )
    before = files_in(sample)
    done = call("validate", places(sample)[0])
    assert done.exit_code == 4
    assert "mart.arena_leaders" in done.stderr
    assert "-7" in done.stderr
    assert "raw.hub_models" in done.stderr
    assert_harmless(done.output)
    assert files_in(sample) == before


def test_the_next_steps_work(sampled: tuple[Path, str]) -> None:
    steps = re.findall(r"^  python -m flows.cli (.*)$", sampled[1].split("Next steps")[1], re.M)
    assert len(steps) >= 3
    for step in steps:
        done = call(*step.split())
        assert done.exit_code == 0, (step, done.output)


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ({"critical": 0, "warning": 0}, "all passed"),
        ({"critical": 0, "warning": 1}, "1 warning"),
        ({"critical": 2, "warning": 3}, "2 failed, 3 warnings"),
    ],
)
def test_a_warning_is_not_called_a_failure(counts: dict[str, int], text: str) -> None:
    assert outcome(counts) == text


def test_an_expected_warning_of_the_sample_is_named_as_such(
    sampled: tuple[Path, str], caplog: pytest.LogCaptureFixture
) -> None:
    warning = Result(
        "core",
        *sorted(EXPECTED_IN_SAMPLE)[0],
        *(None, "warning", "failed", 1, 1, None, "A rename needs an alias."),
    )
    logging.getLogger("observatory").propagate = True
    with caplog.at_level(logging.INFO, "observatory"):
        log_outcome(sampled[0] / "observatory.duckdb", "core", Report((warning,)))
    assert "core: 1 expectations, 1 warning (expected for the sample)" in caplog.text
    assert "WARNING" not in caplog.text
