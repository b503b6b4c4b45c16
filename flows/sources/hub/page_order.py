"""Hugging Face Hub: whether a page can follow those that a sweep has kept."""

from __future__ import annotations

import httpx2

from flows.settings import Settings
from flows.sources.hub.completeness import author, is_short
from flows.sources.hub.page import FLOOR, DamagedPageError, Met, Page, is_at, is_floor
from warehouse.archive.snapshot import ArchivedFile, Snapshot
from warehouse.storage.files import sha256


class Checks:
    """The checks of a sweep; it holds what they compare a page with."""

    settings: Settings
    has_floor: bool  # the whole Hub, down to its oldest
    before: Snapshot | None
    rows: int  # distinct ones kept so far
    met: Met
    digests: set[str]
    cursors: set[str]

    @property
    def pages(self) -> list[ArchivedFile]:
        """The kept pages of the listings themselves."""
        raise NotImplementedError

    def check_host(self, page: Page) -> None:
        """Raises DamagedPageError for a page that names a next one on another host."""
        if page.following and not is_at(page.following, self.settings.hub_url):
            told = "the next page lies on another host"
            raise DamagedPageError(told, where=page.following, is_hostile=True)

    def check(self, answer: httpx2.Response, page: Page, url: str, *, is_first: bool) -> None:
        """Raises DamagedPageError for a page that cannot follow the one before it."""
        if page.following in self.cursors:
            told = "names a next page that was read already: the listing goes in a circle"
            raise DamagedPageError(told, where=page.following)
        is_same = page.items and sha256(answer.content) in self.digests
        if is_same and not is_first:  # two names of one namespace give the same listing
            raise DamagedPageError("repeats a page that came before")
        if page.following is None:
            self._check_end(page, url, is_first=is_first)
        elif not page.received:
            raise DamagedPageError("is empty and names a next page", is_tolerable=True)
        if known := self.met.again(page):
            told = f"repeats {known} items of earlier pages"
            raise DamagedPageError(told, is_tolerable=True)
        if page.is_mended:
            told = "holds half characters, or numbers that are none"
            raise DamagedPageError(told, is_tolerable=True)

    def _check_end(self, page: Page, url: str, *, is_first: bool) -> None:
        """A missing Link is the only end marker, so the end itself must look like one."""
        oldest = page.oldest or self.met.oldest
        if self.has_floor and is_floor(oldest):
            return None
        full = self.settings.hub_page_rows if is_first else self._first_rows()
        if not page.received:
            return self._check_empty(url, is_first=is_first)
        if not self.has_floor:
            if len(page.items) >= full:
                raise DamagedPageError("is full and names no next page", is_tolerable=True)
            return None
        if oldest:
            told = f"names no next page, at createdAt {oldest}: the floor {FLOOR} was not reached"
            rows = self.rows + page.received - self.met.again(page)
            is_torn = len(page.items) >= full or self._would_be_torn(rows)
            raise DamagedPageError(told, is_tolerable=not is_torn)
        return None

    def _check_empty(self, url: str, *, is_first: bool) -> None:
        """An empty end: nothing where there were rows is asked for again."""
        if self.has_floor and self.rows:
            told = f"is empty and names no next page: the floor {FLOOR} was not reached"
            raise DamagedPageError(told, is_tolerable=not self._would_be_torn(self.rows))
        had = sum(
            f.rows_seen or 0
            for f in (self.before.files if self.before and is_first else ())
            if self.has_floor or author(f.url) == author(url)
        )
        if had and self.before:
            told = f"is empty; {self.before.snapshot_id} had {had:,} rows there"
            raise DamagedPageError(told, is_tolerable=True)

    def _first_rows(self) -> int:
        """Rows of the first page of the listing that is being read: the server's page size."""
        first = 0
        for file in reversed(self.pages):
            if file.next_url is None:
                break
            first = file.rows_seen or 0
        return first

    def _would_be_torn(self, rows: int) -> bool:
        """Whether far more rows were there in the last whole sweep before this one."""
        return bool(self.before and self.before.is_complete and is_short(self.before, rows))


def check_newest(page: Page, met: Page) -> None:
    """Raises DamagedPageError for a page that holds older items than the newest there were."""
    known = page.ids & met.ids
    odd = [i for i in page.items if not met.is_older_than(i) and i.get("_id") not in known]
    if not known and odd:
        raise DamagedPageError(f"holds {len(odd)} items that are not among the newest")
