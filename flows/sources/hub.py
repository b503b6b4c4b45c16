"""Hugging Face Hub: the listing of all models.

A createdAt sweep with a thin expand: createdAt never moves, so no row is lost or doubled while
the sweep goes on. Pages are kept before anything else looks at them; the cursor behind each page
is in the journal, so a sweep that died goes on where it was.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import duckdb
import orjson
from huggingface_hub import HfApi

from flows.settings import Settings
from flows.sources.http import SourceError, get
from flows.sources.raw import not_of_type, quarantine, snapshot_columns
from warehouse.archive import Archive, Draft, Snapshot
from warehouse.contract import contract, quote

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


# One item's keys and their types; keys that it lacks become NULL, keys unknown here are ignored.
_ITEM: Mapping[str, str] = {
    "id": "VARCHAR",
    "_id": "VARCHAR",
    "author": "VARCHAR",
    "createdAt": "TIMESTAMP",
    "lastModified": "TIMESTAMP",
    "downloads": "BIGINT",
    "downloadsAllTime": "BIGINT",
    "likes": "BIGINT",
    "trendingScore": "DOUBLE",
    "gated": "VARCHAR",
    "pipeline_tag": "VARCHAR",
    "library_name": "VARCHAR",
    "tags": "JSON",
    "baseModels": "JSON",
    "safetensors": "JSON",
}
_TOTAL = "(safetensors ->> '$.total')"


def parse_models(con: duckdb.DuckDBPyConnection, archive: Archive, snapshot: Snapshot) -> None:
    """Loads raw.hub_models: one row per model and snapshot; the rest goes to quarantine.

    Refused: an item without id (`no id`), with a value of another type (`likes is no BIGINT`),
    and every further item of an object already seen in this sweep (`duplicate`: the first one met
    is kept, as pages are read in order).
    """
    _judge_items(con, archive.paths(snapshot.find("pages/")))
    columns = ", ".join(quote(c) for c in contract("raw.hub_models").columns)
    con.execute(
        f"""INSERT INTO raw.hub_models ({columns})
        SELECT {snapshot_columns(snapshot)}, parse_filename(filename), model, _id,
            coalesce(author, nullif(split_part(model, '/', 1), model)),
            createdAt::TIMESTAMP, lastModified::TIMESTAMP, downloads::BIGINT,
            downloadsAllTime::BIGINT, likes::BIGINT, trendingScore::DOUBLE,
            gated, pipeline_tag, library_name,
            tags::VARCHAR, nullif(baseModels::VARCHAR, 'null'), {_TOTAL}::BIGINT
        FROM hub_judged WHERE refusal IS NULL ORDER BY item"""
    )
    received = ", ".join(f"{quote(key)} := {quote(key)}" for key in _ITEM)
    quarantine(
        con,
        snapshot,
        "raw.hub_models",
        f"""SELECT parse_filename(filename), item, refusal,
            json_merge_patch('{{}}', to_json(struct_pack({received})))::VARCHAR
        FROM hub_judged WHERE refusal IS NOT NULL""",
    )
    con.execute("DROP TABLE page_items; DROP TABLE hub_judged")


def _judge_items(con: duckdb.DuckDBPyConnection, paths: list[str]) -> None:
    """Temp table hub_judged: every item in the order received, with its refusal or null.

    Values are text at first: one of another type refuses its item, not the whole sweep.
    """
    kinds = {key: "JSON" if kind == "JSON" else "VARCHAR" for key, kind in _ITEM.items()}
    kinds["id"] = "JSON"  # or an id that is a number or an object would pass for a text
    items = ", ".join(f"'{key}': '{kind}'" for key, kind in kinds.items())
    typed = [(k, quote(k), kind) for k, kind in _ITEM.items() if kind not in ("JSON", "VARCHAR")]
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE page_items AS
        SELECT *, CASE json_type(id) WHEN 'VARCHAR' THEN id ->> '$' END AS model,
            row_number() OVER () AS item FROM read_json(?, format = 'array',
            columns = {{{items}}}, filename = true, maximum_object_size = 268435456)""",
        [paths],
    )
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE hub_judged AS SELECT *, CASE
            WHEN model IS NULL OR model = '' THEN 'no id'
            {not_of_type([*typed, ("safetensors.total", _TOTAL, "BIGINT")])}
            WHEN row_number() OVER (PARTITION BY coalesce(_id, model) ORDER BY item) > 1
              OR row_number() OVER (PARTITION BY model ORDER BY item) > 1 THEN 'duplicate'
            END AS refusal FROM page_items"""
    )
