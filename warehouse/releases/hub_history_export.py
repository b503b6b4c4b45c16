"""The Hub's history in a release: immutable files that releases share, and a list of them.

    hub_history/<kind>/<day>.<16 hex of the sha256>.parquet   never changed
    releases/<release_id>/hub_history.json                    the files to read

The name follows from the bytes: an excluded snapshot, or a change of the code, gives new files, and
older releases keep theirs. The files have data pages of Parquet version 2, which take less space.
DuckDB, Polars and Arrow read them; Power BI does not.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from warehouse.contracts.source import card
from warehouse.contracts.table import contract
from warehouse.hub_history.files import COUNTERS, KEYS, MODELS, Columns
from warehouse.hub_history.ledger import DAILY, Entry
from warehouse.hub_history.store import History
from warehouse.releases.manifest import FileEntry

LIST = "hub_history.json"
TABLES: dict[str, tuple[str, Columns]] = {
    "counters": ("models that are new, changed or no longer listed", COUNTERS),
    "models": ("models and ids that are new, changed or no longer listed", MODELS),
}
_BEFORE = "The same in the row before this one; null = there is none."
_RECORDED = "null = not recorded. Of a model that is not listed: as last listed."
MEANINGS = {
    "snapshot_date": "Day of the snapshot.",
    "model_key": "Number of the model, the same in both tables, also after a rename.",
    "is_listed": "Whether the snapshot lists the model.",
    "downloads_30d": f"Rolling 30-day counter; {_RECORDED}",
    "downloads_all_time": f"Cumulative counter; {_RECORDED}",
    "likes": f"Likes; {_RECORDED}",
    "trending_score": f"The Hub's trending score; {_RECORDED}",
    "was_listed": "Whether the snapshot before this one lists the model.",
    "downloads_30d_before": _BEFORE,
    "downloads_all_time_before": _BEFORE,
    "last_seen_date": "Last snapshot that listed the model under this id; null while it is listed.",
}
HOW = (
    "The state of a day: of the last file with is_checkpoint up to that day and all later files up "
    "to that day, the row of each key with the newest snapshot_date. A file has the rows that "
    "changed on its day; a checkpoint has all rows. Counters are joined with the models where "
    "is_current."
)


def shared_files(history: History, entries: Sequence[Entry]) -> list[tuple[FileEntry, Path]]:
    """The files of applied snapshots under their names in storage, oldest first."""
    return [
        (
            FileEntry(path=_name(kind, entry), bytes=file.bytes, sha256=file.sha256),
            history.folder / file.path,
        )
        for entry in entries
        for kind, file in entry.immutable.items()
    ]


def _name(kind: str, entry: Entry) -> str:
    return f"hub_history/{kind}/{entry.day}.{entry.files[kind].sha256[:16]}.parquet"


def list_json(entries: Sequence[Entry]) -> bytes:
    """The content of `hub_history.json`: how to read the history, its columns and its files."""
    source = card("hub")
    found = {
        "about": "Counters and attributes of every model of the Hub on every snapshot day.",
        "how": HOW,
        "citation": source.citation,
        "license": source.license.model_dump(),
        "tables": [_table(name) for name in TABLES],
        "files": [file for n, entry in enumerate(entries) for file in _listed(entry, n == 0)],
    }
    return (json.dumps(found, indent=1, ensure_ascii=False) + "\n").encode()


def _table(name: str) -> dict[str, Any]:
    rows, types = TABLES[name]
    columns = [{"name": c, "type": t, "description": _meaning(c)} for c, t in types.items()]
    return {"name": name, "rows": rows, "key": [*KEYS[name]], "columns": columns}


def _meaning(column: str) -> str:
    return MEANINGS.get(column) or contract("raw.hub_known_models").columns[column].description


def _listed(entry: Entry, is_first: bool) -> list[dict[str, Any]]:
    """The files of a day. Those of the first day have every model too."""
    return [
        {
            "table": kind.removesuffix("_checkpoint"),
            "snapshot_date": str(entry.day),
            "is_checkpoint": is_first or kind not in DAILY,
            "path": _name(kind, entry),
            "bytes": file.bytes,
            "sha256": file.sha256,
        }
        for kind, file in entry.immutable.items()
    ]
