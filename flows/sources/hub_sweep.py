"""Hugging Face Hub: reading listings to their end, page by page, and going on after a crash.

Each page is kept before the next one is asked for, and the journal holds the address behind it:
whenever a run dies, the next one asks for the first page that was not kept. Nothing else is
remembered between runs.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Sequence

import httpx2
from huggingface_hub import HfApi

from flows.settings import Settings
from flows.sources.http import SourceError, get
from flows.sources.hub_page import (
    FLOOR,
    NEWEST,
    DamagedPageError,
    Page,
    is_at,
    is_floor,
    read_items,
    read_page,
)
from flows.sources.pace import Pace
from warehouse.archive import Archive
from warehouse.draft import Draft
from warehouse.files import sha256
from warehouse.snapshot import ArchivedFile
from warehouse.urls import without_query_secrets

log = logging.getLogger("observatory.hub")

PAGE_TRIES = 3
CURSOR_REFUSED = (400, 404, 410, 422)
NEWEST_PAGES = 20
LOG_EVERY = 30.0  # s
LOST = 0.02  # of the rows of the sweep before: more must not vanish in a day


class Sweep:
    """One observation of one or several listings, kept in a draft."""

    def __init__(
        self, settings: Settings, archive: Archive, draft: Draft, what: str, *, has_floor: bool
    ) -> None:
        self.settings, self.archive, self.draft = settings, archive, draft
        self.what, self.has_floor = what, has_floor  # has_floor: the whole Hub, down to its oldest
        self.source = draft.source
        self.before = archive.newest(self.source, before=draft.day)
        self.pace = Pace(self.source, settings)
        self.headers = HfApi(endpoint=settings.hub_url)._build_hf_headers()
        self._asked = self._asked_rows = 0
        self._logged = time.monotonic()
        self._remember()

    def _remember(self) -> None:
        """What a check of the next page needs to know of the pages kept so far."""
        files = self.draft.files
        self.rows = sum(f.rows_seen or 0 for f in files)
        self._digests = {f.sha256 for f in files if f.rows_seen}
        self._cursors = {f.next_url for f in files if f.next_url}
        self._oldest: str | None = None
        self._last: Page | None = None
        pages = self.pages  # without the newest, which came last and are the youngest
        for file in reversed(pages) if self.has_floor else pages[-1:]:
            page = Page(read_items(self.archive.read(file)), file.next_url)
            self._last = self._last or page
            self._oldest = page.oldest
            if self._oldest:  # the listing falls: further up all are younger
                break

    @property
    def pages(self) -> list[ArchivedFile]:
        """The kept pages of the listings themselves."""
        return [f for f in self.draft.files if not f.name.startswith(NEWEST)]

    def read(self, starts: Sequence[str]) -> None:
        """Keeps every page of every listing, `pages/000001.json` onwards, in the order given."""
        if not self._was_begun_like(starts):
            self._anew()
        pages = self.pages
        done = sum(f.next_url is None for f in pages)
        url = pages[-1].next_url if pages else None
        if url:
            log.info("%s: going on after page %d of an unfinished sweep", self.source, len(pages))
            url = self._go_on(url)
            if not self.draft.files:
                return self.read(starts)
            done = sum(f.next_url is None for f in self.pages)
        for start in itertools.islice(starts, done, None):
            url = url or start
            while url:
                url = self._keep_page(url, is_first=url == start)
        return None

    def _was_begun_like(self, starts: Sequence[str]) -> bool:
        """One sweep is of one Hub, of the same listings, and with the same columns."""
        pages = self.pages
        firsts = [p for p, before in zip(pages, [None, *pages], strict=False) if _begins(before)]
        asked = [without_query_secrets(s) for s in starts[: len(firsts)]]
        return [f.url for f in firsts] == asked

    def _go_on(self, url: str) -> str | None:
        """The first page after a pause; where the Hub no longer takes its cursor, all anew."""
        try:
            return self._keep_page(url, is_first=False)
        except SourceError as error:
            if error.status not in CURSOR_REFUSED:
                raise
            log.warning(
                "%s: the stored cursor is refused (HTTP %d); from the start",
                self.source,
                error.status,
            )
            self._anew()
            return None

    def _anew(self) -> None:
        self.draft.restart()
        self._remember()

    def _keep_page(self, url: str, *, is_first: bool) -> str | None:
        """Keeps one page and returns the address of the next; a damaged one is asked for again."""
        name = f"pages/{len(self.pages) + 1:06d}.json"
        answer, page = self._sound_page(name, url, is_first=is_first)
        self._keep(name, url, answer, page, page.following, rows=len(page.items))
        self._last, self._oldest = page, page.oldest or self._oldest
        self._progress(is_last=page.following is None)
        return page.following

    def _sound_page(
        self, name: str, url: str, *, is_first: bool = False, met: Page | None = None
    ) -> tuple[httpx2.Response, Page]:
        """One page that may be kept. Raises SourceError; then the sweep stands before it."""
        for tried in range(1, PAGE_TRIES + 1):
            answer = self._get(url)
            try:
                page = read_page(answer)
                self._check_host(page)
                if met:
                    _check_newest(page, met)
                else:
                    self._check(answer, page, is_first=is_first)
                return answer, page
            except DamagedPageError as error:
                if error.is_hostile:
                    raise self._refused(error.args[0], error.where or url) from error
                problem = error
            aside = self.draft.set_aside(name, answer.content)
            log.warning("%s: page %s %s (%d of %d)", self.source, name, problem, tried, PAGE_TRIES)
        if problem.is_tolerable:
            self.draft.notes.append(f"{name} {problem}, {PAGE_TRIES} times: taken as it is")
            return answer, read_page(answer)
        where = problem.where or f"{url} (the bytes: {aside})"
        raise self._refused(f"{name} {problem} (asked {PAGE_TRIES} times)", where)

    def _refused(self, what: str, where: str) -> SourceError:
        return SourceError(
            self.source,
            f"{self.draft.day} {what}",
            where,
            "run again later: the sweep goes on at this page; if it stays so, check HF_ENDPOINT "
            "and proxies",
        )

    def _get(self, url: str) -> httpx2.Response:
        self.pace.wait(url)
        answer = get(
            self.source,
            url,
            timeout=self.settings.http_timeout_seconds,
            headers=self.headers,
            first_wait=self.settings.http_first_wait_seconds,
            deadline=self.pace.deadline,
        )
        self.pace.heed(answer.headers)
        return answer

    def _check_host(self, page: Page) -> None:
        if page.following and not is_at(page.following, self.settings.hub_url):
            told = "the next page lies on another host"
            raise DamagedPageError(told, where=page.following, is_hostile=True)

    def _check(self, answer: httpx2.Response, page: Page, *, is_first: bool) -> None:
        """Raises DamagedPageError for a page that cannot follow the one before it."""
        if page.following in self._cursors:
            told = "names a next page that was read already: the listing goes in a circle"
            raise DamagedPageError(told, where=page.following)
        if page.items and sha256(answer.content) in self._digests:
            raise DamagedPageError("repeats a page that came before")
        known = page.ids & self._last.ids if self._last and not is_first else ()
        if known:
            told = f"repeats {len(known)} items of the page before"
            raise DamagedPageError(told, is_tolerable=True)
        if page.following is None:
            self._check_end(page, is_first=is_first)

    def _check_end(self, page: Page, *, is_first: bool) -> None:
        """A missing Link is the only end marker, so the end itself must look like one."""
        oldest = page.oldest or self._oldest
        if (self.has_floor and is_floor(oldest)) or not page.items:
            return
        full = self.settings.hub_page_rows if is_first else self._first_rows()
        if not self.has_floor:
            if len(page.items) >= full:
                raise DamagedPageError("is full and names no next page", is_tolerable=True)
            return
        if oldest:
            told = f"names no next page, at createdAt {oldest}: the floor {FLOOR} was not reached"
            is_torn = len(page.items) >= full or self._is_short(self.rows + len(page.items))
            raise DamagedPageError(told, is_tolerable=not is_torn)

    def _first_rows(self) -> int:
        """Rows of the first page of the listing that is being read: the server's page size."""
        first = 0
        for file in reversed(self.pages):
            if file.next_url is None:
                break
            first = file.rows_seen or 0
        return first

    def _is_short(self, rows: int) -> bool:
        """Whether far more rows were there in the last whole sweep before this one."""
        before = self.before
        return bool(before and before.is_complete and rows < before.rows_seen * (1 - LOST))

    def _keep(
        self,
        name: str,
        url: str,
        answer: httpx2.Response,
        page: Page,
        following: str | None,
        *,
        rows: int,
    ) -> None:
        file = self.draft.keep(
            name,
            answer.content,
            url=url,
            status=answer.status_code,
            etag=answer.headers.get("etag"),
            rows_seen=rows,
            next_url=following,
            compress=True,
        )
        if page.items:
            self._digests.add(file.sha256)
        if following:
            self._cursors.add(following)
        self.rows += rows
        self._asked, self._asked_rows = self._asked + 1, self._asked_rows + rows

    def read_newest(self, start: str) -> None:
        """What was created while the sweep went on: from the newest down to one it met first.

        Kept as `pages/newest-000001.json`; rows_seen counts the new ones alone. A listing of one
        page was read in one moment and has no such.
        """
        pages = self.pages
        if len(pages) < 2:
            return
        met = Page(read_items(self.archive.read(pages[0])), None)
        again = self.draft.files[len(pages) :]
        url = again[-1].next_url if again else start
        while url and len(again) < NEWEST_PAGES:
            name = f"{NEWEST}{len(again) + 1:06d}.json"
            answer, page = self._sound_page(name, url, met=met)
            new = sum(map(met.is_older_than, page.items))
            if not new:
                break
            following = None if page.ids & met.ids else page.following
            self._keep(name, url, answer, page, following, rows=new)
            url = following
            again = self.draft.files[len(pages) :]
            log.info("%s: %d %s are new", self.source, new, self.what)

    def conclude(self) -> None:
        """Says in the sidecar whether this was the whole Hub. Raises SourceError if it is empty."""
        if not self.rows:
            self._anew()
            raise SourceError(
                self.source,
                f"{self.draft.day} the listing holds no {self.what.rstrip('s')} at all",
                f"{self.settings.hub_url}/api/{self.what}",
                "run again later; if it stays so, check HF_ENDPOINT or the API has changed",
                is_transient=True,
            )
        reached = is_floor(self._oldest)
        self.draft.notes += [
            f"sweep ended without a next link at createdAt {self._oldest}; floor {FLOOR} "
            f"{'reached' if reached else 'not reached: not proved to be the whole Hub'}",
            self._against_before(),
        ]
        short = self.before is not None and self.rows < self.before.rows_seen * (1 - LOST)
        self.draft.is_complete = reached and not short

    def _against_before(self) -> str:
        if self.before is None:
            return f"{self.rows:,} rows; no earlier sweep to compare with"
        had, name = self.before.rows_seen, self.before.snapshot_id
        change = f" ({(self.rows - had) / had:+.2%})" if had else ""
        return f"{self.rows:,} rows; {name} had {had:,}{change}, {LOST:.0%} fewer would be too few"

    def _progress(self, *, is_last: bool) -> None:
        """One line a while: how far, how fast, how long still (by the sweep before)."""
        now = time.monotonic()
        if now - self._logged < LOG_EVERY and not is_last:
            return
        self._logged, spent = now, now - self.pace.begun
        log.info(
            "%s: %d pages, %s %s; %.1f pages/s%s%s",
            self.source,
            len(self.pages),
            f"{self.rows:,}",
            self.what,
            self._asked / max(spent, 1e-9),
            self._still_to_go(spent),
            "" if self.pace.left is None else f"; quota left {self.pace.left}",
        )

    def _still_to_go(self, spent: float) -> str:
        if self.before is None or not self._asked_rows:
            return ""
        left = max(self.before.rows_seen - self.rows, 0) * spent / self._asked_rows
        return f"; about {left / 60:.0f} min left" if left >= 60 else f"; about {left:.0f} s left"


def _begins(before: ArchivedFile | None) -> bool:
    """Whether a page after this one is the first of its listing."""
    return before is None or before.next_url is None


def _check_newest(page: Page, met: Page) -> None:
    """Raises DamagedPageError for a page that holds older items than the newest there were."""
    known = page.ids & met.ids
    odd = [i for i in page.items if not met.is_older_than(i) and i.get("_id") not in known]
    if not known and odd:
        raise DamagedPageError(f"holds {len(odd)} items that are not among the newest")
