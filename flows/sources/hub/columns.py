"""Columns of a Hub listing: which ones a sweep can do without, and how to leave those out.

The Hub has rejected columns that its listing used to serve (HTTP 400). The source card says which
columns are optional; a column that is left out is null, and lineage then comes from the tags.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from urllib.parse import parse_qsl, urlencode, urlsplit

from flows.sources.http import SourceError
from warehouse.archive.snapshot import ArchivedFile
from warehouse.contracts.source import card

BAD_REQUEST = 400


def columns(source: str) -> tuple[str, ...]:
    """All columns that the source requests, in the order of its card."""
    return tuple(card(source).map["expand"])


def optional(source: str) -> tuple[str, ...]:
    """The columns that may be left out."""
    return tuple(name for name, need in card(source).map["expand"].items() if need == "optional")


def requested(url: str) -> set[str]:
    """The columns that an address requests."""
    return {value for name, value in parse_qsl(urlsplit(url).query) if name == "expand"}


def without(url: str, left_out: Iterable[str]) -> str:
    """The address without some columns."""
    parts, removed = urlsplit(url), {("expand", name) for name in left_out}
    if not removed & set(parse_qsl(parts.query)):
        return url
    pairs = [p for p in parse_qsl(parts.query, keep_blank_values=True) if p not in removed]
    return parts._replace(query=urlencode(pairs)).geturl()


def find_rejected(
    url: str, error: SourceError, names: Iterable[str], is_accepted: Callable[[str], bool]
) -> list[str]:
    """The optional columns that the Hub rejects. Raises `error` if they are not the reason.

    `is_accepted` requests an address. A column that the error message names is tried first;
    otherwise all optional columns are left out, and then each is tried by itself.
    """
    present = [name for name in names if name in requested(url)]
    named = [name for name in present if f"'{name}'" in str(error) or f'"{name}"' in str(error)]
    if len(named) == 1 and is_accepted(without(url, named)):
        return named
    if not present or not is_accepted(without(url, present)):
        raise error
    return [
        name
        for name in present
        if not is_accepted(without(url, [other for other in present if other != name]))
    ]


def left_out(pages: Iterable[ArchivedFile], names: Collection[str]) -> dict[str, str]:
    """Column -> first stored page that was requested without it, though it was expected.

    The first page of a listing should have all columns; a later page should have those in the
    address that the page before it gave.
    """
    found: dict[str, str] = {}
    following: str | None = None
    for page in pages:
        expected = requested(following) if following else set(names)
        for name in names:
            if name in expected - requested(page.url):
                found.setdefault(name, page.name)
        following = page.next_url
    return found


def notes(pages: Iterable[ArchivedFile], names: Collection[str]) -> list[str]:
    """Notes for the sidecar about columns that were left out."""
    return [
        f"the Hub rejects the column {name} (HTTP {BAD_REQUEST}): null from {page} on"
        for name, page in left_out(pages, names).items()
    ]
