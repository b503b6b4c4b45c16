"""Applies one snapshot to the history, in SQL: compares its rows with the previous state.

Reads the snapshot's rows from raw.hub_models, so that nothing is parsed twice. The temporary tables
are named `history_*` and dropped at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from warehouse.contracts.table import literal
from warehouse.hub_history.counts import snapshot_counts
from warehouse.hub_history.files import (
    ABSENCES,
    COUNTERS,
    HAS_30D,
    HAS_ALL_TIME,
    HAS_LIKES,
    HAS_TRENDING,
    LISTED,
    MODELS,
    NEW_TRENDING,
    columns,
    scan,
    write,
)
from warehouse.hub_history.ledger import Sweep

LINEAGE = ("base_models_json", "base_model_tags_json")
# Columns that are not attributes of the model itself.
_NO_ATTRIBUTES = ("model_key", "model_id_hf", "is_current", "lineage_date", *LINEAGE)
ATTRIBUTES = tuple(c for c in MODELS if c not in _NO_ATTRIBUTES and not c.endswith("_seen_date"))
_LICENSE = """nullif(split_part(split_part(tags_json, '"license:', 2), '"', 1), '')"""


@dataclass(frozen=True)
class PreviousState:
    """The state before a snapshot: the last snapshot's day, its keys and its files."""

    day: date | None
    keys: int  # models ever seen; the last key
    models: tuple[Path, ...] = ()
    counters: tuple[Path, ...] = ()
    absences: tuple[Path, ...] = ()


@dataclass(frozen=True)
class OutputPaths:
    """Where the new files are written."""

    changes: Path
    changed_models: Path
    models: Path
    counters: Path
    absences: Path


def apply(
    con: duckdb.DuckDBPyConnection, sweep: Sweep, before: PreviousState, after: OutputPaths
) -> dict[str, int]:
    """Writes the files of one snapshot and returns its counts. Same input, same bytes."""
    day = f"DATE {literal(str(sweep.snapshot_date))}"
    try:
        _create_listing_view(con, sweep)
        _assign_keys(con, before)
        _compare_models(con, before, day)
        _compare_counters(con, before)
        _collect_changes(con, day)
        write(con, "FROM history_changes ORDER BY model_key", after.changes, level=9)
        write(con, "FROM history_models ORDER BY model_key, model_id_hf", after.changed_models)
        write(con, _all_models(before), after.models, level=1)
        write(con, _all_counters(), after.counters, level=1)
        write(con, _all_absences(sweep, before, after, day), after.absences)
        return snapshot_counts(con)
    finally:
        con.execute("DROP VIEW IF EXISTS history_listing")
        for table in ("keys", "models", "counters", "changes"):
            con.execute(f"DROP TABLE IF EXISTS history_{table}")


def _create_listing_view(con: duckdb.DuckDBPyConnection, sweep: Sweep) -> None:
    """history_listing: the columns of the snapshot that the history uses.

    It is a view because most queries need few of its columns. Licenses and parents with a
    backslash, of which there are none, are read as null. `declares`: the record states its parents,
    or that it has none. Tags without a parent state this if they are the Hub's complete list, which
    includes the task and a region; an excerpt of the tags states nothing.
    """
    con.execute(
        f"""CREATE OR REPLACE TEMP VIEW history_listing AS
        SELECT rowid AS seen, model_id_hf, object_id_hf, author, created_at, pipeline_tag,
            library_name, {_LICENSE} AS license, gated, parameters_total,
            CASE WHEN contains(tags_json, '"base_model:') THEN nullif(to_json(list_filter(
                from_json(tags_json, '["VARCHAR"]'), lambda tag: starts_with(tag, 'base_model:')
                ))::VARCHAR, '[]') END AS base_model_tags_json,
            base_models_json, base_models_json IS NOT NULL OR base_model_tags_json IS NOT NULL
                OR coalesce(tags_json = '[]' OR contains(tags_json, '"region:')
                    OR contains(tags_json, to_json(pipeline_tag)::VARCHAR), false) AS declares,
            nullif(declares, false) AS lineage_recorded,
            downloads_30d, downloads_all_time, likes, trending_score
        FROM raw.hub_models WHERE snapshot_id = {literal(sweep.snapshot_id)}"""
    )


def _assign_keys(con: duckdb.DuckDBPyConnection, before: PreviousState) -> None:
    """history_keys: the key of every row, found by object id, or by id if one side has none.

    New models get the next keys, in the order of their creation.
    """
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE history_keys AS
        WITH known AS ({scan(MODELS, before.models)}),
        current AS (SELECT model_key, model_id_hf, object_id_hf, last_seen_date
            FROM known WHERE is_current),
        by_object AS MATERIALIZED (
            SELECT s.seen, s.model_id_hf, s.object_id_hf, s.created_at, current.model_key
            FROM history_listing AS s LEFT JOIN current USING (object_id_hf)),
        rest AS (FROM by_object WHERE model_key IS NULL),
        free AS (SELECT * FROM current ANTI JOIN by_object USING (model_key)),
        by_id AS (
            SELECT r.seen, f.model_key, f.last_seen_date FROM rest AS r JOIN free AS f
            ON r.model_id_hf = f.model_id_hf AND r.object_id_hf IS NULL
            UNION ALL
            SELECT r.seen, f.model_key, f.last_seen_date FROM rest AS r JOIN free AS f
            ON r.model_id_hf = f.model_id_hf
                AND r.object_id_hf IS NOT NULL AND f.object_id_hf IS NULL),
        one_id AS (SELECT seen, model_key FROM by_id QUALIFY row_number() OVER (
            PARTITION BY seen ORDER BY last_seen_date DESC NULLS FIRST, model_key DESC) = 1)
        SELECT seen, model_id_hf, model_key, false AS is_new FROM by_object
        WHERE model_key IS NOT NULL
        UNION ALL
        SELECT seen, model_id_hf, one_id.model_key, false FROM one_id JOIN rest USING (seen)
        UNION ALL
        SELECT seen, model_id_hf, ({before.keys} + row_number() OVER (
            ORDER BY created_at NULLS LAST, object_id_hf NULLS LAST, model_id_hf))::INTEGER, true
        FROM rest ANTI JOIN one_id USING (seen)"""
    )


def _compare_models(con: duckdb.DuckDBPyConnection, before: PreviousState, day: str) -> None:
    """history_models: the rows of models and ids that are new, changed, or no longer listed.

    An attribute that the snapshot did not record keeps its value. Most rows are unchanged; a 64-bit
    hash of all their values excludes them cheaply.
    """
    recorded = ", ".join(f"coalesce(s.{c}, b.{c}) AS {c}" for c in ATTRIBUTES)
    differs = " OR ".join(
        f"(s.{c} IS NOT NULL AND s.{c} IS DISTINCT FROM b.{c})" for c in ATTRIBUTES
    )
    renewed = f"s.declares AND ({_distinct('s', 'b', LINEAGE)})"
    lineage = ", ".join(f"CASE WHEN {renewed} THEN s.{c} ELSE b.{c} END AS {c}" for c in LINEAGE)
    content = f"hash({', '.join(('model_id_hf', *ATTRIBUTES, *LINEAGE))})"
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE history_models AS
        WITH b AS ({scan(MODELS, before.models)}),
        unchanged AS (SELECT model_key, {content} AS content FROM b
            WHERE is_current AND last_seen_date IS NULL),
        s AS MATERIALIZED (
            SELECT * FROM (SELECT *, {content} AS content FROM history_listing)
            JOIN (SELECT seen, model_key FROM history_keys) USING (seen)
            ANTI JOIN unchanged USING (model_key, content)),
        met AS MATERIALIZED (FROM b SEMI JOIN s USING (model_key)),
        listed AS (
            SELECT s.model_key, s.model_id_hf, true AS is_current, {recorded},
                coalesce(b.first_seen_date, {day}) AS first_seen_date,
                NULL::DATE AS last_seen_date,
                CASE WHEN {renewed} THEN {day} ELSE b.lineage_date END AS lineage_date, {lineage},
                b.model_key IS NULL OR b.last_seen_date IS NOT NULL OR NOT b.is_current
                    OR {differs} OR {renewed} AS is_changed
            FROM s LEFT JOIN met AS b USING (model_key, model_id_hf)
        )
        SELECT {columns(MODELS)} FROM listed WHERE is_changed
        UNION ALL
        {_no_longer_listed(before)}"""
    )


def _no_longer_listed(before: PreviousState) -> str:
    """Rows of `b` whose model is no longer listed, or is listed under another id."""
    last = f"DATE {literal(str(before.day))}" if before.day else "NULL::DATE"
    return f"""SELECT {columns(MODELS)} FROM (
            SELECT b.* REPLACE (coalesce(last_seen_date, {last}) AS last_seen_date,
                is_current AND k.model_key IS NULL AS is_current)
            FROM b LEFT JOIN history_keys AS k USING (model_key)
            WHERE k.model_id_hf IS DISTINCT FROM b.model_id_hf
                AND (b.last_seen_date IS NULL OR (b.is_current AND k.model_key IS NOT NULL)))"""


def _distinct(one: str, other: str, names: tuple[str, ...]) -> str:
    return " OR ".join(f"{one}.{c} IS DISTINCT FROM {other}.{c}" for c in names)


def _compare_counters(con: duckdb.DuckDBPyConnection, before: PreviousState) -> None:
    """history_counters: every model's counters before and after the snapshot."""
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE history_counters AS
        WITH b AS ({scan(COUNTERS, before.counters)}), s AS (
            SELECT model_key, is_new, ({LISTED}
                + CASE WHEN downloads_30d IS NULL THEN 0 ELSE {HAS_30D} END
                + CASE WHEN downloads_all_time IS NULL THEN 0 ELSE {HAS_ALL_TIME} END
                + CASE WHEN likes IS NULL THEN 0 ELSE {HAS_LIKES} END
                + CASE WHEN trending_score IS NULL THEN 0 ELSE {HAS_TRENDING} END
                )::UTINYINT AS status, downloads_30d, downloads_all_time, likes, trending_score
            FROM history_listing JOIN history_keys USING (seen)
        )
        SELECT model_key, coalesce(s.is_new, false) AS is_new,
            coalesce(b.status, 0)::UTINYINT AS status_before,
            coalesce(s.status, b.status & {HAS_30D | HAS_ALL_TIME | HAS_LIKES | HAS_TRENDING}
                )::UTINYINT AS status,
            coalesce(b.downloads_30d, 0) AS downloads_30d_before,
            coalesce(s.downloads_30d, b.downloads_30d, 0) AS downloads_30d,
            coalesce(b.downloads_all_time, 0) AS downloads_all_time_before,
            coalesce(s.downloads_all_time, b.downloads_all_time, 0) AS downloads_all_time,
            coalesce(b.likes, 0) AS likes_before, coalesce(s.likes, b.likes, 0) AS likes,
            b.trending_score AS trending_score_before,
            coalesce(s.trending_score, b.trending_score) AS trending_score
        FROM b FULL JOIN s USING (model_key)"""
    )


def _collect_changes(con: duckdb.DuckDBPyConnection, day: str) -> None:
    """history_changes: the models whose counters differ from the previous snapshot."""
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE history_changes AS
        SELECT {day} AS snapshot_date, model_key,
            downloads_30d - downloads_30d_before AS downloads_30d_change,
            downloads_all_time - downloads_all_time_before AS downloads_all_time_change,
            likes - likes_before AS likes_change,
            (xor(status, status_before) + CASE
                WHEN trending_score IS DISTINCT FROM trending_score_before THEN {NEW_TRENDING}
                ELSE 0 END)::UTINYINT AS status_flips,
            CASE WHEN trending_score IS DISTINCT FROM trending_score_before
                THEN trending_score END AS trending_score
        FROM history_counters WHERE downloads_30d <> downloads_30d_before
            OR downloads_all_time <> downloads_all_time_before OR likes <> likes_before
            OR status <> status_before
            OR trending_score IS DISTINCT FROM trending_score_before"""
    )


def _all_models(before: PreviousState) -> str:
    """SQL of the state of models after the snapshot."""
    return f"""SELECT {columns(MODELS)} FROM (
            FROM ({scan(MODELS, before.models)}) ANTI JOIN history_models
                USING (model_key, model_id_hf)
            UNION ALL BY NAME FROM history_models
        ) ORDER BY model_key, model_id_hf"""


def _all_counters() -> str:
    return f"SELECT {columns(COUNTERS)} FROM history_counters ORDER BY model_key"


def _all_absences(sweep: Sweep, before: PreviousState, after: OutputPaths, day: str) -> str:
    """Absences after the snapshot: those that end, and, for a complete sweep, those that begin."""
    return f"""WITH absences AS ({scan(ABSENCES, before.absences)}),
        listed AS (SELECT model_key FROM history_keys),
        gone AS (
            SELECT model_key, m.model_id_hf, m.last_seen_date, {day}, NULL::DATE,
                CASE WHEN c.status & {HAS_30D} > 0 THEN c.downloads_30d END,
                CASE WHEN c.status & {HAS_ALL_TIME} > 0 THEN c.downloads_all_time END,
                CASE WHEN c.status & {HAS_LIKES} > 0 THEN c.likes END
            FROM ({scan(MODELS, [after.models])}) AS m JOIN history_counters AS c USING (model_key)
            ANTI JOIN (FROM absences WHERE returned_date IS NULL) AS a USING (model_key)
            WHERE {str(sweep.is_whole).lower()} AND m.is_current AND m.last_seen_date IS NOT NULL
        )
        SELECT * FROM (
            SELECT absences.* REPLACE (CASE WHEN listed.model_key IS NOT NULL
                THEN coalesce(returned_date, {day}) ELSE returned_date END AS returned_date)
            FROM absences LEFT JOIN listed USING (model_key)
            UNION ALL FROM gone
        ) ORDER BY model_key, absent_since_date"""
