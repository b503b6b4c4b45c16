"""Loads the history into the raw tables of a warehouse."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import duckdb
import polars as pl

from warehouse.contracts.table import contract, literal, quote
from warehouse.database.duckdb_file import insert_frame
from warehouse.hub_history.earlier import earlier_counters
from warehouse.hub_history.files import COUNTERS, scan
from warehouse.hub_history.ledger import Entry
from warehouse.hub_history.past import absences_on, models_on
from warehouse.hub_history.store import History

WINDOW = timedelta(days=30)  # of the counter `downloads`


def load_history(
    con: duckdb.DuckDBPyConnection, history: History, until: date, loaded: Sequence[date]
) -> None:
    """Fills the raw tables that come from the history.

    `until` is the last day to load; `loaded` are the days whose rows are in raw.hub_models.
    """
    entries = history.ledger.until(until)
    if not entries:
        return
    _insert(con, "raw.hub_known_models", known_models(history, entries[-1].day))
    insert_frame(con, contract("raw.hub_history_days"), history_days(entries))
    _insert(con, "raw.hub_absences", absences_on(history, until))
    for entry in entries:
        if entry.day in loaded:
            _insert(con, "raw.hub_counter_steps", _counter_steps(history, entry))
            _insert(con, "raw.hub_earlier_counters", earlier_counters(con, history, entry))


def known_models(history: History, day: date) -> str:
    """SQL of raw.hub_known_models after the snapshot of that day."""
    return f"""SELECT * REPLACE (coalesce(last_seen_date, DATE {literal(str(day))})
            AS last_seen_date)
        FROM ({models_on(history, day)})"""


def _insert(con: duckdb.DuckDBPyConnection, table: str, query: str) -> None:
    """Insert the rows of a query into a raw table, by column name, in the order of its key."""
    target = contract(table)
    names = ", ".join(quote(c) for c in target.columns)
    order = ", ".join(quote(c) for c in target.key)
    con.execute(f"INSERT INTO {target.sql_name} SELECT {names} FROM ({query}) ORDER BY {order}")


def history_days(entries: Sequence[Entry]) -> pl.DataFrame:
    """raw.hub_history_days of these snapshots, the first ones of the history."""
    table = contract("raw.hub_history_days")
    rows = [
        {
            "snapshot_id": e.sweep.snapshot_id,
            "snapshot_date": e.day,
            "previous_date": before,
            "is_whole_sweep": e.sweep.is_whole,
            **e.counts,
            "has_lineage": bool(e.counts["has_lineage"]),
        }
        for e, before in zip(entries, [None, *(e.day for e in entries)], strict=False)
    ]
    frame = pl.DataFrame(rows, schema_overrides=table.polars_schema, infer_schema_length=None)
    return frame.select(*table.columns)


def _counter_steps(history: History, entry: Entry) -> str:
    """SQL of raw.hub_counter_steps of one snapshot: the rows of its file with repository ids."""
    entries = history.ledger.until(entry.day)
    before = entries[-2] if len(entries) > 1 else None
    rows = scan(COUNTERS, [history.folder / entry.files["counters"].path])
    previous = f"DATE {literal(str(before.day))}" if before else "NULL::DATE"
    return f"""WITH changed AS (FROM ({rows}) WHERE is_listed),
        leaving AS ({_leaving(history, entries)})
        SELECT {literal(entry.sweep.snapshot_id)} AS snapshot_id, c.snapshot_date,
            {previous} AS previous_date, model_id_hf,
            model_key > {before.counts["keys"] if before else 0} AS is_new, was_listed,
            downloads_30d, CASE WHEN was_listed THEN downloads_30d_before END
                AS downloads_30d_before,
            downloads_all_time, CASE WHEN was_listed THEN downloads_all_time_before END
                AS downloads_all_time_before,
            l.change AS downloads_all_time_change_30d_ago
        FROM changed AS c JOIN ({models_on(history, entry.day, among="changed")}) AS m
            USING (model_key)
        LEFT JOIN leaving AS l USING (model_key)
        WHERE m.is_current"""


def _leaving(history: History, entries: Sequence[Entry]) -> str:
    """SQL of the all-time change of models on the day that leaves the 30-day window of the last.

    Of the models in `changed`, if that day, the one before it and the one before the last were all
    observed. Models without a row of that day had no change, unless they had no counter then: the
    next row of such a model says so.
    """
    last, one = entries[-1].day, timedelta(days=1)
    days = [e.day for e in entries]
    then = last - WINDOW
    if not {then, then - one, last - one} <= set(days):
        return "SELECT NULL::INTEGER AS model_key, NULL::BIGINT AS change WHERE false"
    on, *later = (history.folder / e.files["counters"].path for e in entries[days.index(then) :])
    had = "was_listed AND downloads_all_time_before IS NOT NULL"
    return f"""WITH on_day AS (
            SELECT model_key, true AS is_there, CASE WHEN is_listed AND was_listed
                THEN downloads_all_time - downloads_all_time_before END AS change
            FROM ({scan(COUNTERS, [on])})),
        since AS (SELECT model_key, snapshot_date, {had} AS had FROM ({scan(COUNTERS, later)})),
        without AS (SELECT model_key, true AS had_none
            FROM since SEMI JOIN (FROM since WHERE NOT had) AS odd USING (model_key)
            GROUP BY model_key HAVING NOT arg_min(had, snapshot_date))
        SELECT model_key,
            CASE WHEN is_there THEN on_day.change WHEN had_none THEN NULL ELSE 0 END AS change
        FROM (SELECT model_key FROM changed) LEFT JOIN on_day USING (model_key)
        LEFT JOIN without USING (model_key)"""
