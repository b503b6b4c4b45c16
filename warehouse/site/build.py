"""Writes the page into a staged release: `index.html`, `index.hi.html` and `page/`.

The page is made from the DuckDB file of the release only, so a public page shows nothing that is
not in the public release. All content is escaped: by Jinja in HTML, as JSON in the data file, and
as text nodes in the scripts. Equal releases give equal bytes.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from warehouse.contracts.source import Card, cards
from warehouse.releases.manifest import Manifest
from warehouse.site.i18n import FILES, LANGUAGES, LOCALES, words
from warehouse.site.numbers import plain
from warehouse.site.release_tables import Tables, released
from warehouse.site.sections.arena import arena
from warehouse.site.sections.claims import claims
from warehouse.site.sections.health import health
from warehouse.site.sections.notable import notable
from warehouse.site.sections.registry import registry
from warehouse.site.sections.shares import KINDS, shares, trending
from warehouse.site.view import view

HERE = Path(__file__).parent
ASSETS = HERE / "assets"
FOLDER = "page"  # next to index.html
# Characters that could end a script element, or a line of JavaScript within a string.
UNSAFE = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


def write_page(
    folder: Path, manifest: Manifest, source_cards: Mapping[str, Card] | None = None
) -> None:
    """Writes the page of the release in `folder`. `manifest` lists the files staged so far."""
    with released(folder / "observatory.duckdb") as tables:
        data = gather(manifest, tables, dict(source_cards or cards()))
    (folder / FOLDER).mkdir()
    for asset in sorted(ASSETS.iterdir()):
        shutil.copyfile(asset, folder / FOLDER / asset.name)
    chart_data = {k: data[k] for k in ("shares", "trending", "arena", "notable")}
    chart_data["shares"] = packed_shares(data["shares"])
    chart_data["arena"] = {**data["arena"], "boards": _packed_boards(data["arena"]["boards"])}
    _write_script(folder / FOLDER / "data.js", "OBSERVATORY", chart_data)
    for language in LANGUAGES:
        _write_script(folder / FOLDER / f"text.{language}.js", "WORDS", _texts(language, data))
        html = _environment().get_template("page.html").render(**view(data, manifest, language))
        (folder / FILES[language]).write_text(html, encoding="utf-8")


def gather(manifest: Manifest, tables: Tables, source_cards: dict[str, Card]) -> dict[str, Any]:
    """The content of the page by section."""
    return {
        "shares": shares(tables),
        "trending": trending(tables),
        "arena": arena(tables),
        "notable": notable(tables),
        "registry": registry(tables),
        "claims": claims(tables),
        "health": health(manifest, tables, source_cards),
    }


def script(name: str, value: object) -> str:
    """A JavaScript constant. Escaping keeps texts from sources inside it."""
    text = json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return f'"use strict";const {name}={text.translate(UNSAFE)};\n'


def _write_script(path: Path, name: str, value: object) -> None:
    path.write_text(script(name, value), encoding="utf-8")


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


def _texts(language: str, data: dict[str, Any]) -> dict[str, Any]:
    """The texts that the scripts need, and the names of the countries in the charts."""
    speak = words(language)
    return {
        "language": language,
        "locale": LOCALES[language],
        "texts": {k: text for k, text in speak.texts.items() if not k.startswith("claim")},
        "countries": {code: speak.country(code, name) for code, name in _countries(data)},
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
    named.update({code: None for code in codes if code not in named})
    return sorted(named.items())


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
