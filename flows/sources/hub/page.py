"""Hugging Face Hub: one page of a listing, and whether it can be believed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import httpx2

from flows.sources.formats.json_text import read_document
from flows.sources.http import without_secrets

NEWEST = "pages/newest-"  # sorts behind the numbered pages: a parser meets them last
FLOOR = "2022-03-02"
FLOOR_MINUTE = "2022-03-02T23:29"  # the Hub stamped everything older with this minute


class DamagedPageError(ValueError):
    """What is wrong with a page; asked again it may be sound.

    `is_tolerable`: if it stays so, the sweep takes it as it is, since no row is lost by that.
    `is_hostile`: nothing more is asked there. `where`: the address at fault, if not the page's.
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
    """One page: its items, how many were received, and the address of the next one."""

    items: list[dict[str, Any]]
    following: str | None
    received: int
    is_mended: bool = False

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
        """Whether an item was created after all of this page: no other page before had it."""
        created = created_of(item)
        if created is None or item.get("_id", item.get("id")) in self.ids:
            return False
        return self.newest is None or created >= self.newest


def key_of(item: dict[str, Any]) -> str | None:
    """An item's object id, or its name where it has none."""
    key = item.get("_id") or item.get("id")
    return key if isinstance(key, str) and key else None


def created_of(item: dict[str, Any]) -> str | None:
    """An item's createdAt."""
    created = item.get("createdAt")
    return created if isinstance(created, str) and created else None


class Met:
    """What came before a page: every object, by a hash of 64 bits (some 70 bytes each)."""

    def __init__(self) -> None:
        self.oldest: str | None = None  # createdAt of the oldest item of the last page
        self._seen: set[int] = set()

    def again(self, page: Page) -> int:
        """How many items of a page came before, on an earlier page or on this one."""
        keys = [hash(key) for item in page.items if (key := key_of(item))]
        distinct = set(keys)
        return len(keys) - len(distinct) + len(distinct & self._seen)

    def add(self, page: Page) -> None:
        """Takes a kept page in."""
        self.oldest = page.oldest or self.oldest
        self._seen.update(map(hash, page.ids))


def read_page(answer: httpx2.Response) -> Page:
    """The page of an answer. Raises DamagedPageError where it is none."""
    following = answer.links.get("next", {}).get("url")
    return page_of(answer.content, without_secrets(following) if following else None)


def page_of(content: bytes, following: str | None) -> Page:
    """The page in received bytes. Raises DamagedPageError where they are no list of items.

    An element that is no object, or a character that is none, costs no more than itself.
    """
    try:
        elements, is_mended = read_document(content)
    except ValueError as error:
        raise DamagedPageError(f"is not JSON ({error})") from error
    if not isinstance(elements, list):
        raise DamagedPageError("is JSON but no list of models")
    items = [item for item in elements if isinstance(item, dict)]
    if len(items) * 2 < len(elements):
        raise DamagedPageError("is JSON but no list of models")
    nameless = len(elements) - sum(bool(item.get("id")) for item in items)
    if nameless * 2 > len(elements):
        raise DamagedPageError(f"has {nameless} of {len(elements)} items without an id")
    return Page(items, following, len(elements), is_mended)


def is_at(url: str, hub: str) -> bool:
    """Whether an address lies on the Hub that was asked: our token goes nowhere else."""
    there, here = urlsplit(url), urlsplit(hub)
    try:
        ports = there.port, here.port
    except ValueError:  # no number, or none that a port can have
        return False
    plain = not (there.username or there.password)
    return plain and there[0] == here[0] and there.hostname == here.hostname and len({*ports}) == 1


def is_floor(created_at: str | None) -> bool:
    """Whether a createdAt is the floor below which the Hub has none."""
    return created_at is not None and created_at[: len(FLOOR_MINUTE)] <= FLOOR_MINUTE
