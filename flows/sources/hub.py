"""Hugging Face Hub: the listing of all models.

A createdAt sweep with a thin expand: createdAt never moves, so no row is lost or doubled while
the sweep goes on. Pages are kept before anything else looks at them; the cursor behind each page
is in the journal, so a sweep that died goes on where it was.
"""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson
from huggingface_hub import HfApi

from flows.settings import Settings
from flows.sources.http import SourceError, get
from warehouse.archive import Archive, Draft

log = logging.getLogger("observatory.hub")

EXPAND = (
    "author",
    "createdAt",
    "downloads",
    "downloadsAllTime",
    "likes",
    "trendingScore",
    "gated",
    "pipeline_tag",
    "library_name",
    "tags",
    "baseModels",
    "safetensors",
)
PAGE_TRIES = 3
CURSOR_REFUSED = (400, 404, 410, 422)
FLOOR = "2022-03-02"  # the Hub stamped everything older with this day


def fetch_models(settings: Settings, archive: Archive, draft: Draft) -> None:
    """Keeps every page of the listing, `pages/000001.json` onwards, newest model first."""
    url = _next_url(settings, draft)
    if draft.files and url:
        log.info("hub: going on after page %d of an unfinished sweep", len(draft.files))
        url = _go_on(settings, draft, url)
    while url:
        url = _keep_page(settings, draft, url)
        if len(draft.files) % 100 == 0 or not url:
            rows = sum(f.rows_seen or 0 for f in draft.files)
            log.info("hub: %d pages, %s models", len(draft.files), f"{rows:,}")
    _check_not_empty(settings, draft)
    _note_floor(archive, draft)


def _next_url(settings: Settings, draft: Draft) -> str | None:
    if draft.files:
        following = draft.files[-1].next_url
        if following is None or _is_ours(settings, following):
            return following
        draft.restart()  # begun at another address: one sweep is of one Hub
    query = [("sort", "createdAt"), ("limit", str(settings.hub_page_rows))]
    return f"{settings.hub_url}/api/models?" + urlencode(query + [("expand", e) for e in EXPAND])


def _go_on(settings: Settings, draft: Draft, url: str) -> str | None:
    """The first page after a pause; where the Hub no longer takes its cursor, the sweep anew."""
    try:
        return _keep_page(settings, draft, url)
    except SourceError as error:
        if error.status not in CURSOR_REFUSED:
            raise
        log.warning("hub: the stored cursor is refused (HTTP %d); from the start", error.status)
        draft.restart()
        return _next_url(settings, draft)


def _check_not_empty(settings: Settings, draft: Draft) -> None:
    """An empty listing is no observation of the Hub, and must not be sealed as one."""
    if any(f.rows_seen for f in draft.files):
        return
    draft.restart()
    raise SourceError(
        "hub",
        f"{draft.day} the listing holds no model at all",
        f"{settings.hub_url}/api/models",
        "run again later; if it stays so, check HF_ENDPOINT or the API has changed",
        is_transient=True,
    )


def _keep_page(settings: Settings, draft: Draft, url: str) -> str | None:
    """Keeps one page and returns the address of the next; a damaged page is asked for again."""
    name = f"pages/{len(draft.files) + 1:06d}.json"
    headers = HfApi(endpoint=settings.hub_url)._build_hf_headers()
    for _ in range(PAGE_TRIES):
        answer = get("hub", url, timeout=settings.http_timeout_seconds, headers=headers)
        rows, problem = _look(answer.content)
        if problem is None:
            break
        aside = draft.set_aside(name, answer.content)
        log.warning("hub: page %s %s; asking again", name, problem)
    else:
        raise SourceError(
            "hub",
            f"{draft.day} {name} {problem} (asked {PAGE_TRIES} times)",
            f"{url} (the bytes: {aside})",
            "run again later: the sweep goes on at this page",
        )
    following = answer.links.get("next", {}).get("url")
    if following:
        _check_link(settings, draft, following)
    draft.keep(
        name,
        answer.content,
        url=url,
        status=answer.status_code,
        etag=answer.headers.get("etag"),
        rows_seen=rows,
        next_url=following,
        compress=True,
    )
    return following


def _look(page: bytes) -> tuple[int, str | None]:
    """Number of items of a page, and what is wrong with it."""
    try:
        items: Any = orjson.loads(page)
    except orjson.JSONDecodeError as error:
        return 0, f"is not JSON ({error})"
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return 0, "is JSON but no list of models"
    return len(items), None


def _is_ours(settings: Settings, url: str) -> bool:
    """Whether an address lies on the Hub that was asked: our token goes nowhere else."""
    return urlsplit(url)[:2] == urlsplit(settings.hub_url)[:2]


def _check_link(settings: Settings, draft: Draft, following: str) -> None:
    problem = None
    if not _is_ours(settings, following):
        problem = "the next page lies on another host"
    elif any(f.next_url == following for f in draft.files):
        problem = "the next page was read already: the listing goes in a circle"
    if problem:
        raise SourceError(
            "hub", f"{draft.day} {problem}", following, "check HF_ENDPOINT and proxies"
        )


def _note_floor(archive: Archive, draft: Draft) -> None:
    """Says in the sidecar whether the sweep came down to the oldest models."""
    items = orjson.loads(archive.read(draft.files[-1]))
    oldest = min((i["createdAt"] for i in items if i.get("createdAt")), default=None)
    reached = oldest is not None and oldest[:10] <= FLOOR
    draft.notes.append(
        f"sweep ended without a next link at createdAt {oldest}; "
        f"floor {FLOOR} {'reached' if reached else 'not reached: not proved to be the whole Hub'}"
    )
