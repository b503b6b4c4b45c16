"""Hugging Face Hub: the trending strip of the front page."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import duckdb
from huggingface_hub import HfApi

from flows.settings import Settings
from flows.sources.formats.json_text import mended, read_document
from flows.sources.http import SourceError, get
from flows.sources.quarantine import quarantine, quarantine_cells, snapshot_columns, typed
from warehouse.archive.archive import Archive
from warehouse.archive.draft import Draft
from warehouse.archive.snapshot import Snapshot
from warehouse.contracts.table import contract

NAME = "trending.json"
TRIES = 3
_CELLS = {
    "downloads_30d": "(repo ->> '$.downloads')",
    "likes": "(repo ->> '$.likes')",
    "parameters_total": "(repo ->> '$.numParameters')",
    "last_modified_at": "(repo ->> '$.lastModified')",
}


def fetch_trending(settings: Settings, archive: Archive, draft: Draft) -> None:
    """Keeps the strip as one file. An empty or damaged one is asked for again."""
    draft.reset()  # one moment of the strip; one that was kept and not sealed is asked for again
    url = f"{settings.hub_url}/api/trending"
    headers = HfApi(endpoint=settings.hub_url)._build_hf_headers()
    for _ in range(TRIES):
        answer = get(
            "hub_trending",
            url,
            timeout=settings.http_timeout_seconds,
            headers=headers,
            first_wait=settings.http_first_wait_seconds,
        )
        try:
            strip, is_mended = _strip(answer.content)
        except (ValueError, KeyError, TypeError) as error:
            problem = error
            aside = draft.quarantine(NAME, answer.content)
            continue
        if is_mended:
            draft.notes.append(f"{NAME} holds half characters, or numbers that are none")
        draft.add_file(
            NAME, answer.content, url=url, status=answer.status_code, rows_seen=len(strip)
        )
        return
    raise SourceError(
        "hub_trending",
        f"{draft.day} {NAME} is not the trending strip ({type(problem).__name__}: {problem})",
        f"{url} (the bytes: {aside})",
        "run again later; if it stays so, the API has changed",
    ) from problem


def _strip(content: bytes) -> tuple[list[Any], bool]:
    """The items of the strip, and whether it had to be mended."""
    document, is_mended = read_document(content)
    strip = document["recentlyTrending"]
    if not isinstance(strip, list):
        raise TypeError("recentlyTrending is no list")
    if not strip:
        raise ValueError("recentlyTrending is empty")
    return strip, is_mended


def parse_trending(con: duckdb.DuckDBPyConnection, archive: Archive, snapshot: Snapshot) -> None:
    """Loads raw.hub_trending: one row per item of the strip.

    Refused: items without id or type. Another value that is not written as its contract says is
    null and noted.
    """
    file, table = snapshot.find(NAME)[0], contract("raw.hub_trending")
    try:
        _read(con, archive.paths([file])[0])
    except duckdb.InvalidInputException:  # half a letter, or a key twice
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / NAME
            copy.write_bytes(mended(archive.read(file)))
            _read(con, str(copy))
    columns = ", ".join(f'"{c}"' for c in table.columns)
    value = {name: typed(text, table.columns[name]) for name, text in _CELLS.items()}
    con.execute(
        f"""INSERT INTO raw.hub_trending ({columns})
        SELECT {snapshot_columns(snapshot)}, line, repo_type, id,
            repo ->> '$.author', repo ->> '$.authorData.type',
            {value["downloads_30d"]}, {value["likes"]}, repo ->> '$.pipeline_tag',
            {value["parameters_total"]}, {value["last_modified_at"]}, repo ->> '$.gated'
        FROM strip WHERE refusal IS NULL ORDER BY line"""
    )
    quarantine_cells(con, snapshot, table, _CELLS, "(FROM strip WHERE refusal IS NULL)")
    quarantine(
        con,
        snapshot,
        "raw.hub_trending",
        "SELECT file, line, refusal, item::VARCHAR FROM strip WHERE refusal IS NOT NULL",
    )
    con.execute("DROP TABLE strip")


def _read(con: duckdb.DuckDBPyConnection, path: str) -> None:
    """The temporary table `strip`: every item, by its place, judged."""
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE strip AS SELECT *, '{NAME}' AS file, CASE
            WHEN id IS NULL OR repo_type IS NULL THEN 'no id or no type' END AS refusal FROM (
        SELECT line, item, item ->> '$.repoType' AS repo_type,
            item ->> '$.repoData.id' AS id, item -> '$.repoData' AS repo FROM (
            SELECT unnest(strip) AS item, generate_subscripts(strip, 1) AS line FROM (
                SELECT "recentlyTrending" AS strip FROM read_json(?, format = 'unstructured',
                    columns = {{'recentlyTrending': 'JSON[]'}}))))""",
        [path],
    )
