"""The commands of README and pages run as printed, in a folder where `make run` was called."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.markdown import blocks, written_pages

README = written_pages()["README.md"]
COMMANDS = {
    page: commands
    for page, text in written_pages().items()
    if (commands := [b.code for b in blocks(page, text) if b.language == "sh"])
}
LINKED = (".venv", "Makefile", "warehouse", "infra")
LOCKS = ("pyproject.toml", "requirements.txt")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like a clone, with the sample built in its `data`."""
    if not (ROOT / ".venv/.installed").exists():
        pytest.skip("the pages use .venv; `make run` or `make test` creates it")
    folder = tmp_path_factory.mktemp("checkout")
    for name in LINKED:
        (folder / name).symlink_to(ROOT / name)
    for name in LOCKS:  # older than the environment, or make would install this folder into it
        (folder / name).touch()
        os.utime(folder / name, (0, 0))
    (folder / "output.txt").write_text(run("make run", folder), encoding="utf-8")
    return folder


def run(command: str, folder: Path) -> str:
    """Runs a command as a user would; all that it prints."""
    home = {"PREFECT_HOME": str(folder / "data/prefect"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-euc", command],
        cwd=folder,
        env={**os.environ, **home},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}"
    return done.stdout


@pytest.mark.slow
def test_the_output_of_the_first_run_is_what_the_readme_prints(checkout: Path) -> None:
    output = " ".join((checkout / "output.txt").read_text(encoding="utf-8").split())
    printed = next(b.code for b in blocks("README.md", README) if b.language == "text")
    for line in printed.splitlines():
        parts = (re.escape(part.strip()) for part in " ".join(line.split()).split("…"))
        assert re.search(r"\s*\S*\s*".join(parts), output), line


@pytest.mark.slow
@pytest.mark.parametrize("page", COMMANDS)
def test_the_commands_of_the_page_run_in_their_order(page: str, checkout: Path) -> None:
    for block in COMMANDS[page]:
        for line in block.splitlines():
            if line != "make run" and not line.startswith("#"):  # `make run` was called already
                run(line, checkout)
