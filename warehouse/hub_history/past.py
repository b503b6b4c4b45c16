"""The exact state on any past day: the nearest earlier state and the changes since."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from warehouse.contracts.table import literal
from warehouse.hub_history.files import (
    ABSENCES,
    CHANGES,
    COUNTERS,
    HAS_30D,
    HAS_ALL_TIME,
    HAS_LIKES,
    HAS_TRENDING,
    LISTED,
    MODELS,
    NEW_TRENDING,
    STATUS,
    columns,
    scan,
)
from warehouse.hub_history.ledger import Entry, HistoryError
from warehouse.hub_history.store import STATE, History


def _state_and_changes(history: History, day: date) -> tuple[Entry | None, Sequence[Entry]]:
    """The newest entry up to a day that has a state, and the entries from there to the day."""
    entries = history.ledger.until(day)
    at = next((i for i in reversed(range(len(entries))) if entries[i].state), None)
    return (None, entries) if at is None else (entries[at], entries[at + 1 :])


def _state(history: History, entry: Entry | None, name: str) -> list[Path]:
    return [history.folder / entry.state[STATE.index(name)].path] if entry else []


def models_on(history: History, day: date) -> str:
    """SQL of the state of models after the last snapshot up to a day (columns MODELS)."""
    base, since = _state_and_changes(history, day)
    state = scan(MODELS, _state(history, base, "models"))
    if not since:
        return state
    changes = " UNION ALL ".join(
        f"SELECT *, {number} AS nth FROM ({scan(MODELS, [history.folder / e.models.path])})"
        for number, e in enumerate(since)
    )
    return f"""WITH newest AS (SELECT {columns(MODELS)} FROM ({changes}) QUALIFY
            row_number() OVER (PARTITION BY model_key, model_id_hf ORDER BY nth DESC) = 1)
        SELECT {columns(MODELS)} FROM (
            FROM ({state}) ANTI JOIN newest USING (model_key, model_id_hf)
            UNION ALL BY NAME FROM newest)"""


def states_on(history: History, day: date) -> str:
    """SQL of the last counters of every model after the last snapshot up to a day (COUNTERS)."""
    base, since = _state_and_changes(history, day)
    state = scan(COUNTERS, _state(history, base, "counters"))
    if not since:
        return state
    changes = scan(CHANGES, [history.folder / e.changes.path for e in since])
    return f"""WITH changed AS (
            SELECT model_key, bit_xor(status_flips & {STATUS})::UTINYINT AS flips,
                sum(downloads_30d_change)::BIGINT AS downloads_30d,
                sum(downloads_all_time_change)::BIGINT AS downloads_all_time,
                sum(likes_change)::BIGINT AS likes,
                max_by(trending_score, snapshot_date) FILTER (status_flips & {NEW_TRENDING} > 0)
                    AS trending_score
            FROM ({changes}) GROUP BY model_key)
        SELECT model_key, xor(coalesce(s.status, 0), coalesce(flips, 0))::UTINYINT AS status,
            coalesce(s.downloads_30d, 0) + coalesce(c.downloads_30d, 0) AS downloads_30d,
            coalesce(s.downloads_all_time, 0) + coalesce(c.downloads_all_time, 0)
                AS downloads_all_time,
            coalesce(s.likes, 0) + coalesce(c.likes, 0) AS likes,
            coalesce(c.trending_score, s.trending_score) AS trending_score
        FROM ({state}) AS s FULL JOIN changed AS c USING (model_key)"""


def counters_on(history: History, day: date) -> str:
    """SQL of the counters in the snapshot of that day: one row per listed model.

    Columns model_key, model_id_hf, downloads_30d, downloads_all_time, likes, trending_score; values
    that the snapshot does not have are null. Raises HistoryError if the day has no snapshot.
    """
    if history.entry(day) is None:
        raise HistoryError(
            f"no snapshot of {day} in the history {history.folder}; choose a day with a snapshot"
        )
    bits = (
        ("downloads_30d", HAS_30D),
        ("downloads_all_time", HAS_ALL_TIME),
        ("likes", HAS_LIKES),
        ("trending_score", HAS_TRENDING),
    )
    values = ", ".join(f"CASE WHEN status & {b} > 0 THEN {name} END AS {name}" for name, b in bits)
    return f"""SELECT model_key, model_id_hf, {values}
        FROM ({states_on(history, day)}) AS counters
        JOIN ({models_on(history, day)}) AS models USING (model_key)
        WHERE status & {LISTED} > 0 AND is_current"""


def absences_on(history: History, day: date) -> str:
    """SQL of the absences as known on a day (columns ABSENCES)."""
    entries = history.ledger.entries
    newest = entries[-1] if entries else None
    day_sql = f"DATE {literal(str(day))}"
    return f"""SELECT * REPLACE (CASE WHEN returned_date <= {day_sql} THEN returned_date END
            AS returned_date)
        FROM ({scan(ABSENCES, _state(history, newest, "absences"))})
        WHERE absent_since_date <= {day_sql}"""
