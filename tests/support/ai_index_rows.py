"""Handwritten raw rows of the AI Index: the mapping of a figure and its CSV."""

from __future__ import annotations

import json
from typing import Any

import polars as pl

from tests.support.frames import DAY, Row, rows


def figure(number: str, **more: Any) -> Row:
    """How the card maps a figure: value first, then the subject, then the period."""
    timed = {"period_index": 2, "period_form": "year"} if "fixed_period" not in more else {}
    return {
        "edition": 2026,
        "figure": number,
        "series": "notable_models",
        "value_index": 0,
        "value_form": "number",
        "subject_index": 1,
        "subject_kind": "area",
        "unit": "models",
        "is_point": False,
        **timed,
        **more,
    }


def printed(number: str, *records: list[Any], **more: Any) -> pl.LazyFrame:
    """The records of one CSV."""
    about = {
        "snapshot_id": f"ai_index/{DAY}",
        "snapshot_date": DAY,
        "edition": 2026,
        "figure": number,
        "file_name": f"1. Research/Data/fig_{number}.csv",
        "header_json": "[]",
        **more,
    }
    cells = [{"line": i, "record_json": json.dumps(r)} for i, r in enumerate(records, 1)]
    return rows("raw.ai_index_rows", *cells, **about)


def revised(
    number: str, *values: tuple[str, str, float], holds: bool | None = True
) -> dict[str, pl.LazyFrame]:
    """A correction of a figure to revision 2: its (subject, period, value), and its verdict."""
    names = ("subject", "period", "value")
    lines = [{"line": i, **dict(zip(names, each, strict=True))} for i, each in enumerate(values, 1)]
    about = {"correction_id": "fix", "edition": 2026}
    verdict = {
        **about,
        "snapshot_id": f"ai_index/{DAY}",
        "snapshot_date": DAY,
        "file_name": f"fig_{number}.csv",
        "guard": "records",
        "defect": "stale",
        "rule": "hold both",
        "still_holds": holds,
    }
    return {
        "raw_ai_index_revisions": rows(
            "raw.ai_index_revisions", *lines, figure=number, revision=2, **about
        ),
        "raw_ai_index_corrections": rows("raw.ai_index_corrections", verdict),
    }


def index(
    *parts: pl.LazyFrame, figures: list[Row], **more: pl.LazyFrame
) -> dict[str, pl.LazyFrame]:
    """The raw frames of these CSVs and their map."""
    return {
        "raw_ai_index_rows": pl.concat(parts),
        "raw_ai_index_figures": rows("raw.ai_index_figures", *figures),
        **more,
    }
