"""Words and columns that several contracts share, each defined once.

`vocabulary.yml` defines populations, metrics, windows and kinds; `columns.yml` holds groups of
columns. Contracts and the tests of published statements refer to both.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from warehouse.contracts.yaml_files import read_yaml

VOCABULARY = Path(__file__).with_name("vocabulary.yml")
SHARED_COLUMNS = Path(__file__).with_name("columns.yml")
SHARED = "shared"  # instead of a column: the group of that name


@cache
def vocabulary(name: str) -> dict[str, str]:
    """The ids of a vocabulary (`population`, `metric`, ...), each with its definition.

    Raises ValueError for an unknown vocabulary.
    """
    known = _groups(VOCABULARY)
    if name not in known:
        raise ValueError(f"no vocabulary {name!r} in {VOCABULARY}; it has {', '.join(known)}")
    return {word: " ".join(text.split()) for word, text in known[name].items()}


def explained(column: dict[str, Any]) -> dict[str, Any]:
    """A column that names a vocabulary, with the values and their meaning. Raises ValueError."""
    words = vocabulary(column["vocabulary"])
    meaning = "; ".join(f"{word} = {text}" for word, text in words.items())
    about = f"{column.get('description', '')} {meaning}."
    return {**column, "values": tuple(words), "description": about}


def with_shared_columns(columns: dict[str, Any]) -> dict[str, Any]:
    """The columns, with those of a group in the place of each reference to it. Raises ValueError.

    `panel: shared` has the columns of the group `panel`.
    """
    found: dict[str, Any] = {}
    for name, column in columns.items():
        if column == SHARED:
            found |= _group(name)
        else:
            found[name] = column
    return found


def _group(name: str) -> dict[str, Any]:
    groups = _groups(SHARED_COLUMNS)
    if name not in groups:
        raise ValueError(f"no group {name!r} in {SHARED_COLUMNS}; it has {', '.join(groups)}")
    return groups[name]


@cache
def _groups(path: Path) -> dict[str, dict[str, Any]]:
    """The two levels of a file, read once."""
    return dict(TypeAdapter(dict[str, dict[str, Any]]).validate_python(read_yaml(path)))
