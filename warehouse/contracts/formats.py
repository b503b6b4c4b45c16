"""Formats of text cells: how a date, time or number must be written.

A cast in DuckDB accepts too much: it reads `12/11/24` as a day of the year 12, `1_000` as a
thousand, and `1.5` as the integer 2. So a text is cast only if it matches the format of its column.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Years 1800 to 2199; `0012-11-24` would be a padded two-digit year.
_DAY = r"(?:1[89]|2[01])[0-9]{2}-[0-9]{2}-[0-9]{2}"


@dataclass(frozen=True)
class Format:
    """One format: the types it is read into, and the pattern of a complete cell."""

    types: tuple[str, ...]
    pattern: str


FORMATS: Mapping[str, Format] = {
    "YYYY-MM-DD": Format(("DATE",), _DAY),
    "YYYY-MM-DDTHH:MM:SSZ": Format(
        ("TIMESTAMP",), rf"{_DAY}T(?:[01][0-9]|2[0-3])(?::[0-5][0-9]){{2}}(?:\.[0-9]{{1,9}})?Z"
    ),
    "integer": Format(("BIGINT", "INTEGER"), "-?[0-9]+"),
    "number": Format(("DOUBLE",), r"-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"),
    "true or false": Format(("BOOLEAN",), "true|false"),
}


def default_format(kind: str) -> str | None:
    """The format of a type if the contract names none; None for text."""
    return next((name for name, each in FORMATS.items() if kind in each.types), None)
