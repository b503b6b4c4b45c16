"""Hugging Face Hub: one page of a listing, and whether it can be believed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import httpx2
import orjson

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
    """One page: its items as received, and the address of the next one."""

    items: list[dict[str, Any]]
    following: str | None

    @cached_property
    def ids(self) -> frozenset[str]:
        """The Hub's object ids, or the names of items without one."""
        found = (item.get("_id") or item.get("id") for item in self.items)
        return frozenset(i for i in found if isinstance(i, str) and i)

    @cached_property
    def newest(self) -> str | None:
        """The largest createdAt."""
        times = (item.get("createdAt") for item in self.items)
        return max((t for t in times if isinstance(t, str)), default=None)

    def is_older_than(self, item: dict[str, Any]) -> bool:
        """Whether an item was created after all of this page: no other page before had it."""
        created = item.get("createdAt")
        if not isinstance(created, str) or item.get("_id", item.get("id")) in self.ids:
            return False
        return self.newest is None or created >= self.newest

    @cached_property
    def oldest(self) -> str | None:
        """The smallest createdAt."""
        times = (item.get("createdAt") for item in self.items)
        return min((t for t in times if isinstance(t, str)), default=None)


def read_page(answer: httpx2.Response) -> Page:
    """The page of an answer. Raises DamagedPageError where it is none."""
    following = answer.links.get("next", {}).get("url")
    return Page(read_items(answer.content), without_secrets(following) if following else None)


def read_items(content: bytes) -> list[dict[str, Any]]:
    """The items of a page. Raises DamagedPageError where it is no list of them."""
    try:
        items: Any = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise DamagedPageError(f"is not JSON ({error})") from error
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise DamagedPageError("is JSON but no list of models")
    nameless = sum(not item.get("id") for item in items)
    if nameless * 2 > len(items):
        raise DamagedPageError(f"has {nameless} of {len(items)} items without an id")
    return items


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
