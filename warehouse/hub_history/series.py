"""One model through time, from the change files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, NamedTuple

import duckdb

from warehouse.hub_history.files import (
    CHANGES,
    HAS_30D,
    HAS_ALL_TIME,
    HAS_LIKES,
    HAS_TRENDING,
    LISTED,
    NEW_TRENDING,
    STATUS,
    scan,
)
from warehouse.hub_history.ledger import HistoryError
from warehouse.hub_history.past import models_on
from warehouse.hub_history.store import History


class Point(NamedTuple):
    """One model on one snapshot day; values that the snapshot does not have are null."""

    day: date
    is_listed: bool
    downloads_30d: int | None
    downloads_all_time: int | None
    likes: int | None
    trending_score: float | None


def series(
    con: duckdb.DuckDBPyConnection, history: History, model: str, until: date
) -> list[Point]:
    """One model's counters on every snapshot day since its first, by its newest or an older id.

    Reads the model's rows of every change file up to the day. Raises HistoryError for an id that
    no snapshot lists.
    """
    entries = history.ledger.until(until)
    if not entries:
        raise HistoryError(f"the history {history.folder} has no snapshot up to {until}")
    key = _key(con, history, model, until)
    changes = scan(CHANGES, [history.folder / e.changes.path for e in entries])
    rows = con.execute(f"{changes} WHERE model_key = ? ORDER BY snapshot_date", [key]).fetchall()
    return list(_points([e.day for e in entries], rows))


def _key(con: duckdb.DuckDBPyConnection, history: History, model: str, until: date) -> int:
    found = con.execute(
        f"""SELECT model_key FROM ({models_on(history, until)}) WHERE model_id_hf = ?
        ORDER BY is_current DESC, last_seen_date DESC NULLS FIRST, model_key DESC LIMIT 1""",
        [model],
    ).fetchall()
    if not found:
        raise HistoryError(
            f"no snapshot up to {until} lists {model!r}; check the id, its case matters"
        )
    return int(found[0][0])


def _points(days: Sequence[date], rows: Sequence[tuple[Any, ...]]) -> Iterator[Point]:
    """The changes of one model, summed from day to day."""
    steps = {row[0]: row[2:] for row in rows}
    sums, status, trending = [0, 0, 0], 0, None
    for day in days:
        if day in steps:
            *moves, flips, score = steps[day]
            sums = [a + b for a, b in zip(sums, moves, strict=True)]
            status ^= flips & STATUS
            trending = score if flips & NEW_TRENDING else trending
        if day >= rows[0][0]:
            yield Point(day, bool(status & LISTED), *_values(status, (*sums, trending)))


def _values(status: int, values: tuple[Any, ...]) -> list[Any]:
    """The values whose bit is set in the status, the others as null; all null if unlisted."""
    bits = (HAS_30D, HAS_ALL_TIME, HAS_LIKES, HAS_TRENDING)
    return [
        value if status & bit and status & LISTED else None
        for value, bit in zip(values, bits, strict=True)
    ]
