"""Values and names from outside as text for people: numbers, dates, safe characters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from unicodedata import category

INVISIBLE = {"Cc", "Cf", "Cs"}  # Unicode categories: control, format, surrogate
NOTHING = "–"


def printable(text: str) -> str:
    """The text without characters that steer a terminal: escapes, changes of reading direction.

    Line feeds stay: the project's own messages have them.
    """
    return "".join("\ufffd" if category(c) in INVISIBLE and c != "\n" else c for c in text)


def one_line(text: str) -> str:
    """A text for messages that other programs show: one line, and no markup of a chat."""
    return printable(" ".join(text.split())).replace("<", "&lt;")


def json_printable(text: str) -> str:
    """JSON with such characters as escapes, which mean the same to a program that reads it."""
    return "".join(_escaped(c) if category(c) in INVISIBLE and c != "\n" else c for c in text)


def _escaped(character: str) -> str:
    return json.dumps(character)[1:-1]  # beyond U+FFFF as two halves


def percent(share: float | None) -> str:
    """A share as `12.3 %`. What only rounds to 0 or 1 is `< 0.1 %` or `> 99.9 %`."""
    if share is None:
        return NOTHING
    if 0 < share < 0.0005:
        return "< 0.1 %"
    if 0.9995 < share < 1:
        return "> 99.9 %"
    return f"{100 * share:.1f} %"


def probability(value: float | None) -> str:
    """A probability as a percentage; one that underflowed to 0 or 1 is only very near it."""
    if value is None:
        return NOTHING
    if value < 0.001:
        return "< 0.1 %"
    return f"{100 * value:.1f} %" if value <= 0.999 else "> 99.9 %"


def size(n_bytes: int) -> str:
    """A number of bytes as `24.7 MB`."""
    if n_bytes < 1000:
        return f"{n_bytes} bytes"
    amount = float(n_bytes)
    for unit in ("kB", "MB", "GB"):
        amount /= 1000
        if amount < 999.95:
            return f"{amount:.1f} {unit}"
    return f"{amount / 1000:.1f} TB"


def display(value: object, name: str = "", unit: str | None = None) -> str:
    """Any value as a person reads it; shares and sizes are recognized by unit or column name."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return _number(value, name, unit)
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return pairs(value) or NOTHING
    if isinstance(value, list | tuple):
        return ", ".join(display(v) for v in value) or NOTHING
    return str(value)


def minute(moment: str) -> str:
    """An ISO 8601 time in UTC as `2026-08-15 04:30`."""
    return display(datetime.fromisoformat(moment))


def pairs(values: Mapping[str, object]) -> str:
    """`column=value, column=value`, written as `observatory trace` reads them."""
    return ", ".join(f"{name}={value}" for name, value in values.items())


def _number(value: float, name: str, unit: str | None) -> str:
    if unit == "probability" or name.startswith("probability"):
        return probability(value)
    if unit == "share" or (unit is None and _is_share(name)):
        return percent(value)
    if name in ("bytes", "uploaded_bytes"):
        return size(int(value))
    if isinstance(value, int):
        return str(value) if name == "year" or name.endswith("_year") else f"{value:,}"
    if value == 0 or abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) < 0.001:
        return "< 0.001" if value > 0 else "> -0.001"
    return f"{value:.4g}"


def _is_share(name: str) -> bool:
    return name in ("share", "coverage") or name.endswith(("_share", "_coverage"))
