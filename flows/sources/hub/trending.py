"""Hugging Face Hub: the trending strip of the front page."""

from __future__ import annotations

from typing import Any

import duckdb

from flows.settings import Settings
from flows.sources.formats.damage import naming
from flows.sources.formats.json_text import read_document, to_strict_json
from flows.sources.hf_repository import hub_api
from flows.sources.http import SourceError, get
from flows.sources.quarantine import load_records, typed
from warehouse.archive.archive import Archive
from warehouse.archive.draft import Draft
from warehouse.archive.snapshot import ArchivedFile, Snapshot
from warehouse.contracts.table import contract
from warehouse.database import read_files
from warehouse.storage.scratch import scratch_folder

NAME = "trending.json"
TRIES = 3
_COLUMNS = {
    "position": "line",
    "repo_type": "repo_type",
    "model_id_hf": "id",
    "author": "(repo ->> '$.author')",
    "author_type": "(repo ->> '$.authorData.type')",
    "pipeline_tag": "(repo ->> '$.pipeline_tag')",
    "gated": "(repo ->> '$.gated')",
}
_CELLS = {
    "downloads_30d": "(repo ->> '$.downloads')",
    "likes": "(repo ->> '$.likes')",
    "parameters_total": "(repo ->> '$.numParameters')",
    "last_modified_at": "(repo ->> '$.lastModified')",
}


def fetch_trending(settings: Settings, archive: Archive, draft: Draft) -> None:
    """Stores the strip as one file. An empty or damaged response is retried."""
    draft.reset()  # the strip is of one moment: one that was stored but not sealed is fetched again
    url = f"{settings.hub_url}/api/trending"
    headers = hub_api(settings.hub_url)._build_hf_headers()
    for _ in range(TRIES):
        response = get(
            "hub_trending",
            url,
            settings,
            headers=headers,
        )
        try:
            strip, is_repaired = _strip(response.content)
        except (ValueError, KeyError, TypeError) as error:
            problem = error
            stored = draft.quarantine(NAME, response.content)
            continue
        if is_repaired:
            draft.notes.append(f"{NAME} contains broken characters or invalid numbers")
        draft.add_file(
            NAME, response.content, url=url, status=response.status_code, rows_seen=len(strip)
        )
        return
    raise SourceError(
        "hub_trending",
        f"{draft.day} {NAME} is not the trending strip ({type(problem).__name__}: {problem})",
        f"{url} (response stored as {stored})",
        "run again later; if it fails again, the API has changed",
    ) from problem


def _strip(content: bytes) -> tuple[list[Any], bool]:
    """The items of the strip, and whether the JSON had to be repaired."""
    document, is_repaired = read_document(content)
    strip = document["recentlyTrending"]
    if not isinstance(strip, list):
        raise TypeError("recentlyTrending is not a list")
    if not strip:
        raise ValueError("recentlyTrending is empty")
    return strip, is_repaired


def parse_trending(con: duckdb.DuckDBPyConnection, archive: Archive, snapshot: Snapshot) -> None:
    """Loads raw.hub_trending: one row per item of the strip.

    Rejected: items without id or type. Any other value that does not match its contract's format
    becomes null and is quarantined.
    """
    (file,) = snapshot.find(NAME)
    with naming(NAME):
        _load(con, archive, snapshot, file)


def _load(
    con: duckdb.DuckDBPyConnection, archive: Archive, snapshot: Snapshot, file: ArchivedFile
) -> None:
    table = contract("raw.hub_trending")
    _strip(archive.read(file))  # DuckDB also reads several documents, and one without the key
    try:
        _read(con, archive.paths([file])[0])
    except duckdb.InvalidInputException:  # half a surrogate, or a repeated key
        with scratch_folder("trending") as folder:
            copy = folder / NAME
            copy.write_bytes(to_strict_json(archive.read(file)))
            _read(con, str(copy))
    columns = _COLUMNS | {n: typed(sql, table.columns[n]) for n, sql in _CELLS.items()}
    load_records(con, snapshot, table, "strip", columns, _CELLS)
    con.execute("DROP TABLE strip")


def _read(con: duckdb.DuckDBPyConnection, path: str) -> None:
    """Creates the temporary table `strip`: every item with its position and why it is rejected."""
    strips = read_files.json(
        path, "format = 'unstructured'", "columns = {'recentlyTrending': 'JSON[]'}"
    )
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE strip AS SELECT *, '{NAME}' AS file,
            item::VARCHAR AS record,
            CASE WHEN id IS NULL OR repo_type IS NULL THEN 'missing id or type' END AS refusal
        FROM (
        SELECT line, item, item ->> '$.repoType' AS repo_type,
            item ->> '$.repoData.id' AS id, item -> '$.repoData' AS repo FROM (
            SELECT unnest(strip) AS item, generate_subscripts(strip, 1) AS line FROM (
                SELECT "recentlyTrending" AS strip FROM {strips})))"""
    )
