"""raw.hub_earlier_counters: earlier counters of the models that may have a spike."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

import duckdb

from warehouse.contracts.table import contract, literal
from warehouse.hub_history.files import COUNTERS, scan
from warehouse.hub_history.ledger import Entry
from warehouse.hub_history.past import models_on
from warehouse.hub_history.store import History

RECENT = timedelta(days=31)  # the values that a counter is compared with to detect a spike
# Whether a model came, went, or got or lost its counter.
_CAME_OR_WENT = """(is_listed <> was_listed
                OR (downloads_30d IS NULL) <> (downloads_30d_before IS NULL))"""


def earlier_counters(con: duckdb.DuckDBPyConnection, history: History, entry: Entry) -> str:
    """SQL of raw.hub_earlier_counters of one snapshot, from temporary tables `history_*` of `con`.

    A spike is more than ten times the median of the earlier values, so at least half of them are
    below a tenth of it. Every row has the value before it too, so the files of these days are
    enough. The steps are tables so that DuckDB plans each of them with the real size of the
    previous one.
    """
    entries = history.ledger.until(entry.day)
    earlier = [e for e in entries[:-1] if entry.day - e.day <= RECENT]
    if not earlier:
        columns = contract("raw.hub_earlier_counters").columns
        return "SELECT " + ", ".join(f"NULL AS {name}" for name in columns) + " WHERE false"
    files = [history.folder / e.files["counters"].path for e in entries[-len(earlier) :]]
    changes = scan(COUNTERS, files)
    steps = {
        "risen": _risen(changes, earlier[len(earlier) // 2]),
        "runs": _runs(changes, (*earlier, entry)),
        "suspects": _suspects(len(earlier)),
    }
    for name, query in steps.items():
        con.execute(f"CREATE OR REPLACE TEMP TABLE history_{name} AS {query}")
    current = models_on(history, entry.day, among="history_suspects")
    return f"""SELECT {literal(entry.sweep.snapshot_id)} AS snapshot_id,
            {_day(entry)} AS snapshot_date, model_id_hf, observed_date, v.downloads_30d
        FROM ({_values(earlier)}) AS v JOIN ({current}) AS m USING (model_key) WHERE m.is_current"""


def _risen(changes: str, middle: Entry) -> str:
    """Models whose rises sum to nine tenths of their value: few, and cheap to find.

    Counted since the day in the middle, or since the first day if the model was not always listed.
    """
    rise = "greatest(downloads_30d - coalesce(downloads_30d_before, 0), 0)"
    return f"""WITH rises AS (
            SELECT model_key, bool_or({_CAME_OR_WENT}) AS was_away, sum({rise}) AS rises,
                sum({rise}) FILTER (snapshot_date > {_day(middle)}) AS late_rises,
                arg_max(CASE WHEN is_listed THEN coalesce(downloads_30d, -1) ELSE -1 END,
                    snapshot_date) AS newest
            FROM ({changes}) GROUP BY model_key)
        SELECT model_key, newest FROM rises
        WHERE newest >= 0 AND 10 * CASE WHEN was_away THEN rises ELSE late_rises END > 9 * newest"""


def _runs(changes: str, entries: Sequence[Entry]) -> str:
    """Their changes, and for how many `days` the value before each of them held.

    A new model has no earlier value.
    """
    days = ", ".join(
        f"({_day(e)}, {nth}, {before.counts['keys']})"
        for nth, (before, e) in enumerate(pairwise(entries), start=1)
    )
    return f"""SELECT model_key, snapshot_date, nth, model_key > keys AS is_new,
            {_CAME_OR_WENT} AS is_away, was_listed, downloads_30d_before AS earlier, newest,
            nth - lag(nth, 1, 0) OVER (PARTITION BY model_key ORDER BY nth) AS days
        FROM ({changes}) JOIN (VALUES {days}) AS day(snapshot_date, nth, keys)
            USING (snapshot_date) JOIN history_risen USING (model_key)"""


def _suspects(n_earlier: int) -> str:
    """The models that were below a tenth of their value on half of the days of observation.

    For models that were not always listed, one such day is enough; `_values` has the exact days.
    """
    return f"""WITH low AS (
            SELECT model_key, newest, bool_or(is_away AND NOT is_new) AS was_away,
                {n_earlier} - coalesce(max(nth) FILTER (is_new), 0) AS n_days,
                sum(days) FILTER (NOT is_new AND 10 * earlier < newest) AS low_days
            FROM history_runs GROUP BY ALL)
        SELECT model_key, newest FROM low
        WHERE low_days > 0 AND (was_away OR 2 * low_days >= n_days)"""


def _values(earlier: Sequence[Entry]) -> str:
    """SQL of their counters on every earlier day whose snapshot has one.

    The value of a day is the one before the next change; without one, it is the newest.
    """
    days = ", ".join(f"({_day(e)})" for e in earlier)
    return f"""SELECT s.model_key, observed_date,
            CASE WHEN r.model_key IS NULL THEN s.newest ELSE r.earlier END AS downloads_30d
        FROM history_suspects AS s CROSS JOIN (VALUES {days}) AS day(observed_date)
        ASOF LEFT JOIN history_runs AS r
            ON s.model_key = r.model_key AND observed_date < r.snapshot_date
        WHERE r.model_key IS NULL OR (r.was_listed AND r.earlier IS NOT NULL)"""


def _day(entry: Entry) -> str:
    return f"DATE {literal(str(entry.day))}"
