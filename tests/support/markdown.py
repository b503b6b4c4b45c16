"""The pages of the documentation, and what is in them: blocks of code, tables, links, headings."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import NamedTuple

from tests.conftest import ROOT

DOCS = ROOT / "docs"
# Written by other programs: the bench, and `observatory` itself.
GENERATED = ("docs/benchmarks/results.md", "docs/reference/")
_FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", flags=re.M | re.S)


class Block(NamedTuple):
    """A fenced block of code."""

    page: str  # path from the root of the repository
    heading: str
    language: str
    code: str


def pages() -> dict[str, str]:
    """Path from the root of the repository -> text of every page, README first."""
    files = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
    return {f.relative_to(ROOT).as_posix(): f.read_text(encoding="utf-8") for f in files}


def written_pages() -> dict[str, str]:
    """The pages that people write."""
    return {name: text for name, text in pages().items() if not name.startswith(GENERATED)}


def blocks(page: str, text: str) -> list[Block]:
    """The blocks of code of a page, in order."""
    headings = [(m.start(), m[1]) for m in re.finditer(r"^#+ (.*)$", text, flags=re.M)]
    return [
        Block(
            page,
            next(
                (h for at, h in reversed(headings) if at < m.start() and not _inside(text, at)), ""
            ),
            m[2],
            textwrap.dedent(m[3]),
        )
        for m in _FENCE.finditer(text)
    ]


def _inside(text: str, at: int) -> bool:
    """Whether a position is inside a block: a comment there is not a heading."""
    return any(m.start() < at < m.end() for m in _FENCE.finditer(text))


def prose(text: str) -> str:
    """A page without its blocks of code."""
    return _FENCE.sub("", text)


def anchors(text: str) -> set[str]:
    """The ids that the headings of a page get."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", prose(text), flags=re.M)
    }


def links(text: str) -> list[str]:
    """Addresses of links and pictures of a page, those of the web left out."""
    found = re.findall(r"\]\(([^)\s]+)\)", prose(text))
    return [address for address in found if not re.match(r"[a-z]+:", address)]


def table_rows(text: str, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, its own header first."""
    section = re.split(rf"^#+ {re.escape(heading)}$", text, maxsplit=1, flags=re.M)[1]
    table = re.search(r"(?:^\|.*\n)+", section, flags=re.M)
    assert table, f"no table below {heading!r}"
    lines = [line.strip("|\n ") for line in table[0].splitlines()]
    return [[cell.strip() for cell in line.split(" | ")] for line in (lines[0], *lines[2:])]


def first_column(text: str, heading: str) -> list[str]:
    """The codes in the first column of the first table below a heading."""
    rows = table_rows(text, heading)[1:]
    return [code for row in rows for code in re.findall(r"`([^`]+)`", row[0])]


def path_of(page: str) -> Path:
    """The file of a page."""
    return ROOT / page
