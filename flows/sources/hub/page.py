"""Hugging Face Hub: one page of a listing, and whether it is sound."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import httpx2

from flows.sources.formats.json_text import read_document
from flows.sources.http import without_secrets

NEWEST = "pages/newest-"  # sorts after the numbered pages: a parser reads them last
FLOOR = "2022-03-02"
FLOOR_MINUTE = "2022-03-02T23:29"  # the Hub gave everything older this createdAt


class DamagedPageError(ValueError):
    """What is wrong with a page; a retry may give a sound one.

    `is_tolerable`: if retries do not help, the sweep accepts the page, since no row is lost.
    `is_hostile`: no retry. `where`: the address at fault, if it is not the page's.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        is_tolerable: bool = False,
        is_hostile: bool = False,
    ) -> None:
        super().__init__(what)
        self.where, self.is_tolerable, self.is_hostile = where, is_tolerable, is_hostile


@dataclass(frozen=True)
class Page:
    """One page: its items, how many were received, and the address of the next page."""

    items: list[dict[str, Any]]
    following: str | None
    received: int
    is_repaired: bool = False

    @cached_property
    def ids(self) -> frozenset[str]:
        """The Hub's object ids, or the names of items without one."""
        return frozenset(filter(None, map(key_of, self.items)))

    @cached_property
    def newest(self) -> str | None:
        """The largest createdAt."""
        return max(filter(None, map(created_of, self.items)), default=None)

    @cached_property
    def oldest(self) -> str | None:
        """The smallest createdAt."""
        return min(filter(None, map(created_of, self.items)), default=None)

    def is_older_than(self, item: dict[str, Any]) -> bool:
        """Whether an item was created after all of this page, so that no earlier page had it."""
        created = created_of(item)
        if created is None or item.get("_id", item.get("id")) in self.ids:
            return False
        return self.newest is None or created >= self.newest


def key_of(item: dict[str, Any]) -> str | None:
    """An item's object id, or its name if it has none."""
    key = item.get("_id") or item.get("id")
    return key if isinstance(key, str) and key else None


def created_of(item: dict[str, Any]) -> str | None:
    """An item's createdAt."""
    created = item.get("createdAt")
    return created if isinstance(created, str) and created else None


class SeenItems:
    """Every object of the earlier pages, as a hash of 64 bits (some 70 bytes each)."""

    def __init__(self) -> None:
        self.oldest: str | None = None  # createdAt of the oldest item of the last page
        self._seen: set[int] = set()

    def count_repeated(self, page: Page) -> int:
        """How many items of a page are also on an earlier page, or twice on this one."""
        keys = [hash(key) for item in page.items if (key := key_of(item))]
        distinct = set(keys)
        return len(keys) - len(distinct) + len(distinct & self._seen)

    def add(self, page: Page) -> None:
        """Adds the items of a stored page."""
        self.oldest = page.oldest or self.oldest
        self._seen.update(map(hash, page.ids))


def read_page(response: httpx2.Response) -> Page:
    """The page in a response. Raises DamagedPageError if it is not one."""
    following = response.links.get("next", {}).get("url")
    return page_of(response.content, without_secrets(following) if following else None)


def page_of(content: bytes, following: str | None) -> Page:
    """The page in received bytes. Raises DamagedPageError if they are not a list of items.

    Elements that are not objects are skipped, and invalid characters replaced.
    """
    try:
        elements, is_repaired = read_document(content)
    except ValueError as error:
        raise DamagedPageError(f"is not JSON ({error})") from error
    items = [e for e in elements if isinstance(e, dict)] if isinstance(elements, list) else None
    if items is None or len(items) * 2 < len(elements):
        raise DamagedPageError("is JSON but not a list of models")
    nameless = len(elements) - sum(bool(item.get("id")) for item in items)
    if nameless * 2 > len(elements):
        raise DamagedPageError(f"has {nameless} of {len(elements)} items without an id")
    return Page(items, following, len(elements), is_repaired)


def is_at(url: str, hub: str) -> bool:
    """Whether an address is on the configured Hub: our token is sent nowhere else."""
    there, here = urlsplit(url), urlsplit(hub)
    try:
        ports = there.port, here.port
    except ValueError:  # not a number, or too large for a port
        return False
    plain = not (there.username or there.password)
    return plain and there[0] == here[0] and there.hostname == here.hostname and len({*ports}) == 1


def is_floor(created_at: str | None) -> bool:
    """Whether a createdAt is the oldest that the Hub has."""
    return created_at is not None and created_at[: len(FLOOR_MINUTE)] <= FLOOR_MINUTE
