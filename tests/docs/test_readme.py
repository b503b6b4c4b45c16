"""Every command that the README gives for this checkout works as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", README, flags=re.S)
    for line in block.splitlines()
    if line and not line.startswith(("#", "make "))
]
TARGETS = re.findall(r"^make ([a-z-]+)$|`make ([a-z-]+)`", README, flags=re.M)


def test_every_make_target_it_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = {a or b for a, b in TARGETS}
    assert {"run", "test", "lint"} <= named
    assert [t for t in named if not re.search(rf"^{t}:", makefile, flags=re.M)] == []


def test_every_setting_it_names_is_read() -> None:
    from flows.settings import Settings
    from infra.register import ALERT_ADDRESS
    from warehouse.database.duckdb_file import MEMORY_LIMIT, THREADS

    named = set(re.findall(r"`OBSERVATORY_([A-Z_]+)`", README))
    known = {name.upper() for name in Settings.model_fields}
    known |= {n.removeprefix("OBSERVATORY_") for n in (ALERT_ADDRESS, MEMORY_LIMIT, THREADS)}
    assert named
    assert named - known == set()


@pytest.mark.slow
def test_its_commands_run_in_their_order(tmp_path: Path) -> None:
    observatory = ROOT / ".venv" / "bin" / "observatory"
    if not observatory.exists():
        pytest.skip("the README's commands use .venv; `make run` or `make test` makes it")
    home = {"PREFECT_HOME": str(tmp_path / "prefect")}
    assert len(COMMANDS) >= 6
    for command in COMMANDS:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=ROOT,
            env={**os.environ, **home},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
