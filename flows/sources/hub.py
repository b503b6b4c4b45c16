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
from flows.sources.raw import quarantine, snapshot_columns
from warehouse.archive import Archive, Draft, Snapshot
from warehouse.contract import contract

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
FLOOR = "2022-03-02"  # the Hub stamped everything older with this day


def fetch_models(settings: Settings, archive: Archive, draft: Draft) -> None:
    """Keeps every page of the listing, `pages/000001.json` onwards, newest model first."""
    url = _next_url(settings, draft)
    if draft.files:
        log.info("hub: going on after page %d of an unfinished sweep", len(draft.files))
    while url:
        url = _keep_page(settings, draft, url)
        if len(draft.files) % 100 == 0 or not url:
            rows = sum(f.rows_seen or 0 for f in draft.files)
            log.info("hub: %d pages, %s models", len(draft.files), f"{rows:,}")
    _note_floor(archive, draft)


def _next_url(settings: Settings, draft: Draft) -> str | None:
    if draft.files:
        return draft.files[-1].next_url
    query = [("sort", "createdAt"), ("limit", str(settings.hub_page_rows))]
    return f"{settings.hub_url}/api/models?" + urlencode(query + [("expand", e) for e in EXPAND])


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
    following = _same_host(settings, answer.links.get("next", {}).get("url"))
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


def _same_host(settings: Settings, url: str | None) -> str | None:
    """The Link's address, if it stays on the Hub: our token goes nowhere else."""
    if url and urlsplit(url)[:2] != urlsplit(settings.hub_url)[:2]:
        raise SourceError(
            "hub", "the next page lies on another host", url, "check HF_ENDPOINT and proxies"
        )
    return url


def _note_floor(archive: Archive, draft: Draft) -> None:
    """Says in the sidecar whether the sweep came down to the oldest models."""
    items = orjson.loads(archive.read(draft.files[-1]))
    oldest = min((i["createdAt"] for i in items if i.get("createdAt")), default=None)
    reached = oldest is not None and oldest[:10] <= FLOOR
    draft.notes.append(
        f"sweep ended without a next link at createdAt {oldest}; "
        f"floor {FLOOR} {'reached' if reached else 'not reached: not proved to be the whole Hub'}"
    )


# How DuckDB reads one item; keys that an item lacks become NULL, keys unknown here are ignored.
_ITEM: Mapping[str, str] = {
    "id": "VARCHAR",
    "_id": "VARCHAR",
    "author": "VARCHAR",
    "createdAt": "VARCHAR",
    "lastModified": "VARCHAR",
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


def parse_models(con: duckdb.DuckDBPyConnection, archive: Archive, snapshot: Snapshot) -> None:
    """Loads raw.hub_models: one row per model and snapshot; the rest goes to quarantine.

    Refused: an item without id (`no id`), and every further item of an object already seen in
    this sweep (`duplicate`: the first one met is kept, as pages are read in order).
    """
    paths = archive.paths(snapshot.find("pages/"))
    items = ", ".join(f"'{key}': '{kind}'" for key, kind in _ITEM.items())
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE page_items AS
        SELECT *, row_number() OVER () AS item FROM read_json(?, format = 'array',
            columns = {{{items}}}, filename = true, maximum_object_size = 268435456)""",
        [paths],
    )
    con.execute(
        """CREATE OR REPLACE TEMP TABLE hub_judged AS SELECT *, CASE
            WHEN id IS NULL OR id = '' THEN 'no id'
            WHEN row_number() OVER (PARTITION BY coalesce(_id, id) ORDER BY item) > 1
              OR row_number() OVER (PARTITION BY id ORDER BY item) > 1 THEN 'duplicate'
            END AS refusal FROM page_items"""
    )
    columns = ", ".join(f'"{c}"' for c in contract("raw.hub_models").columns)
    con.execute(
        f"""INSERT INTO raw.hub_models ({columns})
        SELECT {snapshot_columns(snapshot)}, parse_filename(filename), id, _id,
            coalesce(author, nullif(split_part(id, '/', 1), id)),
            try_cast(createdAt AS TIMESTAMP), try_cast(lastModified AS TIMESTAMP),
            downloads, downloadsAllTime, likes, trendingScore, gated, pipeline_tag, library_name,
            tags::VARCHAR, nullif(baseModels::VARCHAR, 'null'),
            try_cast(safetensors ->> '$.total' AS BIGINT)
        FROM hub_judged WHERE refusal IS NULL ORDER BY item"""
    )
    quarantine(
        con,
        snapshot,
        "raw.hub_models",
        "SELECT parse_filename(filename), item, refusal, to_json(hub_judged)::VARCHAR "
        "FROM hub_judged WHERE refusal IS NOT NULL",
    )
    con.execute("DROP TABLE page_items; DROP TABLE hub_judged")
