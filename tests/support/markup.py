"""What is in a page, for tests."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any


class Markup(HTMLParser):
    """The parts of a page that could run or load something."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.inline: list[str] = []
        self.structured: list[Any] = []
        self.loads: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.is_data = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given_ = dict(attrs)
        self.tags.append(tag)
        self.ids += [given_["id"] or ""] if "id" in given_ else []
        self.is_data = tag == "script" and given_.get("type") == "application/ld+json"
        if (tag == "script" and "src" not in given_ and not self.is_data) or tag == "style":
            self.inline.append(tag)
        self.inline += [f"{tag}@{n}" for n in given_ if n.startswith("on") or n == "style"]
        if tag in ("script", "img", "link") and not self.is_data:
            self.loads.append(given_.get("src") or given_.get("href") or "")
        if tag == "a":
            self.links.append(given_.get("href") or "")

    def handle_data(self, data: str) -> None:
        if self.is_data and data.strip():
            self.structured.append(json.loads(data))


def markup(page: str) -> Markup:
    """What a page could run or load, its ids, links and JSON-LD."""
    found = Markup()
    found.feed(page)
    return found
