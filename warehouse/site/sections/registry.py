"""How well the registry documents the uploaders behind the newest day's downloads."""

from __future__ import annotations

from typing import Any

import polars as pl

from warehouse.contracts.table import contract
from warehouse.site.numbers import thousandths
from warehouse.site.release_tables import Tables

TABLE = "mart.registry_weight"
NOT_EXAMINED = "not_examined"


def registry(tables: Tables) -> dict[str, Any]:
    """`day`, `kinds` of evidence, and one row per confidence: `share`, and its parts by kind.

    Shares are in thousandths. `documented` is the part with specific evidence for each step.
    """
    frame = tables.read(TABLE)
    frame = frame.filter(pl.col("as_of_date") == pl.col("as_of_date").max())
    if frame["share"].drop_nulls().is_empty():
        return {}
    columns = contract(TABLE).columns
    kinds = [k for k in columns["evidence_kind"].values or () if k != NOT_EXAMINED]
    specific = pl.col("share").filter(pl.col("evidence_kind") == "specific").sum()
    return {
        "day": frame["as_of_date"][0],
        "kinds": kinds,
        "rows": [_row(frame, level, kinds) for level in columns["confidence"].values or ()],
        "documented": _thousandths(frame.select(specific.alias("share"))),
    }


def _row(frame: pl.DataFrame, confidence: str, kinds: list[str]) -> dict[str, Any]:
    held = frame.filter(confidence=confidence)
    parts = {k: _summed(held.filter(evidence_kind=k)) for k in kinds}
    return {
        "confidence": confidence,
        "share": _summed(held),
        "parts": {} if confidence == NOT_EXAMINED else parts,
    }


def _summed(frame: pl.DataFrame) -> float:
    return _thousandths(frame.select(pl.col("share").sum()))


def _thousandths(frame: pl.DataFrame) -> float:
    """The share of a frame's only row."""
    return float(frame.select(thousandths("share")).item())
