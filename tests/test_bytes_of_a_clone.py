"""A clone has the committed bytes, whatever the settings of git are."""

from __future__ import annotations

import subprocess

from tests.support.imports import ROOT


def test_git_changes_no_line_ending() -> None:
    """Git for Windows sets core.autocrlf; the code's digest and the sample's would differ."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z"]
    listed = subprocess.run(command, capture_output=True, check=True).stdout
    command = ["git", "-C", str(ROOT), "check-attr", "-z", "--stdin", "text", "eol", "filter"]
    fields = subprocess.run(command, input=listed, capture_output=True, check=True).stdout
    path, name, value = (fields.decode().split("\0")[i::3] for i in range(3))
    changed = [
        (p, n, v)
        for p, n, v in zip(path, name, value, strict=False)
        if v != ("unset" if n == "text" else "unspecified")
    ]
    assert listed and not changed
