"""Formats of text cells: the one way in which a date, time or number may be written.

A cast of the database takes many ways for one value: `12/11/24` is a day of the year 12 to it,
`1_000` a thousand and `1.5` the whole number 2. A text is therefore compared with the format of
its column first, and cast only if it has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Years 1800 to 2199: `0012-11-24` is a year of two digits that somebody padded.
_DAY = r"(?:1[89]|2[01])[0-9]{2}-[0-9]{2}-[0-9]{2}"


@dataclass(frozen=True)
class Format:
    """One way of writing: the types it is read into and the pattern of a whole cell."""

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
    """The format of a type where the contract names no other; None for text."""
    return next((name for name, each in FORMATS.items() if kind in each.types), None)
