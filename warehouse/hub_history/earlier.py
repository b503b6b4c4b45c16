"""raw.hub_earlier_counters: earlier counters of the models that may have a spike."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

import duckdb

from warehouse.contracts.table import contract, literal
from warehouse.hub_history.files import CHANGES, HAS_30D, LISTED, STATUS, scan
from warehouse.hub_history.ledger import Entry
from warehouse.hub_history.past import models_on, states_on
from warehouse.hub_history.store import History

RECENT = timedelta(days=31)  # the values that a counter is compared with to detect a spike
HAS_COUNTER = LISTED | HAS_30D  # the snapshot has the model's counter


def earlier_counters(con: duckdb.DuckDBPyConnection, history: History, entry: Entry) -> str:
    """SQL of raw.hub_earlier_counters of one snapshot, from temporary tables `history_*` of `con`.

    A spike is more than ten times the median of the earlier values, so at least half of them are
    below a tenth of it. Values are computed backwards from the snapshot's own. The steps are tables
    so that DuckDB plans each of them with the real size of the previous one.
    """
    entries = history.ledger.until(entry.day)
    earlier = [e for e in entries[:-1] if entry.day - e.day <= RECENT]
    if not earlier:
        columns = contract("raw.hub_earlier_counters").columns
        return "SELECT " + ", ".join(f"NULL AS {name}" for name in columns) + " WHERE false"
    paths = [history.folder / e.changes.path for e in entries[-len(earlier) :]]
    changes, state = scan(CHANGES, paths), states_on(history, entry.day)
    steps = {
        "risen": _risen(changes, state, earlier[len(earlier) // 2]),
        "runs": _runs(changes, (*earlier, entry)),
        "suspects": _suspects(len(earlier)),
        "values": _values(earlier),
    }
    for name, query in steps.items():
        con.execute(f"CREATE OR REPLACE TEMP TABLE history_{name} AS {query}")
    return f"""SELECT {literal(entry.sweep.snapshot_id)} AS snapshot_id,
            {_day(entry)} AS snapshot_date, model_id_hf, observed_date, downloads_30d
        FROM history_values JOIN ({models_on(history, entry.day)}) AS m USING (model_key)
        WHERE m.is_current"""


def _risen(changes: str, state: str, middle: Entry) -> str:
    """Models whose rises sum to nine tenths of their value: few, and cheap to find.

    Counted since the day in the middle, or since the first day if the model was not always listed.
    """
    rise = "greatest(downloads_30d_change, 0)"
    return f"""WITH rises AS (
            SELECT model_key, bool_or(status_flips & {HAS_COUNTER} > 0) AS was_away,
                sum({rise}) AS rises,
                sum({rise}) FILTER (snapshot_date > {_day(middle)}) AS late_rises
            FROM ({changes}) GROUP BY model_key)
        SELECT model_key, s.status, s.downloads_30d
        FROM ({state}) AS s JOIN rises USING (model_key)
        WHERE s.status & {HAS_COUNTER} = {HAS_COUNTER}
            AND 10 * CASE WHEN was_away THEN rises ELSE late_rises END > 9 * s.downloads_30d"""


def _runs(changes: str, entries: Sequence[Entry]) -> str:
    """Their changes: `since`, the sum from then on, and for how many `days` the earlier value held.

    A new model has no earlier value.
    """
    days = ", ".join(
        f"({_day(e)}, {nth}, {before.counts['keys']})"
        for nth, (before, e) in enumerate(pairwise(entries), start=1)
    )
    return f"""SELECT model_key, snapshot_date, nth, model_key > keys AS is_new,
            downloads_30d_change AS change, status_flips & {STATUS} AS flips,
            sum(change) OVER back AS since, nth - lead(nth, 1, 0) OVER back AS days
        FROM ({changes}) JOIN (VALUES {days}) AS day(snapshot_date, nth, keys)
            USING (snapshot_date) JOIN history_risen USING (model_key)
        WINDOW back AS (PARTITION BY model_key ORDER BY nth DESC ROWS UNBOUNDED PRECEDING)"""


def _suspects(n_earlier: int) -> str:
    """The models that were below a tenth of their value on half of the days of observation.

    For models that were not always listed, one such day is enough; `_values` has the exact days.
    """
    is_low = "NOT is_new AND 10 * (m.downloads_30d - since) < m.downloads_30d"
    return f"""WITH low AS (
            SELECT model_key, m.status, m.downloads_30d,
                bool_or(flips & {HAS_COUNTER} > 0 AND NOT is_new) AS was_away,
                {n_earlier} - coalesce(max(nth) FILTER (is_new), 0) AS days,
                sum(days) FILTER ({is_low}) AS low_days
            FROM history_runs JOIN history_risen AS m USING (model_key) GROUP BY ALL)
        SELECT model_key, status, downloads_30d FROM low
        WHERE low_days > 0 AND (was_away OR 2 * low_days >= days)"""


def _values(earlier: Sequence[Entry]) -> str:
    """Their counters on every earlier day whose snapshot has one."""
    days = ", ".join(f"({_day(e)})" for e in earlier)
    return f"""WITH steps AS (
            SELECT model_key, snapshot_date AS day, change, flips, false AS is_wanted
            FROM history_runs JOIN history_suspects USING (model_key)
            UNION ALL
            SELECT model_key, day, 0, 0, true
            FROM history_suspects CROSS JOIN (VALUES {days}) AS wanted(day)),
        since AS (
            SELECT model_key, day, is_wanted, sum(change) OVER back AS change,
                bit_xor(flips) OVER back AS flips
            FROM steps WINDOW back AS (PARTITION BY model_key ORDER BY day DESC, is_wanted DESC
                ROWS UNBOUNDED PRECEDING))
        SELECT model_key, since.day AS observed_date,
            (s.downloads_30d - since.change)::BIGINT AS downloads_30d
        FROM since JOIN history_suspects AS s USING (model_key)
        WHERE is_wanted AND xor(s.status, since.flips) & {HAS_COUNTER} = {HAS_COUNTER}"""


def _day(entry: Entry) -> str:
    return f"DATE {literal(str(entry.day))}"
