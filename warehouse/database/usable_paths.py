"""Paths that every part of a run can use, checked before work begins.

Most names are fine: spaces, `[1]`, `*`, `%`, `#`, `key=value`, any script. Refused are those that
DuckDB, Great Expectations, a log or a file system cannot handle.
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

LONGEST_NAME = 255  # bytes, on every common file system
LONGEST_PATH = os.pathconf("/", "PC_PATH_MAX")
OWN_SUFFIX = 60  # bytes of the longest ending that a build or an upload adds to the last name
OWN_PATH = 250  # bytes of the longest path that is created inside a folder
READ_AS_SYNTAX = {
    "?": "DuckDB reads '?' in a path as the start of a query; rename the folder",
    "$": "Great Expectations reads '$' in a path as a variable; rename the folder",
}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def require_usable(path: Path, *, without: str = "") -> Path:
    """The path. Raises ValueError with what is wrong and what to do.

    `without`: characters that a library reads as syntax in the paths of files that it opens there.
    """
    text = os.path.abspath(path)  # noqa: PTH100 - does not follow links
    if problem := _problem(text, without):
        raise ValueError(f"cannot use {text!a:.200}: {problem}")
    return path


def require_usable_temporary_folder() -> None:
    """Checks the folder for temporary files. Raises ValueError."""
    try:
        require_usable(Path(tempfile.gettempdir()), without="?$")
    except FileNotFoundError:  # there is none: whoever needs it reports that
        return
    except ValueError as error:
        raise ValueError(f"TMPDIR: {error}") from None


def _problem(text: str, without: str) -> str | None:
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        return "the name is not UTF-8; rename it"
    if _CONTROL.search(text):
        return "the name has a line break or another control character; rename it"
    for character in without:
        if character in text:
            return READ_AS_SYNTAX[character]
    *folders, name = map(len, encoded.split(b"/"))
    if name + OWN_SUFFIX > LONGEST_NAME or max(folders) > LONGEST_NAME:
        return f"a name in it is too long; use at most {LONGEST_NAME - OWN_SUFFIX} bytes"
    if len(encoded) + OWN_PATH > LONGEST_PATH:
        return "the path is too long; use a folder nearer to the root"
    return None
