"""Hugging Face Hub: whether a page can follow the pages that a sweep has stored."""

from __future__ import annotations

import httpx2

from flows.settings import Settings
from flows.sources.hub.completeness import author, is_short
from flows.sources.hub.page import FLOOR, DamagedPageError, Page, SeenItems, is_at, is_floor
from warehouse.archive.snapshot import ArchivedFile, Snapshot
from warehouse.storage.files import sha256


class PageChecks:
    """The checks of a sweep, with the state that they compare a page with."""

    settings: Settings
    has_floor: bool  # a sweep of the whole Hub ends at its oldest item
    before: Snapshot | None
    rows: int  # distinct ones stored so far
    seen: SeenItems
    digests: set[str]
    cursors: set[str]

    @property
    def pages(self) -> list[ArchivedFile]:
        """The stored pages of the listings themselves."""
        raise NotImplementedError

    def check_host(self, page: Page) -> None:
        """Raises DamagedPageError for a page whose next page is on another host."""
        if page.following and not is_at(page.following, self.settings.hub_url):
            what = "the next page is on another host"
            raise DamagedPageError(what, where=page.following, is_hostile=True)

    def check(self, response: httpx2.Response, page: Page, url: str, *, is_first: bool) -> None:
        """Raises DamagedPageError for a page that cannot follow the one before it."""
        if page.following in self.cursors:
            what = "names a next page that was already read: the listing repeats itself"
            raise DamagedPageError(what, where=page.following)
        is_same = page.items and sha256(response.content) in self.digests
        if is_same and not is_first:  # two names of one namespace give the same listing
            raise DamagedPageError("repeats an earlier page")
        if page.following is None:
            self._check_end(page, url, is_first=is_first)
        elif not page.received:
            raise DamagedPageError("is empty but names a next page", is_tolerable=True)
        if repeated := self.seen.count_repeated(page):
            what = f"repeats {repeated} items of earlier pages"
            raise DamagedPageError(what, is_tolerable=True)
        if page.is_repaired:
            what = "contains broken characters or invalid numbers"
            raise DamagedPageError(what, is_tolerable=True)

    def _check_end(self, page: Page, url: str, *, is_first: bool) -> None:
        """A missing Link header is the only end marker, so the last page itself is checked."""
        oldest = page.oldest or self.seen.oldest
        if self.has_floor and is_floor(oldest):
            return
        is_full = len(page.items) >= (
            self.settings.hub_page_rows if is_first else self._first_rows()
        )
        if not page.received:
            self._check_empty(url, is_first=is_first)
        elif not self.has_floor:
            if is_full:
                raise DamagedPageError("is full but names no next page", is_tolerable=True)
        elif oldest:
            what = f"names no next page at createdAt {oldest}; {FLOOR} was not reached"
            rows = self.rows + page.received - self.seen.count_repeated(page)
            is_cut = is_full or self._would_be_short(rows)
            raise DamagedPageError(what, is_tolerable=not is_cut)

    def _check_empty(self, url: str, *, is_first: bool) -> None:
        """An empty last page is retried if there used to be rows."""
        if self.has_floor and self.rows:
            what = f"is empty and names no next page; {FLOOR} was not reached"
            raise DamagedPageError(what, is_tolerable=not self._would_be_short(self.rows))
        had = sum(
            f.rows_seen or 0
            for f in (self.before.files if self.before and is_first else ())
            if self.has_floor or author(f.url) == author(url)
        )
        if had and self.before:
            what = f"is empty; {self.before.snapshot_id} had {had:,} rows there"
            raise DamagedPageError(what, is_tolerable=True)

    def _first_rows(self) -> int:
        """Rows of the first page of the listing that is being read: the server's page size."""
        first = 0
        for file in reversed(self.pages):
            if file.next_url is None:
                break
            first = file.rows_seen or 0
        return first

    def _would_be_short(self, rows: int) -> bool:
        """Whether the previous sweep was complete and had far more rows."""
        return bool(self.before and self.before.is_complete and is_short(self.before, rows))


def check_newest(page: Page, first: Page) -> None:
    """Raises DamagedPageError for a page with items older than the sweep's first page."""
    known = page.ids & first.ids
    odd = [i for i in page.items if not first.is_older_than(i) and i.get("_id") not in known]
    if not known and odd:
        raise DamagedPageError(f"has {len(odd)} items that are not among the newest")
