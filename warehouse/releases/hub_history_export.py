"""The history in a release: its immutable files beside the releases, and a list of them in each.

    hub_history/<kind>/snapshot_date=<day>/<16 hex of the sha256>.parquet    sent once, never again
    releases/<release_id>/hub_history.json                                   which of them to read

The name follows the bytes: a snapshot that was refused, or other code, gives other files, and the
releases that named the old ones keep them. For DuckDB, Polars and Arrow: the pages are of Parquet's
version 2, half the size, which Power BI does not read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from warehouse.contracts.source import card
from warehouse.contracts.table import contract
from warehouse.hub_history.files import CHANGES, MODELS, NEW_TRENDING, STATUS
from warehouse.hub_history.ledger import Entry, HistoryFile
from warehouse.hub_history.store import History
from warehouse.releases.manifest import FileEntry

LIST = "hub_history.json"
KINDS = ("changes", "models")
GRAIN = {
    "changes": "one row per model whose counters are not those of the snapshot before",
    "models": "one row per model and id that is new, changed, or no longer listed",
}
CHANGES_MEAN = {
    "snapshot_date": "Day of the snapshot.",
    "model_key": "The model, as in the models files; the key of all of its changes.",
    "downloads_30d_change": "To be added to the rolling 30-day counter; it begins at 0.",
    "downloads_all_time_change": "To be added to the cumulative counter; it begins at 0.",
    "likes_change": "To be added to the likes; they begin at 0.",
    "status_flips": "Bits of the status that turn over: 1 listed, 2 downloads_30d recorded, 4 "
    "downloads_all_time recorded, 8 likes recorded, 16 trending_score recorded. "
    f"{NEW_TRENDING} is no part of the status (mask {STATUS}): the score in this row is a new one.",
    "trending_score": "The new score, where there is one.",
}
HOW = (
    "The counters of a day are, per model_key, the sums of all changes up to it; the status is the "
    "xor of all flips. A model is of that day where its bit 1 is set, a counter was recorded where "
    "its own bit is. Its attributes are its newest row of the models files with is_current."
)


def shared_files(
    history: History, entries: Sequence[Entry]
) -> Iterator[tuple[FileEntry, Path, Entry]]:
    """The immutable files of applied snapshots under their names in storage, oldest first."""
    for entry in entries:
        for kind, file in zip(KINDS, (entry.changes, entry.models), strict=True):
            name = f"hub_history/{kind}/snapshot_date={entry.day}/{file.sha256[:16]}.parquet"
            yield _named(file, name), history.folder / file.path, entry


def _named(file: HistoryFile, name: str) -> FileEntry:
    return FileEntry(path=name, bytes=file.bytes, sha256=file.sha256)


def list_json(history: History, entries: Sequence[Entry]) -> bytes:
    """What stands in `hub_history.json`: how to read the history, its columns and its files."""
    source = card("hub")
    found = {
        "about": "Counters of every model of the Hub on every snapshot day, kept as changes.",
        "how": HOW,
        "citation": source.citation,
        "license": source.license.model_dump(),
        "tables": {kind: _table(kind, history, entries) for kind in KINDS},
    }
    return (json.dumps(found, indent=1, ensure_ascii=False) + "\n").encode()


def _table(kind: str, history: History, entries: Sequence[Entry]) -> dict[str, Any]:
    types = {"changes": CHANGES, "models": MODELS}[kind]
    files = [
        {"snapshot_date": str(entry.day), **file.model_dump()}
        for file, _, entry in shared_files(history, entries)
        if file.path.startswith(f"hub_history/{kind}/")
    ]
    columns = [
        {"name": name, "type": type_, "description": _meaning(kind, name)}
        for name, type_ in types.items()
    ]
    return {"grain": GRAIN[kind], "columns": columns, "files": files}


def _meaning(kind: str, column: str) -> str:
    if kind == "changes":
        return CHANGES_MEAN[column]
    if column == "last_seen_date":
        return "Last snapshot that listed it under this id; null while it is listed."
    return contract("raw.hub_known_models").columns[column].description
