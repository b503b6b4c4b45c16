"""One model through time, from the files of the days."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

import duckdb

from warehouse.hub_history.files import COUNTERS, VALUES, columns, scan
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

    Reads the model's rows of every day's file up to the day. Raises HistoryError for an id that no
    snapshot lists.
    """
    entries = history.ledger.until(until)
    if not entries:
        raise HistoryError(f"the history {history.folder} has no snapshot up to {until}")
    files = scan(COUNTERS, [history.folder / e.files["counters"].path for e in entries])
    chosen = f"SELECT snapshot_date, is_listed, {columns(VALUES)} FROM ({files})"
    found = con.execute(f"{chosen} WHERE model_key = ?", [_key(con, history, model, until)])
    changed = {row[0]: row[1:] for row in found.fetchall()}
    points: list[Point] = []
    last = None
    for day in (e.day for e in entries):
        last = changed.get(day, last)
        if last is not None:
            points.append(Point(day, *last) if last[0] else Point(day, False, *[None] * 4))
    return points


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
