"""Errors of the command line: one message, the right exit code, no traceback, nothing changed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from flows.cli import lazy
from flows.cli.options import SAMPLE
from tests.conftest import ROOT
from tests.support.command_line import call, files_in, flat, run_module

WRONG_CALLS = {
    "a command": (["frobnicate"], "No such command 'frobnicate'"),
    "an option": (["replay", "--frobnicate"], "No such option: --frobnicate"),
    "an argument": (["replay", "extra"], "unexpected extra argument"),
    "a source": (
        ["run", "--sources", "hub,nope"],
        "sources: unknown sources: nope; choose from hub_namespaces, hub,",
    ),
    "no source": (["replay", "--sources", ","], "sources: no source given; choose from"),
    "one source": (["observe", "nope"], "unknown source 'nope'; choose from hub_namespaces"),
    "a date": (["replay", "--as-of", "2026-02-30"], "'2026-02-30' is not a date; write YYYY-MM-DD"),
    "another date": (["run", "--as-of", "yesterday"], "'yesterday' is not a date"),
    "an audience": (["publish", "--audience", "everyone"], "'everyone' is not one of"),
    "a place": (["replay", "--publish-to", "ftp://x/y"], "publish_to: ftp://…:"),
    "a place of run": (["run", "--sample", "--publish-to", "gs://x"], "publish_to: gs://…:"),
    "an empty place": (["publish", "--publish-to", ""], "is empty"),
    "a bucket": (["status", "--publish-to", "s3://"], "s3://"),
    "a folder for a file": (["tables", "--warehouse", "."], "is a folder, not a file"),
    "a file for a folder": (["replay", "--archive", "kept"], "kept is a file, not a folder"),
    "a snapshot": (["exclude", "hub", "--reason=x"], "'hub' is not a snapshot; write SOURCE/DATE"),
    "a date of a snapshot": (["exclude", "hub/then", "--reason=x"], "'then' is not a date"),
    "a reason": (["exclude", "hub/2026-08-15"], "give a reason: --reason TEXT"),
    "a repository": (["publish-hub", "mine"], "'mine' is not a repository; write OWNER/NAME"),
    "a channel": (
        ["releases", "rollback", "x", "--channel=nightly"],
        "unknown channel 'nightly'; choose latest or stable",
    ),
    "a table": (["tables", "country_share_dayly"], "did you mean country_share_daily"),
    "a table like no other": (["tables", "qqq"], "no table named 'qqq'; `observatory tables`"),
    "a reversed period": (
        ["backfill", "2026-08-02", "2026-08-01", "--reason=x"],
        "2026-08-01 is before 2026-08-02; give the earlier date first",
    ),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", WRONG_CALLS)
def test_a_wrong_call_says_what_is_wrong_and_changes_nothing(folder: Path, name: str) -> None:
    arguments, message = WRONG_CALLS[name]
    (folder / "kept").write_bytes(b"kept")
    done = call(*arguments)
    assert done.exit_code == 2, done.output
    assert message in flat(done.stderr)
    assert done.stdout == ""
    assert "Traceback" not in done.output
    assert files_in(folder) == {"kept": b"kept"}
    assert [p.name for p in folder.iterdir()] == ["kept"]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("OBSERVATORY_SOURCES", "nope", "sources: unknown sources: nope"),
        ("OBSERVATORY_HUB_PAGE_ROWS", "0", "hub_page_rows: Input should be greater"),
        ("OBSERVATORY_HTTP_TIMEOUT_SECONDS", "soon", "http_timeout_seconds: Input should be"),
        ("OBSERVATORY_PUBLISH_TO", "data,ftp://x", "publish_to: ftp://…:"),
        (
            "OBSERVATORY_EPOCH_URL",
            "epoch",
            "epoch_url: 'epoch' is not an http:// or https:// address",
        ),
        ("HF_ENDPOINT", "hub", "'hub' is not an http:// or https:// address"),
    ],
)
def test_an_invalid_setting_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(name, value)
    done = call("status")
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr
    assert files_in(folder) == {}


def test_an_invalid_setting_of_the_env_file_is_named(folder: Path) -> None:
    (folder / ".env").write_text("OBSERVATORY_HUB_PAGE_ROWS=none\n")
    done = call("status")
    assert done.exit_code == 2
    assert "hub_page_rows: Input should be" in done.stderr


def test_an_env_file_that_is_not_text_is_named(folder: Path) -> None:
    (folder / ".env").write_bytes(b"\xff\xfe\x00OBSERVATORY")
    done = call("status")
    assert done.exit_code == 2, done.output
    assert ".env cannot be read" in done.stderr
    assert "it must be a UTF-8 text file of NAME=value lines" in done.stderr


@pytest.mark.parametrize("name", ["OBSERVATORY_DUCKDB_THREADS", "OBSERVATORY_DUCKDB_MEMORY"])
def test_a_wrong_limit_of_duckdb_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "12 bananas")
    done = call("replay", f"--archive={SAMPLE}", "--as-of=2026-08-15")
    assert done.exit_code == 5
    assert name in done.stderr
    assert "12 bananas" in done.stderr


# --- what a command needs and does not find ------------------------------------------------------


@pytest.mark.parametrize("command", ["tables", "publish", "validate", "trace x", "registry gaps"])
def test_a_missing_warehouse_is_named(folder: Path, command: str) -> None:
    done = call(*command.split())
    assert done.exit_code == 5
    assert "no warehouse at data/observatory.duckdb; `observatory run`" in done.stderr
    assert files_in(folder) == {}


@pytest.mark.parametrize("command", ["tables", "publish", "validate", "status"])
@pytest.mark.parametrize("kind", ["text", "stranger"])
def test_a_file_that_is_not_a_warehouse_is_named(folder: Path, command: str, kind: str) -> None:
    path = folder / "other.duckdb"
    if kind == "text":
        path.write_bytes(b"no database at all")
    else:
        with duckdb.connect(str(path)) as con:
            con.execute("CREATE TABLE theirs AS SELECT 1 AS a")
    before = files_in(folder)
    done = call(command, f"--warehouse={path}")
    assert done.exit_code == 5, done.output
    assert "other.duckdb" in done.stderr
    assert "Traceback" not in done.output
    assert files_in(folder) == before


NEEDS_AN_ARCHIVE = {
    "replay": "has no snapshot up to",
    "as-of 2026-08-15": "has no snapshot up to",
    "history status": "has no snapshot of the Hub",
    "history show Qwen/Qwen3-8B": "has no snapshot of the Hub",
    "exclude hub/2026-08-15 --reason=x": "hub/2026-08-15",
}


@pytest.mark.parametrize("command", NEEDS_AN_ARCHIVE)
def test_a_missing_archive_is_named(folder: Path, command: str) -> None:
    done = call(*command.split())
    assert done.exit_code == 5, done.output
    assert NEEDS_AN_ARCHIVE[command] in done.stderr
    assert "data/archive" in done.stderr


@pytest.mark.parametrize(
    "command", ["verify", "diff a b", "promote", "rollback x", "pin x --reason=y"]
)
def test_a_missing_release_is_named(folder: Path, command: str) -> None:
    done = call("releases", *command.split())
    assert done.exit_code == 6, done.output
    assert "data/published" in done.stderr


def test_a_place_without_releases_is_shown_as_empty(folder: Path) -> None:
    for command in ("list", "log", "clean"):
        assert call("releases", command).exit_code == 0
    assert files_in(folder) == {}


def test_a_damaged_warehouse_is_reported_without_a_traceback(
    sampled: tuple[Path, str], folder: Path
) -> None:
    data = bytearray((sampled[0] / "observatory.duckdb").read_bytes())
    data[len(data) // 4 :] = bytes(len(data) - len(data) // 4)
    path = folder / "damaged.duckdb"
    path.write_bytes(data)
    for command in ("tables", "claims", "validate", "status", "trace mart.claims", "publish"):
        done = call(*command.split(), f"--warehouse={path}")
        assert done.exit_code == 5, (command, done.output)
        assert "Traceback" not in done.output


def test_a_warehouse_of_another_version_is_named(sampled: tuple[Path, str], folder: Path) -> None:
    path = Path(shutil.copy(sampled[0] / "observatory.duckdb", folder))
    with duckdb.connect(str(path)) as con:
        con.execute("ALTER TABLE mart.claims RENAME verdict TO judgment")
    for arguments in (["claims"], ["trace", "mart.country_share_daily", "no=1"]):
        done = call(*arguments, f"--warehouse={path}")
        assert done.exit_code in (2, 5), done.output
        assert "Traceback" not in done.output
    assert "another version of this program" in call("claims", f"--warehouse={path}").stderr


@pytest.mark.skipif(sys.platform != "linux", reason="/sys refuses new folders on Linux")
def test_a_folder_without_permission_is_named(sampled: tuple[Path, str], folder: Path) -> None:
    for arguments in (
        ["observe", "epoch", "--archive=/sys/archive"],
        ["backup", "/sys/copy", f"--archive={sampled[0] / 'archive'}"],
        ["page", "--out=/sys/page", f"--warehouse={sampled[0] / 'observatory.duckdb'}"],
    ):
        done = call(*arguments)
        assert done.exit_code in (1, 5, 6), (arguments, done.output)
        assert "/sys/" in done.stderr
        assert "Traceback" not in done.output
        assert "unexpected" not in done.stderr


def test_publishing_to_the_hub_offline_names_the_address(
    sampled: tuple[Path, str], folder: Path
) -> None:
    done = call(
        "publish-hub",
        "a/b",
        f"--warehouse={sampled[0] / 'observatory.duckdb'}",
        HF_ENDPOINT="http://127.0.0.1:9",
    )
    assert done.exit_code == 6, done.output
    assert "http://127.0.0.1:9 cannot be reached" in done.stderr
    assert "Traceback" not in done.output


def test_a_source_that_is_offline_is_named(folder: Path) -> None:
    done = call(
        "observe",
        "epoch",
        OBSERVATORY_EPOCH_URL="http://127.0.0.1:9",
        OBSERVATORY_HTTP_FIRST_WAIT_SECONDS="0.001",
    )
    assert done.exit_code == 3, done.output
    assert "epoch" in done.stderr
    assert "127.0.0.1:9" in done.stderr


# --- the unexpected, and Ctrl-C ------------------------------------------------------------------


def fail(*_: object) -> None:
    raise KeyError("surprise")


def test_an_unexpected_error_is_one_line_and_its_traceback_a_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(lazy.status, "status_of", fail)
    done = call("status")
    assert done.exit_code == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: unexpected KeyError: 'surprise'. The traceback is in ")
    (log,) = folder.glob("observatory-error-*.log")
    assert "Traceback" in log.read_text()


def test_debug_shows_the_traceback(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lazy.status, "status_of", fail)
    assert "Traceback" in call("status", OBSERVATORY_DEBUG="1").stderr


def test_interrupting_says_what_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(lazy.status, "status_of", interrupt)
    done = call("status")
    assert done.exit_code == 130
    assert done.stderr.count("\n") == 1
    assert "Kept: all sealed snapshots" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("command", ["replay", "run"])
def test_interrupting_a_build_leaves_one_line_and_no_process(folder: Path, command: str) -> None:
    source = "--sample" if command == "run" else f"--archive={SAMPLE}"
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", command, source, "--as-of=2026-08-15"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PREFECT_HOME": str(folder / "prefect")},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not list(folder.glob("data/.*.build")) and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 130, stderr
    assert "interrupted. Kept:" in stderr.splitlines()[-1]
    assert "Traceback" not in stderr
    assert not (folder / "data/observatory.duckdb").exists()
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_exit_codes_reach_the_shell(tmp_path: Path) -> None:
    assert run_module(tmp_path, "status").returncode == 0
    wrong = run_module(tmp_path, "status", "--publish-to", "ftp://x")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    lacking = run_module(tmp_path, "tables")
    assert lacking.returncode == 5
    assert lacking.stderr.startswith("error: no warehouse at data/observatory.duckdb")
    assert files_in(tmp_path) == {}
