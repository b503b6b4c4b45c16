"""Commands that read what a run left behind: archive, warehouse, releases."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import pytest

from flows.cli.options import SAMPLE
from tests.support.command_line import call, files_in, flat, places
from warehouse.archive.archive import Archive
from warehouse.archive.draft import open_draft
from warehouse.contracts.table import contracts

DAY = "2026-08-15"


def test_status_without_data_succeeds_and_creates_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = json.loads(call("status", "--json").stdout)
    absent = found.pop("archive")
    assert {(s["state"], s["snapshots"], s["newest"]) for s in absent} == {("no_data", 0, None)}
    assert {"hub", "lmarena", "epoch", "ai_index"} <= {s["source"] for s in absent}
    assert found == {
        "refused": {},
        "refused_at_arrival": {},
        "unfinished": [],
        "warehouse": None,
        "published": [
            {"url": "data/published", "release_id": None, "as_of": None, "audience": None}
        ],
    }
    assert "none yet" in call("status").stdout
    assert files_in(tmp_path) == {}


def test_status_shows_archive_warehouse_and_releases(sampled: tuple[Path, str]) -> None:
    folder, _ = sampled
    done = call("status", f"--archive={SAMPLE}", *places(folder), "--json")
    found = json.loads(done.stdout)
    assert done.stderr == ""
    known = [s for s in found["archive"] if s["state"] == "has_data"]
    assert {(s["source"], s["snapshots"], s["newest"]) for s in known} == {
        ("epoch", 6, "2026-05-02"),
        ("hub", 2, "2026-08-15"),
        ("hub_evolution", 1, "2026-08-15"),
        ("hub_trending", 11, "2026-07-21"),
        ("hub_trending_feed", 29, "2025-02-28"),
        ("lmarena", 1, "2026-06-26"),
    }
    assert {s["records"] for s in known} == {342, 420, 1141, 10, 32527}
    assert all(s["is_sample"] for s in known)
    absent = {s["source"]: s for s in found["archive"] if s["state"] == "no_data"}
    assert {"hub_namespaces", "ai_index"} <= set(absent)
    assert {(s["snapshots"], s["newest"], s["records"]) for s in absent.values()} == {
        (0, None, None)
    }
    assert (found["warehouse"]["as_of"], found["warehouse"]["is_sample"]) == (DAY, True)
    pointer = json.loads((folder / "published/latest.json").read_bytes())
    assert found["published"][0]["release_id"] == pointer["release_id"]
    text = flat(call("status", f"--archive={SAMPLE}", *places(folder)).stdout)
    for part in ("epoch", "2026-05-02", "342", pointer["release_id"]):
        assert part in text


def test_status_shows_unfinished_observations(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "[red]archive[/nothing]")
    with open_draft(archive, "hub", date(2026, 8, 15)) as draft:
        draft.add_file("pages/000001.json", b"[]", url="https://example.org")
    arguments = ["status", f"--archive={archive.root}", *places(tmp_path)]
    assert json.loads(call(*arguments, "--json").stdout)["unfinished"] == [str(draft.folder)]
    done = call(*arguments)
    assert done.exit_code == 0, done.output
    assert str(draft.folder) in done.stdout


def test_tables_lists_every_table_with_its_rows(sampled: tuple[Path, str]) -> None:
    folder, _ = sampled
    found = json.loads(call("tables", places(folder)[0], "--json").stdout)
    rows = {t["table"]: t["rows"] for t in found}
    assert set(rows) == set(contracts()) - {"meta.release"}
    assert (rows["raw.hub_models"], rows["raw.epoch_models"]) == (840, 1190)
    assert all(t["grain"] and t["description"] for t in found)
    text = call("tables", places(folder)[0]).stdout
    for name in rows:
        assert name in text


def test_status_is_written_for_people(sampled: tuple[Path, str]) -> None:
    text = call("status", f"--archive={SAMPLE}", *places(sampled[0])).stdout
    assert f"archive {SAMPLE} (the bundled SAMPLE)" in text
    assert "observatory.duckdb: SAMPLE, as of 2026-08-15, built by code" in flat(text)
    for representation in ("datetime", "{'", "True", "None"):
        assert representation not in text


def test_an_excluded_snapshot_is_shown_with_its_reason(tmp_path: Path) -> None:
    archive = f"--archive={shutil.copytree(SAMPLE, tmp_path / 'archive')}"
    assert call("exclude", "hub/2026-08-15", "--reason=half of it", archive).exit_code == 0
    assert "excluded from builds: hub/2026-08-15 (half of it)" in call("status", archive).stdout
    assert call("exclude", "hub/2026-08-15", "--undo", archive).exit_code == 0
    assert "excluded from builds" not in call("status", archive).stdout


# --- tables, claims, trace -----------------------------------------------------------------------


def test_tables_describes_the_columns_of_one_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    contract = contracts()["mart.country_share_daily"]
    found = json.loads(call("tables", "country_share_daily", "--json").stdout)
    assert [c["column"] for c in found["columns"]] == list(contract.columns)
    assert all(c["type"] and c["meaning"] for c in found["columns"])
    text = flat(call("tables", "mart.country_share_daily").stdout)
    assert contract.description.split(".")[0] in text
    for name, column in contract.columns.items():
        assert name in text
        assert column.description.split()[0] in text
    assert "DOUBLE or null" in text


def test_claims_show_percentages(sampled: tuple[Path, str]) -> None:
    warehouse = places(sampled[0])[0]
    text = call("claims", "--id=best-model-is-open", warehouse).stdout
    assert "when published" in text
    assert "today" in text
    assert "100.0 %" in text
    assert "e-0" not in text
    assert "e-0" not in call("claims", warehouse).stdout


def test_an_unknown_statement_is_named(sampled: tuple[Path, str]) -> None:
    done = call("claims", "--id=nothing", places(sampled[0])[0])
    assert done.exit_code == 5
    assert "no statement 'nothing' in" in done.stderr


def test_trace_shows_small_probabilities_as_percentages(sampled: tuple[Path, str]) -> None:
    key = ["board=text", "category=overall", "publish_date=2026-06-26", "country_code=CN"]
    done = call("trace", "mart.arena_leaders", *key, places(sampled[0])[0])
    assert done.exit_code == 0, done.output
    assert "< 0.1 %" in done.stdout
    assert "e-07" not in done.stdout.split("Records")[0]
    assert "SAMPLE" in done.stdout


# --- after `run --sample`, without options -------------------------------------------------------


@pytest.fixture
def after_a_sample_run(
    sampled: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A folder as `run --sample` leaves it: no archive, and the warehouse in data/."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(sampled[0], tmp_path / "data", ignore=shutil.ignore_patterns("archive"))
    return tmp_path


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("status", "hub 2 2026-08-15"),
        ("claims", "best-model-is-open"),
        ("tables", "mart.country_share_daily"),
        ("history update", "snapshots added"),
        ("trace raw.hub_evolution_counters line=1", "sha256"),
        ("publish", "was there already, reused"),
    ],
)
def test_plain_commands_find_the_sample(after_a_sample_run: Path, command: str, shown: str) -> None:
    done = call(*command.split())
    assert done.exit_code == 0, done.output
    assert shown in flat(done.stdout)
    if command not in ("claims", "tables"):  # these read the warehouse alone
        assert "SAMPLE" in done.output


@pytest.mark.slow
def test_as_of_finds_the_sample(after_a_sample_run: Path) -> None:
    done = call("as-of", DAY)
    assert done.exit_code == 0, done.output
    assert f"SAMPLE of public figures as of {DAY}" in done.stdout


def test_a_configured_archive_is_never_replaced_by_the_sample(after_a_sample_run: Path) -> None:
    own = call("status", "--archive=mine", "--json").stdout
    assert {s["state"] for s in json.loads(own)["archive"]} == {"no_data"}
    env = call("status", "--json", OBSERVATORY_ARCHIVE="mine").stdout
    assert {s["state"] for s in json.loads(env)["archive"]} == {"no_data"}
