"""Output on terminals that are not UTF-8."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.support.imports import ROOT

PRINT = r"""
from flows.cli.output import out, print_error, print_json
text = "\u00e9 \u2013 \U0001f600"
print_json({"name": text})
out.print(text)
print_error(text)
"""


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_what_a_terminal_cannot_show_is_escaped(encoding: str) -> None:
    env = {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", "LC_ALL": "C"}
    done = subprocess.run(
        [sys.executable, "-c", PRINT],
        cwd=ROOT,
        env=os.environ | env,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    printed, errors = done.stdout.decode(encoding), done.stderr.decode(encoding)
    document, _, line = printed.rpartition("}\n")
    assert json.loads(document + "}") == {"name": "é – \U0001f600"}
    assert "\\u2013" in line and "\\u2013" in errors
