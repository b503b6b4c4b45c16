"""Hugging Face Hub: the trending strip of the front page."""

from __future__ import annotations

from typing import Any

import duckdb
import orjson
from huggingface_hub import HfApi

from flows.settings import Settings
from flows.sources.http import SourceError, get
from flows.sources.raw import not_of_type, quarantine, snapshot_columns
from warehouse.archive import Archive
from warehouse.contract import contract
from warehouse.draft import Draft
from warehouse.snapshot import Snapshot

NAME = "trending.json"
_TYPED = (
    ("downloads", "(repo ->> '$.downloads')", "BIGINT"),
    ("likes", "(repo ->> '$.likes')", "BIGINT"),
    ("numParameters", "(repo ->> '$.numParameters')", "BIGINT"),
    ("lastModified", "(repo ->> '$.lastModified')", "TIMESTAMP"),
)


def fetch_trending(settings: Settings, archive: Archive, draft: Draft) -> None:
    """Keeps the strip as one file."""
    draft.restart()  # one moment of the strip; one that was kept and not sealed is asked for again
    url = f"{settings.hub_url}/api/trending"
    headers = HfApi(endpoint=settings.hub_url)._build_hf_headers()
    answer = get(
        "hub_trending",
        url,
        timeout=settings.http_timeout_seconds,
        headers=headers,
        first_wait=settings.http_first_wait_seconds,
    )
    try:
        document: Any = orjson.loads(answer.content)
        strip = document["recentlyTrending"]
        if not isinstance(strip, list):
            raise TypeError("recentlyTrending is no list")
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        aside = draft.set_aside(NAME, answer.content)
        raise SourceError(
            "hub_trending",
            f"{draft.day} {NAME} is not the trending strip ({type(error).__name__}: {error})",
            f"{url} (the bytes: {aside})",
            "run again later; if it stays so, the API has changed",
        ) from error
    draft.keep(NAME, answer.content, url=url, status=answer.status_code, rows_seen=len(strip))


def parse_trending(con: duckdb.DuckDBPyConnection, archive: Archive, snapshot: Snapshot) -> None:
    """Loads raw.hub_trending: one row per item of the strip.

    Refused: items without id or type, and items with a value that is not of its column's type.
    """
    paths = archive.paths(snapshot.find(NAME))
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE strip AS SELECT *, CASE
            WHEN id IS NULL OR repo_type IS NULL THEN 'no id or no type' {not_of_type(_TYPED)}
            END AS refusal FROM (
        SELECT position, item, item ->> '$.repoType' AS repo_type,
            item ->> '$.repoData.id' AS id, item -> '$.repoData' AS repo FROM (
            SELECT unnest(strip) AS item, generate_subscripts(strip, 1) AS position FROM (
                SELECT "recentlyTrending" AS strip FROM read_json(?, format = 'unstructured',
                    columns = {{'recentlyTrending': 'JSON[]'}}))))""",
        [paths],
    )
    columns = ", ".join(f'"{c}"' for c in contract("raw.hub_trending").columns)
    con.execute(
        f"""INSERT INTO raw.hub_trending ({columns})
        SELECT {snapshot_columns(snapshot)}, position, repo_type, id,
            repo ->> '$.author', repo ->> '$.authorData.type',
            (repo ->> '$.downloads')::BIGINT, (repo ->> '$.likes')::BIGINT,
            repo ->> '$.pipeline_tag', (repo ->> '$.numParameters')::BIGINT,
            (repo ->> '$.lastModified')::TIMESTAMP, repo ->> '$.gated'
        FROM strip WHERE refusal IS NULL ORDER BY position"""
    )
    quarantine(
        con,
        snapshot,
        "raw.hub_trending",
        f"SELECT '{NAME}', position, refusal, item::VARCHAR FROM strip WHERE refusal IS NOT NULL",
    )
    con.execute("DROP TABLE strip")
