"""The Hub's history in a release: immutable files that releases share, and a list of them.

    hub_history/<kind>/snapshot_date=<day>/<16 hex of the sha256>.parquet    never changed
    releases/<release_id>/hub_history.json                                   the files to read

The name follows from the bytes: an excluded snapshot, or a change of the code, gives new files, and
older releases keep theirs. The files have data pages of Parquet version 2, which take half the
space. DuckDB, Polars and Arrow read them; Power BI does not.
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
    "changes": "one row per model whose counters changed since the previous snapshot",
    "models": "one row per model and id that is new, changed or no longer listed",
}
CHANGES_MEAN = {
    "snapshot_date": "Day of the snapshot.",
    "model_key": "The model, as in the models files.",
    "downloads_30d_change": "Add it to the rolling 30-day counter, which starts at 0.",
    "downloads_all_time_change": "Add it to the cumulative counter, which starts at 0.",
    "likes_change": "Add it to the likes, which start at 0.",
    "status_flips": "Bits of the status that flip: 1 listed, 2 downloads_30d recorded, 4 "
    "downloads_all_time recorded, 8 likes recorded, 16 trending_score recorded. "
    f"{NEW_TRENDING} is not part of the status (mask {STATUS}): this row has a new score.",
    "trending_score": "The new score, if there is one.",
}
HOW = (
    "The counters of a day are the sums per model_key of all changes up to that day; the status is "
    "the xor of all flips. Bit 1 is set if the model was listed that day, and a counter was "
    "recorded if its own bit is set. The attributes are the newest row of the models files with "
    "is_current."
)


def shared_files(
    history: History, entries: Sequence[Entry]
) -> Iterator[tuple[FileEntry, Path, Entry]]:
    """The files of applied snapshots under their names in storage, oldest first."""
    for entry in entries:
        for kind, file in zip(KINDS, (entry.changes, entry.models), strict=True):
            name = f"hub_history/{kind}/snapshot_date={entry.day}/{file.sha256[:16]}.parquet"
            yield _named(file, name), history.folder / file.path, entry


def _named(file: HistoryFile, name: str) -> FileEntry:
    return FileEntry(path=name, bytes=file.bytes, sha256=file.sha256)


def list_json(history: History, entries: Sequence[Entry]) -> bytes:
    """The content of `hub_history.json`: how to read the history, its columns and its files."""
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
        return "Last snapshot that listed the model under this id; null while it is listed."
    return contract("raw.hub_known_models").columns[column].description
