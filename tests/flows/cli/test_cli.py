"""The command line as people and scripts meet it; all on the bundled sample, with no network."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from unicodedata import category

import duckdb
import pytest
from click.testing import Result
from typer.testing import CliRunner

from flows.cli import app as cli
from flows.cli import terminal
from flows.cli.app import SAMPLE, app
from flows.reports import headline
from flows.settings import ALL_SOURCES, Settings
from tests.conftest import ROOT
from warehouse.archive.archive import Archive
from warehouse.archive.draft import open_draft
from warehouse.contracts.table import contracts

DAY = "2026-08-15"
COMMANDS = {
    "run": ["--archive", "--warehouse", "--publish-to", "--as-of", "--sources", "--json"],
    "replay": ["--archive", "--warehouse", "--publish-to", "--as-of", "--sources", "--json"],
    "validate": ["--warehouse", "--json"],
    "publish": ["--warehouse", "--publish-to", "--audience", "--allow-shrink", "--json"],
    "status": ["--archive", "--warehouse", "--publish-to", "--json"],
    "tables": ["--warehouse", "--json"],
    "as-of": ["--archive", "--sources", "--json"],
    "observe": ["--archive", "--as-of", "--at", "--json"],
    "backfill": ["--reason", "--workers", "--scheduler", "--archive", "--as-of", "--json"],
    "publish-hub": ["--really", "--warehouse", "--json"],
    "refuse": ["--reason", "--undo", "--archive"],
    "releases": ["--publish-to", "--json"],
    "journal": ["--publish-to", "--json"],
    "diff": ["--publish-to", "--json"],
    "verify": ["--publish-to", "--json"],
    "rollback": ["--channel", "--publish-to"],
    "promote": ["--publish-to"],
    "pin": ["--reason", "--undo", "--publish-to"],
    "clean": ["--keep", "--grace", "--apply", "--publish-to", "--json"],
    "backup": ["--archive", "--sources", "--json"],
    "restore": ["--archive", "--sources", "--json"],
    "why": ["--archive", "--warehouse", "--limit", "--json"],
    "claims": ["--warehouse", "--id", "--json"],
    "page": ["--out", "--warehouse", "--audience", "--json"],
}
HOSTILE = "[bold]x[/red] \x1b[2J\x1b]0;owned\x07\u202eevil\u202c |cell|`code`<script>[a](b)\r\nnext"


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "200"})


def flat(text: str) -> str:
    return " ".join(text.split())


def held(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def places(folder: Path) -> list[str]:
    return [f"--warehouse={folder / 'observatory.duckdb'}", f"--publish-to={folder / 'published'}"]


@pytest.fixture
def sample(sampled: tuple[Path, str], tmp_path: Path) -> Path:
    """A copy of the replayed sample that a test may spoil."""
    return shutil.copytree(sampled[0], tmp_path / "sample")


# --- help ----------------------------------------------------------------------------------------


def test_help_names_every_command_and_the_exit_codes() -> None:
    told = flat(call("--help").stdout)
    for command in COMMANDS:
        assert command in told
    assert (
        "Exit codes: 0 done, 2 the call was wrong, 3 a source failed, 4 validation failed" in told
    )
    assert "published release and the warehouse stay as they were" in told
    assert call("--help").exit_code == 0
    assert {c.name or c.callback.__name__ for c in app.registered_commands} == set(COMMANDS)  # type: ignore[union-attr]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_explains_every_option(command: str) -> None:
    done = call(command, "--help")
    assert done.exit_code == 0
    for option in COMMANDS[command]:
        lines = [line for line in done.stdout.splitlines() if f" {option} " in line]
        assert lines, f"{command} --help does not show {option}"
        assert any(len(line.split(option)[1].strip(" │").split()) >= 3 for line in lines), lines


def test_help_says_what_the_clock_is_and_which_sources_there_are() -> None:
    told = flat(call("run", "--help").stdout.replace("│", " "))
    assert (
        "live answers are filed under this day, and it is the last day that a build looks at"
        in told
    )
    assert "today, UTC" in told
    for source in ALL_SOURCES:
        assert source in told.replace(" ", "")


def test_without_a_command_help_is_shown() -> None:
    done = call()
    assert "Usage:" in done.output
    assert done.exit_code in (0, 2)


def test_help_is_quick() -> None:
    """A newcomer's first call imports neither Prefect nor Great Expectations."""
    code = (
        "import sys; from typer.testing import CliRunner; from flows.cli.app import app\n"
        "assert CliRunner().invoke(app, ['run', '--help']).exit_code == 0\n"
        "assert CliRunner().invoke(app, ['status', '--json']).exit_code == 0\n"
        "print(*{m.split('.')[0] for m in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"prefect", "great_expectations", "boto3"} & set(done.stdout.split())


# --- calls that are wrong ------------------------------------------------------------------------

WRONG = {
    "a command": (["frobnicate"], "No such command 'frobnicate'"),
    "an option": (["replay", "--frobnicate"], "No such option: --frobnicate"),
    "an argument": (["replay", "extra"], "unexpected extra argument"),
    "a source": (
        ["run", "--sources", "hub,nope"],
        "unknown sources ['nope']; choose from hub_namespaces, hub,",
    ),
    "no source": (["replay", "--sources", ","], "unknown sources []; choose from"),
    "a day": (["replay", "--as-of", "2026-02-30"], "'2026-02-30' is not a day; write YYYY-MM-DD"),
    "another day": (["run", "--as-of", "yesterday"], "'yesterday' is not a day"),
    "an audience": (["publish", "--audience", "everyone"], "'everyone' is not one of"),
    "a place": (["replay", "--publish-to", "ftp://x/y"], "unsupported kind of storage"),
    "a place of run": (
        ["run", "--sample", "--publish-to", "gs://x"],
        "unsupported kind of storage",
    ),
    "an empty place": (["publish", "--publish-to", ""], "is empty"),
    "a bucket": (["status", "--publish-to", "s3://"], "s3://"),
    "a folder for a file": (["tables", "--warehouse", "."], "is a folder, not a file"),
    "a file for a folder": (["replay", "--archive", "kept"], "kept is a file, not a folder"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call_is_told_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    arguments, told = WRONG[name]
    (tmp_path / "kept").write_bytes(b"kept")
    monkeypatch.chdir(tmp_path)
    done = call(*arguments)
    assert done.exit_code == 2, done.output
    assert told in flat(done.stderr.replace("│", " "))
    assert done.stdout == ""
    assert "Traceback" not in done.output
    assert held(tmp_path) == {"kept": b"kept"}
    assert [p.name for p in tmp_path.iterdir()] == ["kept"]


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("OBSERVATORY_SOURCES", "nope", "sources: unknown sources ['nope']"),
        ("OBSERVATORY_HUB_PAGE_ROWS", "0", "hub_page_rows: Input should be greater"),
        ("OBSERVATORY_HTTP_TIMEOUT_SECONDS", "soon", "http_timeout_seconds: Input should be"),
        (
            "OBSERVATORY_PUBLISH_TO",
            "data,ftp://x",
            "publish_to: ftp://…: unsupported kind of storage",
        ),
    ],
)
def test_a_wrong_setting_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(name, value)
    done = call("status")
    assert done.exit_code == 2
    assert told in done.stderr
    assert held(tmp_path) == {}


@pytest.mark.parametrize("command", ["tables", "publish", "validate"])
def test_a_warehouse_that_is_not_there_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = call(command)
    assert done.exit_code == 5
    assert "no warehouse at data/observatory.duckdb; `observatory run` or" in done.stderr
    assert held(tmp_path) == {}


@pytest.mark.parametrize("command", ["tables", "publish", "validate", "status"])
@pytest.mark.parametrize("kind", ["text", "stranger"])
def test_a_file_that_is_no_warehouse_of_ours_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "other.duckdb"
    if kind == "text":
        path.write_bytes(b"no database at all")
    else:
        with duckdb.connect(str(path)) as con:
            con.execute("CREATE TABLE theirs AS SELECT 1 AS a")
    before = held(tmp_path)
    done = call(command, f"--warehouse={path}")
    assert done.exit_code == 5, done.output
    assert "other.duckdb" in done.stderr
    assert (
        "cannot be opened" if kind == "text" else "not an Origin Observatory warehouse"
    ) in done.stderr
    assert held(tmp_path) == before


# --- status and tables ---------------------------------------------------------------------------


def test_status_of_nothing_is_no_error_and_creates_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = json.loads(call("status", "--json").stdout)
    lacking = told.pop("archive")
    assert {(s["state"], s["snapshots"], s["newest"]) for s in lacking} == {("no_data", 0, None)}
    assert {"hub", "lmarena", "epoch", "ai_index"} <= {s["source"] for s in lacking}
    assert told == {
        "refused": {},
        "refused_at_arrival": {},
        "unfinished": [],
        "warehouse": None,
        "published": [
            {"url": "data/published", "release_id": None, "as_of": None, "audience": None}
        ],
    }
    assert "none yet" in call("status").stdout
    assert held(tmp_path) == {}


def test_status_tells_archive_warehouse_and_releases(sampled: tuple[Path, str]) -> None:
    folder, _ = sampled
    done = call("status", f"--archive={SAMPLE}", *places(folder), "--json")
    told = json.loads(done.stdout)
    assert done.stderr == ""
    known = [s for s in told["archive"] if s["state"] == "has_data"]
    assert {(s["source"], s["snapshots"], s["newest"]) for s in known} == {
        ("epoch", 1, "2026-05-02"),
        ("hub", 2, "2026-08-15"),
        ("lmarena", 1, "2026-06-26"),
    }
    assert {s["records"] for s in known} == {153, 205, 300}
    assert all(s["is_sample"] for s in known)
    lacking = {s["source"]: s for s in told["archive"] if s["state"] == "no_data"}
    assert {"hub_trending", "ai_index"} <= set(lacking)
    assert {(s["snapshots"], s["newest"], s["records"]) for s in lacking.values()} == {
        (0, None, None)
    }
    assert (told["warehouse"]["as_of"], told["warehouse"]["is_sample"]) == (DAY, True)
    pointer = json.loads((folder / "published/latest.json").read_bytes())
    assert told["published"][0]["release_id"] == pointer["release_id"]
    text = flat(call("status", f"--archive={SAMPLE}", *places(folder)).stdout)
    for part in ("epoch", "2026-05-02", "153", pointer["release_id"]):
        assert part in text


def test_status_shows_what_was_begun_and_not_finished(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "[red]archive[/nothing]")
    from datetime import date

    with open_draft(archive, "hub", date(2026, 8, 15)) as draft:
        draft.add_file("pages/000001.json", b"[]", url="https://example.org")
    arguments = ["status", f"--archive={archive.root}", *places(tmp_path)]
    assert json.loads(call(*arguments, "--json").stdout)["unfinished"] == [str(draft.folder)]
    done = call(*arguments)
    assert done.exit_code == 0, done.output
    assert str(draft.folder) in done.stdout


def test_tables_lists_every_table_with_its_rows(sampled: tuple[Path, str]) -> None:
    folder, _ = sampled
    told = json.loads(call("tables", places(folder)[0], "--json").stdout)
    rows = {t["table"]: t["rows"] for t in told}
    assert set(rows) == set(contracts()) - {"meta.release"}
    assert (rows["raw.hub_models"], rows["raw.epoch_models"]) == (410, 153)
    assert all(t["grain"] and t["description"] for t in told)
    text = call("tables", places(folder)[0]).stdout
    for name in rows:
        assert name in text


# --- replay, publish, validate -------------------------------------------------------------------


def test_the_summary_says_what_was_read_and_what_the_numbers_mean(
    sampled: tuple[Path, str],
) -> None:
    folder, said = sampled
    told = flat(said)
    for part in (
        f"SAMPLE of public figures as of {DAY}: a selection, not the whole Hub.",
        "Share of 30-day downloads on the Hugging Face Hub, 205 of about 2.97 million models "
        f"observed on {DAY}",
        "fractional credit; ZZ = examined, no single country, XX = not examined yet",
        "all, by base",
        "llm_vlm, by publisher",
        "Leaders of LMArena text, overall, not style-controlled, board of 2026-06-26",
        "Notable AI models by country and year",
        f"{folder / 'published'}/latest.json",
        f"duckdb {folder / 'observatory.duckdb'}",
    ):
        assert part in told, part
    manifest = json.loads((folder / "published/latest/manifest.json").read_bytes())
    assert manifest["is_sample"] is True


@pytest.mark.slow
def test_replaying_again_gives_the_same_release_and_reuses_it(sample: Path) -> None:
    before = held(sample / "published")
    done = call("replay", f"--archive={SAMPLE}", *places(sample), f"--as-of={DAY}", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    (again,) = told["published"]
    assert again["is_reused"]
    assert again["uploaded_bytes"] == 0
    assert again["release_id"] == json.loads(before["latest.json"])["release_id"]
    assert held(sample / "published") == before
    assert told["about"]["is_sample"] is True
    assert {row["source"]: row["records"] for row in told["read"]} == {
        "epoch": 153,
        "hub": 410,
        "lmarena": 300,
    }
    for table in ("country_share_daily", "arena_leaders", "notable_models_by_country"):
        assert told[table]
    # The sample holds a few rows of each board: Kimi K2's second version looks like a new name.
    warned = re.findall(r"^\[[\d:]+\] (\S+ \S+):", done.stderr, flags=re.M)
    assert warned == ["core.arena_ratings renamed_model_has_an_alias"]


@pytest.mark.slow
def test_publish_for_the_public_to_another_place(sample: Path, tmp_path: Path) -> None:
    before = held(sample)
    done = call(
        "publish",
        places(sample)[0],
        f"--publish-to={tmp_path / 'open'}",
        "--audience=public",
        "--json",
    )
    assert done.exit_code == 0, done.output
    (told,) = json.loads(done.stdout)["published"]
    assert told["audience"] == "public"
    manifest = json.loads((tmp_path / "open/latest/manifest.json").read_bytes())
    assert "raw.ai_index_rows" not in {t["name"] for t in manifest["tables"]}
    assert told["n_left_out"] == len(manifest["left_out"]) > 0
    assert held(sample) == before


@pytest.mark.slow
def test_validate_asks_everything_and_changes_nothing(sample: Path) -> None:
    before = held(sample)
    done = call("validate", places(sample)[0], "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["summary"]["expectations"] > 300
    assert [f for f in told["failures"] if f["severity"] == "critical"] == []
    assert held(sample) == before


@pytest.mark.slow
def test_validate_of_a_spoilt_warehouse_says_which_row(sample: Path) -> None:
    with duckdb.connect(str(sample / "observatory.duckdb")) as con:
        con.execute(
            "UPDATE mart.arena_leaders SET best_rank_ordinal = -7 WHERE country_code = 'CN'"
        )
        con.execute(
            "UPDATE raw.hub_models SET author = ?, likes = -1 WHERE likes > 9000", [HOSTILE]
        )
    before = held(sample)
    done = call("validate", places(sample)[0])
    assert done.exit_code == 4
    assert "mart.arena_leaders" in done.stderr
    assert "-7" in done.stderr
    assert "raw.hub_models" in done.stderr
    assert_inert(done.output)
    assert held(sample) == before


# --- names from outside --------------------------------------------------------------------------


def assert_inert(text: str) -> None:
    """Nothing that moves a cursor, sets a title, turns the reading direction or is invisible."""
    steering = {c for c in text if category(c) in ("Cc", "Cf", "Cs") and c != "\n"}
    assert steering == set()


@pytest.fixture
def hostile(sample: Path) -> Settings:
    """A warehouse with such names where the summary shows names."""
    with duckdb.connect(str(sample / "observatory.duckdb")) as con:
        con.execute("UPDATE mart.arena_leaders SET best_model = ?", [HOSTILE])
        con.execute(
            "INSERT INTO raw.quarantine VALUES ('hub/2026-08-15', DATE '2026-08-15', "
            "'raw.hub_models', ?, 1, ?, ?, 'record', NULL)",
            [HOSTILE] * 3,
        )
    return Settings(warehouse=sample / "observatory.duckdb", docs=sample / "docs")


def test_hostile_names_are_inert_on_the_terminal(
    hostile: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    cli._tell(hostile, [], as_json=False)
    told = capsys.readouterr().out
    assert_inert(told)
    assert "[bold]" in told  # shown, not obeyed
    assert "evil" in told


def test_hostile_names_are_inert_in_markdown(hostile: Settings) -> None:
    lines = headline.markdown(headline.headline(hostile.warehouse)).splitlines()
    (name,) = {line.split(" | ")[1] for line in lines if "evil" in line}
    for shown in ("\\|cell\\|", "\\`code\\`", "&lt;script>", "\\[a](b)", "\\[bold]"):
        assert shown in name
    assert_inert(name)
    rows = [line for line in lines if "evil" in line]
    assert all(line.startswith("| ") and line.endswith(" |") for line in rows)


def test_hostile_names_are_data_in_json(
    hostile: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    cli._tell(hostile, [], as_json=True)
    told = capsys.readouterr().out
    assert not {c for c in told if ord(c) < 32 and c != "\n"}
    assert {r["best_model"] for r in json.loads(told)["arena_leaders"]} == {HOSTILE}


def test_hostile_names_are_inert_in_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.log_to_stderr(quiet=False)
    logging.getLogger("observatory.test").warning("set aside: %s", HOSTILE)
    told = capsys.readouterr().err
    assert_inert(told)
    assert "[bold]x[/red]" in told


def test_a_hostile_archive_is_told_without_being_obeyed(tmp_path: Path) -> None:
    folder = tmp_path / "hub" / DAY
    folder.mkdir(parents=True)
    (folder / "snapshot.json").write_text(json.dumps({"source": HOSTILE, HOSTILE: 1}))
    done = call("status", f"--archive={tmp_path}")
    assert done.exit_code == 5
    assert "is not a valid sidecar" in done.stderr
    assert_inert(done.output)


# --- as installed --------------------------------------------------------------------------------


def run_module(folder: Path, *arguments: str) -> Any:
    """`observatory` in a process of its own, where no terminal is."""
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_exit_codes_reach_the_shell(tmp_path: Path) -> None:
    assert run_module(tmp_path, "status").returncode == 0
    wrong = run_module(tmp_path, "status", "--publish-to", "ftp://x")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    lacking = run_module(tmp_path, "tables")
    assert lacking.returncode == 5
    assert lacking.stderr.startswith("error: no warehouse at data/observatory.duckdb")
    assert held(tmp_path) == {}
