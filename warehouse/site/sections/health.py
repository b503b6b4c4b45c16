"""Data health of a release: freshness, validation results and rejected records."""

from __future__ import annotations

from typing import Any

from warehouse.contracts.source import Card
from warehouse.contracts.table import LAYERS, contracts
from warehouse.releases.manifest import Manifest, SourceEntry
from warehouse.site.release_tables import Tables


def health(manifest: Manifest, tables: Tables, cards: dict[str, Card]) -> dict[str, Any]:
    """Sources with their age, validation counts by stage, rejected records and usage warnings."""
    return {
        "sources": [_source(s, manifest, cards) for s in manifest.sources],
        "validation": {
            stage: {o: counts.get(o, 0) for o in ("passed", "failed", "not_run")}
            for stage, counts in sorted(manifest.validation.items(), key=lambda s: _order(s[0]))
        },
        "failures": _failures(tables),
        "refused": _refused(tables),
        "has_quarantine": tables.holds("raw.quarantine"),
        "quarantine": tables.count("raw.quarantine", "table_name || ': ' || reason"),
        "flags": _flags(manifest),
    }


def _order(stage: str) -> int:
    return LAYERS.index(stage) if stage in LAYERS else len(LAYERS)


def _source(entry: SourceEntry, manifest: Manifest, cards: dict[str, Card]) -> dict[str, Any]:
    card = cards[entry.source]
    newest = max((s.snapshot_date for s in entry.snapshots), default=None)
    age = (manifest.as_of - newest).days if newest else None
    return {
        "source": entry.source,
        "title": card.title,
        "producer": entry.producer,
        "homepage": entry.homepage,
        "cadence": card.cadence,
        "n_snapshots": len(entry.snapshots),
        "newest": newest,
        "age": age,
        "state": _state(age, card),
        "bytes": entry.bytes,
        "files": entry.files,
        "n_incomplete": sum(not s.is_complete for s in entry.snapshots),
        "is_sample": any(s.is_sample for s in entry.snapshots),
    }


def _state(age: int | None, card: Card) -> str:
    """good = on time, late, still = without a fixed interval, or no_data."""
    if age is None:
        return "no_data"
    if card.stale_after_days is None:
        return "still"
    return "late" if card.is_late(age) else "good"


def _failures(tables: Tables) -> list[dict[str, Any]]:
    frame = tables.read("meta.validation_results", "outcome <> 'passed'")
    columns = ["stage", "table_name", "severity", "outcome", "description", "unexpected_count"]
    return frame.select(columns).to_dicts()


def _refused(tables: Tables) -> list[dict[str, Any]]:
    """Newest observations that were rejected; an older snapshot is used in their place."""
    if not tables.holds("meta.refused_snapshots"):
        return []
    columns = ["source", "snapshot_date", "reason", "refused_by", "continues_with"]
    return tables.read("meta.refused_snapshots", "is_newest").select(columns).to_dicts()


def _flags(manifest: Manifest) -> list[tuple[str, list[str]]]:
    """Usage warning -> tables of the release with this warning."""
    tables = {t.name for t in manifest.tables}
    found: dict[str, list[str]] = {}
    for name, contract in contracts().items():
        for flag in contract.warnings if name in tables else ():
            found.setdefault(flag, []).append(name)
    return sorted(found.items())
