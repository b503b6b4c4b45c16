"""What archive, warehouse and published places hold right now."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from flows.reports.headline import ABOUT, rows_of
from flows.settings import Settings
from warehouse.archive.archive import Archive
from warehouse.contracts.table import contracts
from warehouse.database.duckdb_file import open_read_only
from warehouse.publishing.pointer import read_pointer
from warehouse.storage.open import open_storage


def status_of(settings: Settings) -> dict[str, Any]:
    """Newest snapshot of every source, the warehouse's clock, the pointer of every target."""
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


def _sources(archive: Archive, wanted: tuple[str, ...]) -> list[dict[str, Any]]:
    """One record per source of the archive or of the settings, those without data last."""
    found = archive.snapshots()
    newest = {s.source: s for s in found}  # sorted by date: the last one stays
    counts = Counter(s.source for s in found)
    held = [
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
    lacking = [source for source in wanted if source not in newest]
    return held + [
        {"source": source, "state": "no_data", "snapshots": 0, **nothing} for source in lacking
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


def tables_of(warehouse: Path) -> list[dict[str, Any]]:
    """One record per contract: rows in the warehouse, grain, description."""
    with open_read_only(warehouse) as con:
        return [
            {
                "table": c.table,
                "rows": con.execute(f"SELECT count(*) FROM {c.sql_name}").fetchall()[0][0],
                "grain": c.grain,
                "description": c.description,
            }
            for c in contracts().values()
            if c.table != "meta.release"
        ]
