"""The current state of the archive, the warehouse and the published places."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from flows.reports.headline import ABOUT
from flows.reports.query import rows_of
from flows.settings import Settings
from warehouse.archive.archive import Archive
from warehouse.database.duckdb_file import WarehouseError, open_read_only
from warehouse.publishing.pointer import read_pointer
from warehouse.storage.open import open_storage


def status_of(settings: Settings) -> dict[str, Any]:
    """Newest snapshot of every source, date of the warehouse, pointer of every published place."""
    archive = Archive(settings.archive)
    return {
        "archive": _sources(archive, settings.sources),
        "refused": {name: refusal.reason for name, refusal in archive.excluded().items()},
        "refused_at_arrival": {
            name: refusal.reason for name, refusal in archive.rejected_on_arrival().items()
        },
        "unfinished": [str(folder) for folder in archive.unfinished()],
        "warehouse": _about(settings.warehouse),
        "published": [_pointer(target) for target in settings.publish_to],
    }


def is_sample(warehouse: Path) -> bool:
    """Whether this file is a warehouse that was built from the bundled sample."""
    try:
        about = _about(warehouse)
    except WarehouseError:  # the command that reads it reports the error
        return False
    return bool(about and about["is_sample"])


def _sources(archive: Archive, wanted: tuple[str, ...]) -> list[dict[str, Any]]:
    """One record per source of the archive or of the settings, those without data last."""
    found = archive.snapshots()
    newest = {s.source: s for s in found}  # sorted by date: the last one remains
    counts = Counter(s.source for s in found)
    present = [
        {
            "source": source,
            "state": "has_data",
            "snapshots": counts[source],
            "newest": s.snapshot_date,
            "retrieved_at": s.retrieved_at.isoformat(timespec="seconds"),
            "records": s.rows_seen,
            "is_sample": s.is_sample,
        }
        for source, s in newest.items()
    ]
    nothing = {"newest": None, "retrieved_at": None, "records": None, "is_sample": None}
    absent = [source for source in wanted if source not in newest]
    return present + [
        {"source": source, "state": "no_data", "snapshots": 0, **nothing} for source in absent
    ]


def _about(warehouse: Path) -> dict[str, Any] | None:
    if not warehouse.exists():
        return None
    with open_read_only(warehouse) as con:
        return rows_of(con, ABOUT)[0]


def _pointer(target: str) -> dict[str, Any]:
    pointer = read_pointer(open_storage(target))
    if pointer is None:
        return {"url": target, "release_id": None, "as_of": None, "audience": None}
    return {
        "url": target,
        "release_id": pointer.release_id,
        "as_of": pointer.as_of,
        "audience": pointer.audience,
    }
