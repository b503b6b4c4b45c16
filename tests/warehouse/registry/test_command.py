"""The commands of `observatory registry`, as a user types them."""

from __future__ import annotations

import csv
import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from flows.steps import build as steps
from tests.conftest import ROOT
from tests.support.registry_command import observatory
from tests.support.registry_edits import Rows, cell, edit, line_of
from warehouse.archive.archive import Archive
from warehouse.contracts.evidence import GENERIC_LISTS
from warehouse.registry import load

REGISTRY = load.REGISTRY
SAMPLE = ROOT / "warehouse" / "sample"


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


def documented(folder: Path, name: str, day: str) -> tuple[str, str] | None:
    """Confidence and kind of evidence of a Hub name, from the CSV files alone."""

    def held(file: str, **cells: str) -> list[dict[str, str]]:
        with (folder / file).open(encoding="utf-8", newline="") as lines:
            return [
                r
                for r in csv.DictReader(lines)
                if all(r[c].lower() == v for c, v in cells.items())
                and not r["known_to"]
                and r["valid_from"] <= day < (r["valid_to"] or "9999")
            ]

    names = held("namespaces.csv", system="hub", namespace=name.lower())
    rows = [r for n in names for r in (n, *held("labs.csv", lab_id=n["lab_id"]))]
    if not rows:
        return None
    kinds = [
        "none"
        if not r["evidence_url"]
        else "list"
        if r["evidence_url"].startswith(GENERIC_LISTS)
        else "specific"
        for r in rows
    ]
    return (
        max((r["confidence"] for r in rows), key=["high", "medium", "low"].index),
        max(kinds, key=["specific", "list", "none"].index),
    )


def test_gaps_says_what_the_examined_weight_rests_on(warehouse: Path) -> None:
    found = answer("registry", "gaps", f"--warehouse={warehouse}", "--limit=9")
    parts = {r["system"]: r for r in found["coverage"]}
    for system in parts.values():
        for names in (("specific", "list", "none"), ("high", "medium", "low")):
            assert sum(system[f"{n}_share"] for n in names) == pytest.approx(1)
    with duckdb.connect(str(warehouse), read_only=True) as con:
        weights = con.execute(
            "SELECT author, sum(downloads_30d)::DOUBLE FROM core.hub_daily_counters "
            "JOIN core.hub_models USING (model_id_hf) WHERE as_of_date = '2026-08-15' "
            "GROUP BY author HAVING sum(downloads_30d) > 0"
        ).fetchall()
    folder = warehouse.parent / "registry"
    known = [(w, d) for name, w in weights if (d := documented(folder, name, "2026-08-15"))]
    examined = sum(w for w, _ in known)
    for i, kind in ((0, "high"), (0, "low"), (1, "specific"), (1, "none")):
        again = sum(w for w, d in known if d[i] == kind) / examined
        assert parts["hub"][f"{kind}_share"] == pytest.approx(again), kind


def test_gaps_lists_the_heaviest_names_without_specific_evidence(warehouse: Path) -> None:
    found = answer("registry", "gaps", f"--warehouse={warehouse}", "--limit=5")
    weak = found["without_specific_evidence"]
    undocumented = {r["system"] for r in found["coverage"] if r["specific_share"] < 1}
    assert {r["system"] for r in weak} == undocumented >= {"hub", "epoch"}
    assert {r["evidence_kind"] for r in weak} <= {"list", "none"}
    for system in undocumented:
        weights = [r["weight"] for r in weak if r["system"] == system]
        assert 1 <= len(weights) <= 5
        assert weights == sorted(weights, reverse=True)
    assert not {r["name"] for r in weak} & {r["name"] for r in found["unexamined"]}
    shown = observatory("registry", "gaps", f"--warehouse={warehouse}", "--limit=1").stdout
    assert "heaviest names without specific evidence" in shown
    assert weak[0]["name"] in shown


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
