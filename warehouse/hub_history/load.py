"""Loads the history into the raw tables of a warehouse."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import duckdb
import polars as pl

from warehouse.contracts.table import contract, literal, quote
from warehouse.database.duckdb_file import insert_frame
from warehouse.hub_history.earlier import earlier_counters
from warehouse.hub_history.files import CHANGES, HAS_30D, HAS_ALL_TIME, LISTED, STATUS, scan
from warehouse.hub_history.ledger import Entry
from warehouse.hub_history.past import absences_on, models_on, states_on
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
    # The newest snapshot has a state, and a state is sorted by its key.
    is_sorted = bool(entries[-1].state)
    _insert(con, "raw.hub_known_models", known_models(history, entries[-1].day), is_sorted)
    insert_frame(con, contract("raw.hub_history_days"), history_days(entries))
    _insert(con, "raw.hub_absences", absences_on(history, until))
    for entry in entries:
        if entry.day in loaded:
            _load_steps(con, history, entry)
            _insert(con, "raw.hub_earlier_counters", earlier_counters(con, history, entry))


def known_models(history: History, day: date) -> str:
    """SQL of raw.hub_known_models after the snapshot of that day."""
    return f"""SELECT * REPLACE (coalesce(last_seen_date, DATE {literal(str(day))})
            AS last_seen_date)
        FROM ({models_on(history, day)})"""


def _insert(
    con: duckdb.DuckDBPyConnection, table: str, query: str, is_sorted: bool = False
) -> None:
    """Insert the rows of a query into a raw table, by column name, in the order of its key."""
    target = contract(table)
    names = ", ".join(quote(c) for c in target.columns)
    order = "" if is_sorted else "ORDER BY " + ", ".join(quote(c) for c in target.key)
    con.execute(f"INSERT INTO {target.sql_name} SELECT {names} FROM ({query}) {order}")


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


def _load_steps(con: duckdb.DuckDBPyConnection, history: History, entry: Entry) -> None:
    """raw.hub_counter_steps of one snapshot: its changes, with the values before and after."""
    before = _day_before(history, entry)
    leaving = _leaving(history, entry, before)
    now, was = f"s.status & {LISTED} > 0", f"was & {LISTED} > 0"
    _insert(
        con,
        "raw.hub_counter_steps",
        f"""WITH changes AS ({scan(CHANGES, [history.folder / entry.changes.path])}),
        leaving AS ({leaving}),
        moved AS (SELECT model_key, s.*, c.* EXCLUDE (model_key, trending_score),
                xor(s.status, c.status_flips & {STATUS}) AS was
            FROM changes AS c JOIN ({states_on(history, entry.day)}) AS s USING (model_key))
        SELECT {literal(entry.sweep.snapshot_id)} AS snapshot_id, snapshot_date,
            {_day(before)} AS previous_date, model_id_hf,
            s.model_key > {before.counts["keys"] if before else 0} AS is_new,
            {was} AS was_listed,
            CASE WHEN s.status & {HAS_30D} > 0 THEN downloads_30d END AS downloads_30d,
            CASE WHEN {was} AND was & {HAS_30D} > 0 THEN downloads_30d - downloads_30d_change END
                AS downloads_30d_before,
            CASE WHEN s.status & {HAS_ALL_TIME} > 0 THEN downloads_all_time END
                AS downloads_all_time,
            CASE WHEN {was} AND was & {HAS_ALL_TIME} > 0
                THEN downloads_all_time - downloads_all_time_change END
                AS downloads_all_time_before,
            l.change AS downloads_all_time_change_30d_ago
        FROM moved AS s JOIN ({models_on(history, entry.day)}) AS m USING (model_key)
        LEFT JOIN leaving AS l USING (model_key)
        WHERE {now} AND m.is_current""",
    )


def _day_before(history: History, entry: Entry) -> Entry | None:
    entries = history.ledger.until(entry.day)
    return entries[-2] if len(entries) > 1 else None


def _leaving(history: History, entry: Entry, before: Entry | None) -> str:
    """SQL of the all-time change of every model on the day that leaves the 30-day window.

    Only where that day, the one before it and the one before `entry` were all observed.
    """
    then = history.entry(entry.day - WINDOW)
    eve = history.entry(entry.day - WINDOW - timedelta(days=1))
    follows = before is not None and before.day == entry.day - timedelta(days=1)
    if then is None or eve is None or not follows:
        return "SELECT NULL::INTEGER AS model_key, NULL::BIGINT AS change WHERE false"
    changes = scan(CHANGES, [history.folder / then.changes.path])
    seen = LISTED | HAS_ALL_TIME  # in both snapshots
    return f"""SELECT s.model_key, coalesce(c.downloads_all_time_change, 0) AS change
        FROM ({states_on(history, then.day)}) AS s LEFT JOIN ({changes}) AS c USING (model_key)
        WHERE s.status & xor(s.status, coalesce(c.status_flips, 0) & {STATUS}) & {seen} = {seen}"""


def _day(entry: Entry | None) -> str:
    return f"DATE {literal(str(entry.day))}" if entry else "NULL::DATE"
