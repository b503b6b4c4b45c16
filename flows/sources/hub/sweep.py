"""Hugging Face Hub: reading listings to their end, page by page, and going on after a crash.

Each page is kept before the next one is asked for, and the journal holds the address behind it:
whenever a run dies, the next one asks for the first page that was not kept. Nothing else is
remembered between runs.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Sequence

import httpx2

from flows.settings import Settings
from flows.sources.http import SourceError
from flows.sources.hub.columns import left_out, notes, optional, without
from flows.sources.hub.completeness import against, is_short, pages_with_gaps
from flows.sources.hub.page import (
    FLOOR,
    NEWEST,
    DamagedPageError,
    Met,
    Page,
    is_floor,
    page_of,
    read_page,
)
from flows.sources.hub.page_order import Checks, check_newest
from flows.sources.hub.rate_limit import Progress
from flows.sources.hub.request import Asker
from warehouse.archive.archive import Archive
from warehouse.archive.draft import Draft
from warehouse.archive.snapshot import ArchivedFile, distinct_rows
from warehouse.storage.redact import redact

log = logging.getLogger("observatory.hub")

PAGE_TRIES = 3
CURSOR_REFUSED = (400, 404, 410, 422)
NEWEST_PAGES = 20


class Sweep(Checks):
    """One observation of one or several listings, kept in a draft."""

    def __init__(
        self, settings: Settings, archive: Archive, draft: Draft, what: str, *, has_floor: bool
    ) -> None:
        self.settings, self.archive, self.draft = settings, archive, draft
        self.what, self.has_floor = what, has_floor  # has_floor: the whole Hub, down to its oldest
        self.source = draft.source
        self.before = archive.newest(self.source, before=draft.day)
        self.asker = Asker(self.source, settings)
        self.progress = Progress(self.source, what, self.asker.pace, self.before)
        self._remember()

    def _remember(self) -> None:
        """What a check of the next page needs to know of the pages kept so far."""
        files = self.draft.files
        self.rows = distinct_rows(files)
        self.digests = {f.sha256 for f in files if f.rows_seen}
        self.cursors = {f.next_url for f in files if f.next_url}
        pages = self.pages  # without the newest, which came last and are the youngest
        self.asker.left_out = list(left_out(pages, optional(self.source)))
        self.met = Met()
        last = [n for n, file in enumerate(pages[:-1], start=1) if file.next_url is None]
        for file in pages[last[-1] if last else 0 :]:  # of the listing that is being read
            self.met.add(page_of(self.archive.read(file), file.next_url))

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
            is_first = url is None
            url = url or without(start, self.asker.left_out)
            while url:
                url = self._keep_page(url, is_first=is_first)
                is_first = False
        return None

    def _was_begun_like(self, starts: Sequence[str]) -> bool:
        """One sweep is of one Hub, of the same listings, and with the same essential columns."""
        pages = self.pages
        firsts = [p for p, before in zip(pages, [None, *pages], strict=False) if _begins(before)]
        names = optional(self.source)
        wanted = [without(redact(s), names) for s in starts[: len(firsts)]]
        return [without(f.url, names) for f in firsts] == wanted

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
        self.draft.reset()
        self._remember()

    def _keep_page(self, url: str, *, is_first: bool) -> str | None:
        """Keeps one page and returns the address of the next; a damaged one is asked for again."""
        name = f"pages/{len(self.pages) + 1:06d}.json"
        if is_first:
            self.met = Met()
        answer, page = self._sound_page(name, url, is_first=is_first)
        again = self.met.again(page) or None
        self._keep(name, url, answer, page.following, rows=page.received, again=again)
        self.met.add(page)
        self.progress.tell(len(self.pages), self.rows, is_last=page.following is None)
        return page.following

    def _sound_page(
        self, name: str, url: str, *, is_first: bool = False, met: Page | None = None
    ) -> tuple[httpx2.Response, Page]:
        """One page that may be kept. Raises SourceError; then the sweep stands before it."""
        for tried in range(1, PAGE_TRIES + 1):
            answer = self.asker.answer(url)
            try:
                page = read_page(answer)
                self.check_host(page)
                if met:
                    check_newest(page, met)
                else:
                    self.check(answer, page, url, is_first=is_first)
                return answer, page
            except DamagedPageError as error:
                if error.is_hostile:
                    raise self._refused(error.args[0], error.where or url) from error
                problem = error
            aside = self.draft.quarantine(name, answer.content)
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

    def _keep(
        self,
        name: str,
        url: str,
        answer: httpx2.Response,
        following: str | None,
        *,
        rows: int,
        again: int | None = None,
    ) -> None:
        file = self.draft.add_file(
            name,
            answer.content,
            url=without(url, self.asker.left_out),
            status=answer.status_code,
            etag=answer.headers.get("etag"),
            rows_seen=rows,
            rows_repeated=again,
            next_url=following,
            compress=True,
        )
        if rows:
            self.digests.add(file.sha256)
        if following:
            self.cursors.add(following)
        self.rows += rows - (again or 0)
        self.progress.kept(rows)

    def read_newest(self, start: str) -> None:
        """What was created while the sweep went on: from the newest down to one it met first.

        Kept as `pages/newest-000001.json`; rows_seen counts the new ones alone. A listing of one
        page was read in one moment and has no such.
        """
        pages = self.pages
        if len(pages) < 2:
            return
        met = page_of(self.archive.read(pages[0]), None)
        again = self.draft.files[len(pages) :]
        url = again[-1].next_url if again else start
        while url and len(again) < NEWEST_PAGES:
            name = f"{NEWEST}{len(again) + 1:06d}.json"
            answer, page = self._sound_page(name, url, met=met)
            new = sum(map(met.is_older_than, page.items))
            if not new:
                break
            following = None if page.ids & met.ids else page.following
            self._keep(name, url, answer, following, rows=new)
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
        oldest = self.met.oldest
        reached, gaps = is_floor(oldest), pages_with_gaps(self.pages)
        self.draft.notes += [
            f"sweep ended without a next link at createdAt {oldest}; floor {FLOOR} "
            f"{'reached' if reached else 'not reached: not proved to be the whole Hub'}",
            against(self.before, self.rows),
        ]
        if gaps:
            self.draft.notes.append(
                f"rows are missing: {', '.join(gaps)} repeat earlier rows or are empty, in place "
                "of their own"
            )
        self.note_left_out()
        self.draft.is_complete = reached and not gaps and not is_short(self.before, self.rows)

    def note_left_out(self) -> None:
        """Says in the sidecar which columns the Hub refused, and from which page on."""
        self.draft.notes += notes(self.pages, optional(self.source))


def _begins(before: ArchivedFile | None) -> bool:
    """Whether a page after this one is the first of its listing."""
    return before is None or before.next_url is None
