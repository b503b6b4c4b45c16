"""Help: grouped, complete, within 80 columns, quick; old names work for one release."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from flows.cli import lazy
from flows.cli.groups import OLD_COMMANDS
from flows.settings import ALL_SOURCES
from tests.conftest import ROOT
from tests.support.command_line import call, flat

COMMANDS = {
    "run": ["--archive", "--warehouse", "--publish-to", "--as-of", "--sources", "--json"],
    "replay": ["--archive", "--warehouse", "--publish-to", "--as-of", "--sources", "--json"],
    "validate": ["--warehouse", "--json"],
    "publish": ["--warehouse", "--publish-to", "--audience", "--allow-shrink", "--json"],
    "observe": ["--archive", "--as-of", "--at", "--json"],
    "backfill": ["--reason", "--workers", "--scheduler", "--archive", "--as-of", "--json"],
    "status": ["--archive", "--warehouse", "--publish-to", "--json"],
    "tables": ["--warehouse", "--json"],
    "claims": ["--warehouse", "--id", "--json"],
    "claims add": [
        "--file",
        "--statement",
        "--url",
        "--test",
        "--dry-run",
        "--warehouse",
        "--json",
    ],
    "trace": ["--archive", "--warehouse", "--limit", "--json"],
    "as-of": ["--archive", "--sources", "--json"],
    "history status": ["--archive", "--history", "--json"],
    "history show": ["--archive", "--history", "--as-of", "--json"],
    "releases list": ["--publish-to", "--json"],
    "releases log": ["--publish-to", "--json"],
    "releases diff": ["--publish-to", "--json"],
    "releases verify": ["--publish-to", "--json"],
    "releases rollback": ["--channel", "--publish-to"],
    "releases promote": ["--publish-to"],
    "releases pin": ["--reason", "--undo", "--publish-to"],
    "releases clean": ["--keep", "--grace", "--yes", "--publish-to", "--json"],
    "publish-hub": ["--yes", "--warehouse", "--json"],
    "page": ["--out", "--warehouse", "--audience", "--json"],
    "backup": ["--archive", "--sources", "--json"],
    "restore": ["--archive", "--sources", "--json"],
    "exclude": ["--reason", "--undo", "--archive"],
    "registry check": [],
    "registry gaps": ["--warehouse", "--limit", "--json"],
    "registry propose": ["--warehouse", "--limit", "--json"],
}
PANELS = ("Run", "Explore", "Releases", "Archive", "Registry")


def test_help_groups_the_commands_and_lists_the_exit_codes() -> None:
    done = call("--help")
    assert done.exit_code == 0
    titles = re.findall(r"^╭─ (\w+) ─", done.stdout, flags=re.M)
    assert [t for t in titles if t != "Options"] == list(PANELS)
    for command in {name.split()[0] for name in COMMANDS}:
        assert re.search(rf"^│ {command} ", done.stdout, flags=re.M), command
    text = flat(done.stdout)
    assert "0 success, 1 unexpected error, 2 usage error, 3 a source failed" in text
    assert "previous warehouse and release remain in place" in text


@pytest.mark.parametrize("command", COMMANDS)
def test_help_explains_every_option(command: str) -> None:
    done = call(*command.split(), "--help")
    assert done.exit_code == 0
    for option in COMMANDS[command]:
        lines = [line for line in done.stdout.splitlines() if f" {option} " in line]
        assert lines, f"{command} --help does not show {option}"
        assert any(len(line.split(option)[1].strip(" │").split()) >= 3 for line in lines), lines


@pytest.mark.parametrize("command", ["", *COMMANDS, "history", "releases", "registry"])
def test_help_fits_80_columns_and_cuts_nothing(command: str) -> None:
    text = call(*command.split(), "--help", columns=80).stdout
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text


def test_help_lists_all_sources_and_explains_the_date() -> None:
    text = flat(call("run", "--help", columns=80).stdout)
    assert f"Available: {', '.join(ALL_SOURCES)}." in text
    assert "Live responses are archived under it. A build ignores later snapshots." in text
    assert "today (UTC)" in text


def test_without_a_command_help_is_shown() -> None:
    done = call()
    assert "Usage:" in done.output
    assert done.exit_code in (0, 2)


def test_version() -> None:
    done = call("--version")
    assert (done.exit_code, done.stdout) == (0, f"observatory {version('origin-observatory')}\n")


def test_a_shell_can_complete_commands() -> None:
    env = {
        "_OBSERVATORY_COMPLETE": "complete_bash",
        "COMP_WORDS": "observatory cl",
        "COMP_CWORD": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", "from flows.cli.app import app; app(prog_name='observatory')"],
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.split(), done.stderr) == (["claims"], "")


def test_help_status_and_tables_are_quick(tmp_path: Path, sampled: tuple[Path, str]) -> None:
    """The first calls of a newcomer import no library that they do not use.

    Help needs none of ours, status and tables need settings and DuckDB, and no more of the cards
    and contracts than one reading.
    """
    code = (
        "import sys; from typer.testing import CliRunner; from flows.cli.app import app\n"
        "for call in (['--help'], ['status', '--json'], ['tables', '--json', sys.argv[1]]):\n"
        "    done = CliRunner().invoke(app, call)\n"
        "    assert done.exit_code == 0, done.output\n"
        "    print(*{m.split('.')[0] for m in sys.modules}, '|')\n"
        "from warehouse.contracts import source, table\n"
        "print(source.cards.cache_info().misses, table.contracts.cache_info().misses)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, f"--warehouse={sampled[0] / 'observatory.duckdb'}"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    for_help, for_status, for_tables, parses = done.stdout.split("|")
    slow = {"prefect", "great_expectations", "boto3", "huggingface_hub", "httpx2"}
    slow |= {"polars", "pandas", "pyarrow", "jinja2"}
    assert not (slow | {"pydantic", "duckdb", "filelock"}) & set(for_help.split())
    assert {"pydantic", "duckdb"} <= set(for_status.split())
    assert not slow & {*for_status.split(), *for_tables.split()}
    assert parses.split() == ["1", "1"]


def test_lazy_modules_are_those_that_the_type_checker_sees() -> None:
    source = Path(lazy.__file__).read_text(encoding="utf-8")
    seen = re.findall(r"^    from (\S+) import (\w+) as (\w+)$", source, flags=re.M)
    assert {name: f"{package}.{module}" for package, module, name in seen} == lazy.MODULES
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = lazy.nothing  # type: ignore[attr-defined]


# --- old names -----------------------------------------------------------------------------------

OLD_CALLS = {
    "why": ["why", "country_share_daily"],
    "refuse": ["refuse", "hub/2026-08-15"],
    "journal": ["journal", "--json"],
    "releases": ["releases", "--json"],
    "diff": ["diff", "a", "b"],
    "verify": ["verify"],
    "rollback": ["rollback", "a"],
    "promote": ["promote"],
    "pin": ["pin", "a"],
    "clean": ["clean", "--json"],
}


def without_times(log: str) -> str:
    return re.sub(r"\[[\d:]+\]", "", flat(log)).strip()


@pytest.mark.parametrize("old", OLD_CALLS)
def test_an_old_name_does_the_same_with_a_notice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str
) -> None:
    monkeypatch.chdir(tmp_path)
    new = OLD_COMMANDS.get(old, "releases list")
    first = call(*OLD_CALLS[old])
    second = call(*new.split(), *OLD_CALLS[old][1:])
    notice = f"`{old}` is now `{new}`; the old name will be removed in the next release\n"
    assert first.stderr.startswith(notice)
    assert without_times(first.stderr.removeprefix(notice)) == without_times(second.stderr)
    assert (first.exit_code, first.stdout) == (second.exit_code, second.stdout)
    assert f"│ {old} " not in call("--help").stdout or old == "releases"


def test_an_old_option_does_the_same_with_a_notice(tmp_path: Path) -> None:
    done = call("releases", "clean", "--apply", f"--publish-to={tmp_path}")
    assert done.exit_code == 0, done.output
    assert "`--apply` is now `--yes`" in done.stderr
    assert "--yes deletes them" not in done.stdout
    nothing = f"--warehouse={tmp_path / 'none.duckdb'}"
    assert "`--really` is now `--yes`" in call("publish-hub", "a/b", "--really", nothing).stderr


def test_json_of_an_old_name_stays_json(tmp_path: Path) -> None:
    assert json.loads(call("journal", f"--publish-to={tmp_path}", "--json").stdout)


def test_a_command_that_is_misspelled_suggests_another() -> None:
    assert "Did you mean 'status'" in flat(call("statsu").stderr)
