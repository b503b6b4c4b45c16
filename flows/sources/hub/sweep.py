"""Hugging Face Hub: reading listings to their end, page by page, and resuming after a crash.

Each page is stored before the next one is requested, and the journal holds the address of the next
page: after a crash, the next run requests the first page that was not stored. No other state is
kept between runs.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Sequence

import httpx2

from flows.settings import Settings
from flows.sources.http import SourceError
from flows.sources.hub.columns import left_out, notes, optional, without
from flows.sources.hub.completeness import comparison, is_short, pages_with_gaps
from flows.sources.hub.page import (
    FLOOR,
    NEWEST,
    DamagedPageError,
    Page,
    SeenItems,
    is_floor,
    page_of,
    read_page,
)
from flows.sources.hub.page_order import PageChecks, check_newest
from flows.sources.hub.rate_limit import Progress
from flows.sources.hub.request import HubClient
from warehouse.archive.archive import Archive
from warehouse.archive.draft import Draft
from warehouse.archive.snapshot import ArchivedFile, distinct_rows
from warehouse.storage.redact import redact

log = logging.getLogger("observatory.hub")

PAGE_TRIES = 3
CURSOR_REJECTED = (400, 404, 410, 422)
NEWEST_PAGES = 20


class Sweep(PageChecks):
    """One observation of one or several listings, stored in a draft."""

    def __init__(
        self, settings: Settings, archive: Archive, draft: Draft, what: str, *, has_floor: bool
    ) -> None:
        self.settings, self.archive, self.draft = settings, archive, draft
        self.what, self.has_floor = what, has_floor
        self.source = draft.source
        self.before = archive.newest(self.source, before=draft.day)
        self.client = HubClient(self.source, settings)
        self.progress = Progress(self.source, what, self.client.pace, self.before)
        self._load_state()

    def _load_state(self) -> None:
        """Reads from the draft what the checks need to know of the pages stored so far."""
        files = self.draft.files
        self.rows = distinct_rows(files)
        self.digests = {f.sha256 for f in files if f.rows_seen}
        self.cursors = {f.next_url for f in files if f.next_url}
        pages = self.pages
        self.client.left_out = list(left_out(pages, optional(self.source)))
        self.seen = SeenItems()
        last = [n for n, file in enumerate(pages[:-1], start=1) if file.next_url is None]
        for file in pages[last[-1] if last else 0 :]:  # of the listing that is being read
            self.seen.add(page_of(self.archive.read(file), file.next_url))

    @property
    def pages(self) -> list[ArchivedFile]:
        """The stored pages of the listings, without the newest items read at the end."""
        return [f for f in self.draft.files if not f.name.startswith(NEWEST)]

    def read(self, starts: Sequence[str]) -> None:
        """Stores every page of every listing, `pages/000001.json` onwards, in the order given."""
        if not self._matches_draft(starts):
            self._restart()
        pages = self.pages
        done = sum(f.next_url is None for f in pages)
        url = pages[-1].next_url if pages else None
        if url:
            log.info("%s: resuming an unfinished sweep after page %d", self.source, len(pages))
            url = self._resume(url)
            if not self.draft.files:
                return self.read(starts)
            done = sum(f.next_url is None for f in self.pages)
        for start in itertools.islice(starts, done, None):
            is_first = url is None
            url = url or without(start, self.client.left_out)
            while url:
                url = self._store_page(url, is_first=is_first)
                is_first = False
        return None

    def _matches_draft(self, starts: Sequence[str]) -> bool:
        """Whether the draft is of the same Hub, the same listings and essential columns."""
        pages = self.pages
        firsts = [
            page
            for page, before in zip(pages, [None, *pages], strict=False)
            if before is None or before.next_url is None
        ]
        names = optional(self.source)
        wanted = [without(redact(s), names) for s in starts[: len(firsts)]]
        return [without(f.url, names) for f in firsts] == wanted

    def _resume(self, url: str) -> str | None:
        """Reads the first page after a pause; restarts if the Hub rejects the stored cursor."""
        try:
            return self._store_page(url, is_first=False)
        except SourceError as error:
            if error.status not in CURSOR_REJECTED:
                raise
            log.warning(
                "%s: the Hub rejects the stored cursor (HTTP %d); restarting the sweep",
                self.source,
                error.status,
            )
            self._restart()
            return None

    def _restart(self) -> None:
        self.draft.reset()
        self._load_state()

    def _store_page(self, url: str, *, is_first: bool) -> str | None:
        """Stores one page and returns the address of the next; a damaged page is retried."""
        name = f"pages/{len(self.pages) + 1:06d}.json"
        if is_first:
            self.seen = SeenItems()
        response, page = self._sound_page(name, url, is_first=is_first)
        repeated = self.seen.count_repeated(page) or None
        self._store(name, url, response, page.following, rows=page.received, repeated=repeated)
        self.seen.add(page)
        self.progress.report(len(self.pages), self.rows, is_last=page.following is None)
        return page.following

    def _sound_page(
        self, name: str, url: str, *, is_first: bool = False, first_page: Page | None = None
    ) -> tuple[httpx2.Response, Page]:
        """One page that may be stored. Raises SourceError; the sweep can resume at this page.

        `first_page` is the sweep's first page if the newest items are read again.
        """
        for attempt in range(1, PAGE_TRIES + 1):
            response = self.client.get(url)
            try:
                page = read_page(response)
                self.check_host(page)
                if first_page:
                    check_newest(page, first_page)
                else:
                    self.check(response, page, url, is_first=is_first)
                return response, page
            except DamagedPageError as error:
                if error.is_hostile:
                    raise self._error(error.args[0], error.where or url) from error
                problem = error
            stored = self.draft.quarantine(name, response.content)
            log.warning(
                "%s: page %s %s (try %d of %d)", self.source, name, problem, attempt, PAGE_TRIES
            )
        if problem.is_tolerable:
            self.draft.notes.append(f"{name} {problem} in {PAGE_TRIES} tries; accepted as it is")
            return response, read_page(response)
        where = problem.where or f"{url} (response stored as {stored})"
        raise self._error(f"{name} {problem} (in {PAGE_TRIES} tries)", where)

    def _error(self, what: str, where: str) -> SourceError:
        return SourceError(
            self.source,
            f"{self.draft.day} {what}",
            where,
            "run again later: the sweep resumes at this page; if it fails again, check "
            "HF_ENDPOINT and proxies",
        )

    def _store(
        self,
        name: str,
        url: str,
        response: httpx2.Response,
        following: str | None,
        *,
        rows: int,
        repeated: int | None = None,
    ) -> None:
        file = self.draft.add_file(
            name,
            response.content,
            url=without(url, self.client.left_out),
            status=response.status_code,
            etag=response.headers.get("etag"),
            rows_seen=rows,
            rows_repeated=repeated,
            next_url=following,
            compress=True,
        )
        if rows:
            self.digests.add(file.sha256)
        if following:
            self.cursors.add(following)
        self.rows += rows - (repeated or 0)
        self.progress.count(rows)

    def read_newest(self, start: str) -> None:
        """Reads what was created during the sweep: from the newest item to the sweep's first.

        Stored as `pages/newest-000001.json`; rows_seen counts only the new items. A listing of one
        page was read at one moment, so there is nothing to add.
        """
        pages = self.pages
        if len(pages) < 2:
            return
        first_page = page_of(self.archive.read(pages[0]), None)
        added = self.draft.files[len(pages) :]
        url = added[-1].next_url if added else start
        while url and len(added) < NEWEST_PAGES:
            name = f"{NEWEST}{len(added) + 1:06d}.json"
            response, page = self._sound_page(name, url, first_page=first_page)
            new = sum(map(first_page.is_older_than, page.items))
            if not new:
                break
            following = None if page.ids & first_page.ids else page.following
            self._store(name, url, response, following, rows=new)
            url = following
            added = self.draft.files[len(pages) :]
            log.info("%s: %d new %s", self.source, new, self.what)

    def conclude(self) -> None:
        """Notes whether this was the whole Hub. Raises SourceError if the listing is empty."""
        if not self.rows:
            self._restart()
            raise SourceError(
                self.source,
                f"{self.draft.day} the listing contains no {self.what}",
                f"{self.settings.hub_url}/api/{self.what}",
                "run again later; if it fails again, check HF_ENDPOINT and whether the API changed",
                is_transient=True,
            )
        oldest = self.seen.oldest
        reached, gaps = is_floor(oldest), pages_with_gaps(self.pages)
        self.draft.notes += [
            f"the sweep ended without a next link at createdAt {oldest}; {FLOOR} was "
            f"{'reached' if reached else 'not reached, so it may not be the whole Hub'}",
            comparison(self.before, self.rows),
        ]
        if gaps:
            self.draft.notes.append(
                f"rows are missing: {', '.join(gaps)} repeat earlier rows or are empty"
            )
        self.note_left_out()
        self.draft.is_complete = reached and not gaps and not is_short(self.before, self.rows)

    def note_left_out(self) -> None:
        """Notes in the sidecar which columns the Hub rejected, and from which page on."""
        self.draft.notes += notes(self.pages, optional(self.source))
