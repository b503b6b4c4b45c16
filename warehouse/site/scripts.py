"""The data of the charts and the texts of the scripts, as JavaScript constants."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from warehouse.site.i18n import LOCALES, words
from warehouse.site.numbers import plain
from warehouse.site.sections.shares import KINDS

# Characters that could end a script element, or a line of JavaScript within a string.
UNSAFE = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


def write_script(path: Path, name: str, value: object) -> None:
    """Writes a constant as a script of its own."""
    path.write_text(script(name, value), encoding="utf-8")


def chart_data(data: dict[str, Any]) -> dict[str, Any]:
    """What the charts draw."""
    charts = {k: data[k] for k in ("shares", "trending", "arena", "notable", "tokens")}
    charts["shares"] = packed_shares(data["shares"])
    boards = _packed_boards(data["arena"]["boards"])
    charts["arena"] = {"boards": boards, "history": data["arena"]["history"]}
    return {**charts, "about": data["about"], "pages": data["pages"]}


def script(name: str, value: object) -> str:
    """A JavaScript constant. Escaping keeps texts from sources inside it."""
    return f'"use strict";const {name}={inert(value)};\n'


def inert(value: object) -> str:
    """JSON that cannot end the script element that it stands in."""
    text = json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.translate(UNSAFE)


def packed_shares(shares: dict[str, Any]) -> dict[str, Any]:
    """Shares in the compact form of the data file."""
    return {**shares, **{kind.name: _packed_kind(shares[kind.name]) for kind in KINDS}}


def _packed_kind(definitions: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {
            **about,
            "now": packed(about["now"]),
            "series": {who: _without_equal_bounds(lists) for who, lists in about["series"].items()},
        }
        for name, about in definitions.items()
    }


def _without_equal_bounds(lists: list[Any]) -> list[Any]:
    """`[share, lower, upper]`; bounds equal to the share are null. They often are equal."""
    share, *bounds = lists
    return [share, *(None if bound == share else bound for bound in bounds)]


def _packed_boards(boards: dict[str, Any]) -> dict[str, Any]:
    """Boards with their rows packed, which halves their size."""
    return {
        name: {**board, **{level: packed(board[level]) for level in ("countries", "labs")}}
        for name, board in boards.items()
    }


def packed(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Records with the same fields, as one list of names and rows of values."""
    return {"columns": list(rows[0]) if rows else [], "rows": [list(r.values()) for r in rows]}


def texts(language: str, data: dict[str, Any]) -> dict[str, Any]:
    """The texts that the scripts need, and the names of the countries in the charts."""
    speak = words(language)
    return {
        "language": language,
        "locale": LOCALES[language],
        "texts": {k: text for k, text in speak.texts.items() if not k.startswith("claim")},
        "countries": {code: speak.country(code, name) for code, name in _countries(data)},
        "labs": speak.labs,
    }


def _countries(data: dict[str, Any]) -> list[tuple[str, str | None]]:
    """Every country code in the charts, with its English name if the tables have it."""
    named: dict[str, str | None] = {"ZZ": None, "XX": None}
    for definition in data["shares"]["country"].values():
        named.update({row["id"]: row["name"] for row in definition["now"]})
    for board in data["arena"]["boards"].values():
        named.update({row["id"]: row["name"] for row in board["countries"]})
        named.update({row["country"]: None for row in board["labs"] if row["country"] not in named})
    for definition in data["shares"]["lab"].values():
        named.update({r["country"]: None for r in definition["now"] if r["country"] not in named})
    codes = [c for source in data["notable"].get("counts", {}).values() for c in source]
    codes += [c for places in data["trending"].get("places", {}).values() for c in places]
    codes += [c for c in data["tokens"].get("shares", {}) if len(c) == 2]
    named.update({code: None for code in codes if code not in named})
    return sorted(named.items())
