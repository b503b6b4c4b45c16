"""The commands of `observatory registry`, as a user types them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from flows.steps import build as steps
from tests.conftest import ROOT
from tests.support.registry_edits import Rows, cell, edit, line_of
from warehouse.archive.archive import Archive
from warehouse.registry import load

REGISTRY = load.REGISTRY
SAMPLE = ROOT / "warehouse" / "sample"


def observatory(*arguments: str, registry: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command as a user types it; with another registry folder if one is given."""
    code = (
        "import sys; from pathlib import Path; from warehouse.registry import load\n"
        f"load.REGISTRY = Path({str(registry or REGISTRY)!r})\n"
        "from flows.cli.app import app; app(sys.argv[1:])"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled sample as far as core, with one heavy name of each system not examined."""
    place = tmp_path_factory.mktemp("registry")
    copied = shutil.copytree(REGISTRY, place / "registry")

    def drop(rows: Rows) -> None:
        gone = {("hub", "deepseek-ai"), ("lmarena", "google"), ("epoch", "openai")}
        rows[:] = [r for r in rows if (r["system"], r["namespace"].lower()) not in gone]

    edit(copied / "namespaces.csv", drop)
    path, archive = place / "sample.duckdb", Archive(SAMPLE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load, "REGISTRY", copied)
        steps.load_raw(path, archive, archive.snapshots())
        steps.transform(path, "core", steps.Clocks(date(2026, 8, 15)))
    return path


def test_check_reports_a_valid_registry() -> None:
    done = observatory("registry", "check")
    assert done.returncode == 0, done.stderr
    assert "the registry is valid: " in done.stdout


def test_check_reports_file_and_line_without_a_traceback(tmp_path: Path) -> None:
    copied = shutil.copytree(REGISTRY, tmp_path / "registry")
    edit(copied / "labs.csv", cell("deepseek", "country_code", "QQ"))
    done = observatory("registry", "check", registry=copied)
    assert done.returncode == 5
    line = line_of(copied / "labs.csv", "deepseek,")
    assert f"labs.csv:{line}: country_code 'QQ' is not an ISO" in done.stderr
    assert "Traceback" not in done.stderr


def answer(*arguments: str) -> Any:
    done = observatory(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_gaps_lists_unexamined_names_by_weight(warehouse: Path) -> None:
    found = answer("registry", "gaps", f"--warehouse={warehouse}", "--limit=3")
    lacking = found["unexamined"]
    by_system = {s: [r for r in lacking if r["system"] == s] for s in ("hub", "lmarena", "epoch")}
    for rows in by_system.values():
        weights = [r["weight"] for r in rows]
        assert 1 <= len(weights) <= 3
        assert weights == sorted(weights, reverse=True)
    tops = {s: rows[0]["name"] for s, rows in by_system.items()}
    assert {s: n.lower() for s, n in tops.items()} == {
        "hub": "deepseek-ai",
        "lmarena": "google",
        "epoch": "openai",
    }
    with duckdb.connect(str(warehouse), read_only=True) as con:
        ((share,),) = con.execute(
            "SELECT sum(downloads_30d) FILTER (author = 'deepseek-ai') / sum(downloads_30d) "
            "FROM core.hub_daily_counters JOIN core.hub_models USING (model_id_hf) "
            "WHERE as_of_date = DATE '2026-08-15'"
        ).fetchall()
    assert by_system["hub"][0]["share"] == pytest.approx(share)
    examined = {r["system"]: r["examined_share"] for r in found["coverage"]}
    rest = sum(r["share"] for r in by_system["hub"])
    assert examined["hub"] <= 1 - rest + 1e-9
    assert 0.5 < examined["hub"] < 1


def everything_in(path: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(path.iterdir())}


def test_propose_changes_no_file(warehouse: Path) -> None:
    before = everything_in(REGISTRY), warehouse.read_bytes()
    made = answer("registry", "propose", f"--warehouse={warehouse}", "--limit=5")
    proposed = {r["name"]: r["lab_id"] for r in made}
    assert proposed["deepseek-ai"] == "deepseek"  # known in other systems
    assert {lab for name, lab in proposed.items() if name.lower() == "google"} == {"google"}
    assert all(88 <= r["score"] <= 100 for r in made)
    assert (everything_in(REGISTRY), warehouse.read_bytes()) == before
    again = answer("registry", "gaps", f"--warehouse={warehouse}", "--limit=5")["unexamined"]
    assert set(proposed) <= {r["name"] for r in again}


def test_gaps_without_a_warehouse_fails_with_instructions(tmp_path: Path) -> None:
    done = observatory("registry", "gaps", f"--warehouse={tmp_path / 'none.duckdb'}")
    assert done.returncode == 5
    assert "no warehouse at" in done.stderr
    assert "Traceback" not in done.stderr
