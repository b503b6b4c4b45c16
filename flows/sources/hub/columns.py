"""Columns of a Hub listing: which it cannot be without, and going on without one that is refused.

The Hub has refused columns that its listing answered before (HTTP 400). The source card says which
may be left out; what a model has no value of is null then, and its lineage comes from the tags.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from urllib.parse import parse_qsl, urlencode, urlsplit

from flows.sources.http import SourceError
from warehouse.archive.snapshot import ArchivedFile
from warehouse.contracts.source import card

REFUSED = 400


def columns(source: str) -> tuple[str, ...]:
    """All columns that are asked for, in the order of the card."""
    return tuple(card(source).map["expand"])


def optional(source: str) -> tuple[str, ...]:
    """Those that may be left out."""
    return tuple(name for name, need in card(source).map["expand"].items() if need == "optional")


def asked(url: str) -> set[str]:
    """The columns that an address asks for."""
    return {value for name, value in parse_qsl(urlsplit(url).query) if name == "expand"}


def without(url: str, left_out: Iterable[str]) -> str:
    """The address without some columns."""
    parts, gone = urlsplit(url), {("expand", name) for name in left_out}
    if not gone & set(parse_qsl(parts.query)):
        return url
    kept = [p for p in parse_qsl(parts.query, keep_blank_values=True) if p not in gone]
    return parts._replace(query=urlencode(kept)).geturl()


def find_refused(
    url: str, error: SourceError, names: Iterable[str], is_taken: Callable[[str], bool]
) -> list[str]:
    """Which optional columns the listing refuses. Raises `error` where they are not the reason.

    `is_taken` asks for an address, and says whether it is answered. A column that the refusal names
    is tried first; else all are left out, and each is asked for again by itself.
    """
    there = [name for name in names if name in asked(url)]
    named = [name for name in there if f"'{name}'" in str(error) or f'"{name}"' in str(error)]
    if len(named) == 1 and is_taken(without(url, named)):
        return named
    if not there or not is_taken(without(url, there)):
        raise error
    return [name for name in there if not is_taken(without(url, [n for n in there if n != name]))]


def left_out(pages: Iterable[ArchivedFile], names: Collection[str]) -> dict[str, str]:
    """Column -> first kept page that was asked for without it, though it was to be there.

    The first page of a listing is to have all; a later one those of the address that the page
    before it gave.
    """
    found: dict[str, str] = {}
    following: str | None = None
    for page in pages:
        expected = asked(following) if following else set(names)
        for name in names:
            if name in expected - asked(page.url):
                found.setdefault(name, page.name)
        following = page.next_url
    return found


def notes(pages: Iterable[ArchivedFile], names: Collection[str]) -> list[str]:
    """What the sidecar says of columns that were left out."""
    return [
        f"the Hub refused the column {name} (HTTP {REFUSED}): left out from {page} on, null there"
        for name, page in left_out(pages, names).items()
    ]
