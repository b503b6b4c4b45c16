"""The sample replaces real observations in a warehouse or published place only if asked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import duckdb
import pytest

from flows.cli.options import SAMPLE
from tests.support.command_line import call, files_in, flat

WAREHOUSE = "data/observatory.duckdb"


@pytest.fixture
def real(sampled: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a warehouse and a release of real observations at the default places."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(sampled[0], "data")
    with duckdb.connect(WAREHOUSE) as con:
        con.execute("UPDATE meta.build SET is_sample = false")
    latest = Path("data/published/latest.json")
    latest.write_text(json.dumps(json.loads(latest.read_bytes()) | {"is_sample": False}))
    return tmp_path


COMMANDS = (("run", "--sample"), ("replay", f"--archive={SAMPLE}", "--as-of=2026-08-15"))


@pytest.mark.parametrize("command", COMMANDS, ids=["run", "replay"])
def test_the_sample_does_not_replace_a_real_warehouse(real: Path, command: tuple[str, ...]) -> None:
    before = files_in(real)
    done = call(*command, "--publish-to=elsewhere")
    assert done.exit_code == 5, done.output
    assert f"{WAREHOUSE} has real observations" in flat(done.stderr)
    assert "use another --warehouse, or --allow-sample" in flat(done.stderr)
    assert len(done.stderr.strip().splitlines()) == 1
    assert files_in(real) == before


@pytest.mark.parametrize("command", COMMANDS, ids=["run", "replay"])
def test_the_sample_does_not_replace_a_real_release(real: Path, command: tuple[str, ...]) -> None:
    before = files_in(real)
    done = call(*command, "--warehouse=sample.duckdb", "--publish-to=data/published")
    assert done.exit_code == 6, done.output
    assert "use another --publish-to, or --allow-sample" in flat(done.stderr)
    assert files_in(real) == before


def test_publishing_the_sample_does_not_replace_a_real_release(
    real: Path, sampled: tuple[Path, str]
) -> None:
    before = files_in(real)
    done = call("publish", f"--warehouse={sampled[0] / 'observatory.duckdb'}")
    assert done.exit_code == 6, done.output
    assert "--allow-sample" in done.stderr
    assert files_in(real) == before


@pytest.mark.slow
def test_the_sample_replaces_a_real_warehouse_if_asked(real: Path) -> None:
    done = call(*COMMANDS[1], "--publish-to=elsewhere", "--allow-sample")
    assert done.exit_code == 0, done.output
    with duckdb.connect(WAREHOUSE, read_only=True) as con:
        assert con.execute("SELECT is_sample FROM meta.build").fetchall() == [(True,)]
    again = call(*COMMANDS[1], "--publish-to=elsewhere")
    assert again.exit_code == 0, "a sample replaces a sample"
