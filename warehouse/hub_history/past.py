"""The exact state on any past day: the newest rows from the last checkpoint on."""

from __future__ import annotations

from datetime import date

from warehouse.contracts.table import literal
from warehouse.hub_history.files import (
    ABSENCES,
    COUNTERS,
    KEYS,
    MODELS,
    VALUES,
    columns,
    newest_rows,
    scan,
)
from warehouse.hub_history.ledger import HistoryError
from warehouse.hub_history.store import History


def models_on(history: History, day: date, among: str | None = None) -> str:
    """SQL of the state of models after the last snapshot up to a day (columns MODELS).

    `among`: a relation with the column model_key, for the rows of its models alone.
    """
    return newest_rows(MODELS, KEYS["models"], history.paths("models", day), among)


def counters_on(history: History, day: date) -> str:
    """SQL of the counters in the snapshot of that day: one row per listed model.

    Columns model_key, model_id_hf, downloads_30d, downloads_all_time, likes, trending_score; values
    that the snapshot does not have are null. Raises HistoryError if the day has no snapshot.
    """
    if history.entry(day) is None:
        raise HistoryError(
            f"no snapshot of {day} in the history {history.folder}; choose a day with a snapshot"
        )
    counters = newest_rows(COUNTERS, KEYS["counters"], history.paths("counters", day))
    return f"""SELECT model_key, model_id_hf, {columns(VALUES)}
        FROM ({counters}) AS counters JOIN ({models_on(history, day)}) AS models USING (model_key)
        WHERE is_listed AND is_current"""


def absences_on(history: History, day: date) -> str:
    """SQL of the absences as known on a day (columns ABSENCES)."""
    newest = [history.folder / e.files["absences"].path for e in history.ledger.entries[-1:]]
    day_sql = f"DATE {literal(str(day))}"
    return f"""SELECT * REPLACE (CASE WHEN returned_date <= {day_sql} THEN returned_date END
            AS returned_date)
        FROM ({scan(ABSENCES, newest)}) WHERE absent_since_date <= {day_sql}"""
