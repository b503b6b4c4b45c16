"""Names from outside are shown, never obeyed: on the terminal, in Markdown, JSON and the log."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import duckdb
import pytest

from flows.cli.output import log_to_stderr
from flows.cli.summary import print_summary
from flows.reports import headline
from flows.settings import Settings
from tests.support.command_line import HOSTILE, assert_harmless, call

DAY = "2026-08-15"


@pytest.fixture
def sample(sampled: tuple[Path, str], tmp_path: Path) -> Path:
    """A copy of the replayed sample that a test may change."""
    return shutil.copytree(sampled[0], tmp_path / "sample")


@pytest.fixture
def with_hostile_names(sample: Path) -> Settings:
    """A warehouse with such names where the summary shows names."""
    with duckdb.connect(str(sample / "observatory.duckdb")) as con:
        con.execute("UPDATE mart.arena_leaders SET best_model = ?", [HOSTILE])
        con.execute(
            "INSERT INTO raw.quarantine VALUES ('hub/2026-08-15', DATE '2026-08-15', "
            "'raw.hub_models', ?, 1, ?, ?, 'record', NULL)",
            [HOSTILE] * 3,
        )
    return Settings(warehouse=sample / "observatory.duckdb", docs=sample / "docs")


def test_hostile_names_do_not_steer_the_terminal(
    with_hostile_names: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    print_summary(with_hostile_names, [], as_json=False)
    text = capsys.readouterr().out
    assert_harmless(text)
    assert "[bold]" in text  # shown, not obeyed
    assert "evil" in text


def test_hostile_names_are_escaped_in_markdown(with_hostile_names: Settings) -> None:
    lines = headline.markdown(headline.headline(with_hostile_names.warehouse)).splitlines()
    (name,) = {line.split(" | ")[1] for line in lines if "evil" in line}
    for shown in ("\\|cell\\|", "\\`code\\`", "&lt;script>", "\\[a](b)", "\\[bold]"):
        assert shown in name
    assert_harmless(name)
    rows = [line for line in lines if "evil" in line]
    assert all(line.startswith("| ") and line.endswith(" |") for line in rows)


def test_hostile_names_are_data_in_json(
    with_hostile_names: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    print_summary(with_hostile_names, [], as_json=True)
    text = capsys.readouterr().out
    assert_harmless(text)
    assert {r["best_model"] for r in json.loads(text)["arena_leaders"]} == {HOSTILE}


def test_hostile_names_do_not_steer_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr()
    logging.getLogger("observatory.test").warning("quarantined: %s", HOSTILE)
    text = capsys.readouterr().err
    assert_harmless(text)
    assert "[bold]x[/red]" in text


def test_a_hostile_sidecar_is_reported_without_control_characters(tmp_path: Path) -> None:
    folder = tmp_path / "hub" / DAY
    folder.mkdir(parents=True)
    (folder / "snapshot.json").write_text(json.dumps({"source": HOSTILE, HOSTILE: 1}))
    done = call("status", f"--archive={tmp_path}")
    assert done.exit_code == 5
    assert "is not a valid sidecar" in done.stderr
    assert_harmless(done.output)
