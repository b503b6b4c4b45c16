"""Applies one snapshot to the history, in SQL: compares its rows with the previous state.

Reads the snapshot's rows from raw.hub_models, so that nothing is parsed twice. Most records are as
in the previous snapshot but for their counters: two hashes find those, and only the rest is matched
by its ids and compared column by column. The temporary tables are named `history_*`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from warehouse.contracts.table import literal
from warehouse.hub_history.counts import CHANGED, snapshot_counts
from warehouse.hub_history.files import (
    ABSENCES,
    COUNTERS,
    KEYS,
    MODELS,
    STATE,
    VALUES,
    columns,
    newest_rows,
    scan,
    write,
)
from warehouse.hub_history.ledger import Sweep

LINEAGE = ("base_models_json", "base_model_tags_json")
# Columns that are not attributes of the model itself.
_NO_ATTRIBUTES = ("model_key", "model_id_hf", "is_current", "lineage_date", *LINEAGE)
ATTRIBUTES = tuple(c for c in MODELS if c not in _NO_ATTRIBUTES and not c.endswith("_date"))
_LICENSE = """nullif(split_part(split_part(tags_json, '"license:', 2), '"', 1), '')"""
_CONTENT = """author, created_at, pipeline_tag, library_name, gated, parameters_total, tags_json,
            base_models_json"""


@dataclass(frozen=True)
class PreviousState:
    """The state before a snapshot: the last snapshot's day, its keys and its files."""

    day: date | None
    keys: int  # models ever seen; the last key
    models: tuple[Path, ...] = ()  # the last checkpoint and what changed since
    state: Path | None = None
    checkpoint: Path | None = None  # the counters of every model, if there is no state
    absences: tuple[Path, ...] = ()


def update(
    con: duckdb.DuckDBPyConnection, sweep: Sweep, before: PreviousState, after: Mapping[str, Path]
) -> dict[str, int]:
    """Writes the files of one snapshot, by kind, and returns its counts. Same input, same bytes."""
    day = f"DATE {literal(str(sweep.snapshot_date))}"
    try:
        _compare_records(con, sweep, before)
        _find_known(con, before)
        _assign_keys(con, before)
        _compare_models(con, before, day)
        _resolve_counters(con)
        for kind, query in _files(sweep, before, day).items():
            if kind in after:
                write(con, query, after[kind])
        return snapshot_counts(con, _listing(f"WHERE snapshot_id = {literal(sweep.snapshot_id)}"))
    finally:
        for table in ("counters", "known", "keys", "models"):
            con.execute(f"DROP TABLE IF EXISTS history_{table}")


def _compare_records(con: duckdb.DuckDBPyConnection, sweep: Sweep, before: PreviousState) -> None:
    """history_counters: the records of the snapshot beside the models of the state.

    Both sides are there where ids and content are the same. The others are completed by
    `_resolve_counters`: records without model_key, and models without `seen`.
    """
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE history_counters AS
        WITH s AS (SELECT rowid AS seen,
                CASE WHEN object_id_hf IS NOT NULL THEN hash(object_id_hf, model_id_hf) END
                    AS identity,
                hash({_CONTENT}) AS content, {columns(VALUES)}
            FROM raw.hub_models WHERE snapshot_id = {literal(sweep.snapshot_id)}),
        b AS ({_state(before)})
        SELECT seen, model_key, false AS is_new, s.identity, s.content,
            seen IS NOT NULL AS is_listed, {", ".join(f"s.{c}" for c in VALUES)},
            coalesce(b.is_listed, false) AS was_listed,
            {", ".join(f"b.{c} AS {c}_before" for c in VALUES)}
        FROM s FULL JOIN b ON s.identity = b.identity AND s.content = b.content"""
    )


def _state(before: PreviousState) -> str:
    """SQL of the state (STATE). From a checkpoint it has no hashes: every record is compared."""
    if before.state is None and before.checkpoint is not None:
        return f"""SELECT model_key, NULL::UBIGINT AS identity, NULL::UBIGINT AS content, is_listed,
            {columns(VALUES)} FROM ({scan(COUNTERS, [before.checkpoint])})"""
    return scan(STATE, [before.state] if before.state else [])


def _find_known(con: duckdb.DuckDBPyConnection, before: PreviousState) -> None:
    """history_known: the models that no unchanged record is of, under each of their ids."""
    left = "(SELECT model_key FROM history_counters WHERE seen IS NULL)"
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE history_known AS
        {newest_rows(MODELS, KEYS["models"], before.models, among=left)}"""
    )


def _listing(where: str) -> str:
    """SQL of records with the columns that the history keeps.

    Licenses and parents with a backslash, of which there are none, are read as null. `declares`:
    the record states its parents, or that it has none. Tags without a parent state this if they are
    the Hub's complete list, which includes the task and a region; an excerpt of the tags states
    nothing.
    """
    return f"""SELECT raw.rowid AS seen, model_id_hf, object_id_hf, author, created_at,
            pipeline_tag, library_name, {_LICENSE} AS license, gated, parameters_total,
            CASE WHEN contains(tags_json, '"base_model:') THEN nullif(to_json(list_filter(
                from_json(tags_json, '["VARCHAR"]'), lambda tag: starts_with(tag, 'base_model:')
                ))::VARCHAR, '[]') END AS base_model_tags_json,
            base_models_json, base_models_json IS NOT NULL OR base_model_tags_json IS NOT NULL
                OR coalesce(tags_json = '[]' OR contains(tags_json, '"region:')
                    OR contains(tags_json, to_json(pipeline_tag)::VARCHAR), false) AS declares,
            nullif(declares, false) AS lineage_recorded
        FROM raw.hub_models AS raw {where}"""


# The records that `_compare_records` found no model for.
_COMPARED = _listing(
    "SEMI JOIN (SELECT seen FROM history_counters WHERE model_key IS NULL) AS new "
    "ON raw.rowid = new.seen"
)


def _assign_keys(con: duckdb.DuckDBPyConnection, before: PreviousState) -> None:
    """history_keys: the keys of these records, found by object id, or by id if one side has none.

    New models get the next keys, in the order of their creation.
    """
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE history_keys AS
        WITH listing AS ({_COMPARED}),
        current AS (SELECT model_key, model_id_hf, object_id_hf, last_seen_date
            FROM history_known WHERE is_current),
        by_object AS MATERIALIZED (
            SELECT s.seen, s.model_id_hf, s.object_id_hf, s.created_at, current.model_key
            FROM listing AS s LEFT JOIN current USING (object_id_hf)),
        rest AS (FROM by_object WHERE model_key IS NULL),
        free AS (SELECT * FROM current ANTI JOIN by_object USING (model_key)),
        by_id AS (
            SELECT r.seen, f.model_key, f.last_seen_date FROM rest AS r JOIN free AS f
            ON r.model_id_hf = f.model_id_hf
                AND (r.object_id_hf IS NULL OR f.object_id_hf IS NULL)),
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

    An attribute that the snapshot did not record keeps its value.
    """
    recorded = ", ".join(f"coalesce(s.{c}, b.{c}) AS {c}" for c in ATTRIBUTES)
    differs = " OR ".join(
        f"(s.{c} IS NOT NULL AND s.{c} IS DISTINCT FROM b.{c})" for c in ATTRIBUTES
    )
    renewed = f"s.declares AND ({_distinct('s', 'b', LINEAGE)})"
    lineage = ", ".join(f"CASE WHEN {renewed} THEN s.{c} ELSE b.{c} END AS {c}" for c in LINEAGE)
    last = f"DATE {literal(str(before.day))}" if before.day else "NULL::DATE"
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE history_models AS
        WITH s AS (FROM ({_COMPARED}) JOIN (SELECT seen, model_key FROM history_keys) USING (seen)),
        listed AS (
            SELECT {day} AS snapshot_date, s.model_key, s.model_id_hf, true AS is_current,
                {recorded}, coalesce(b.first_seen_date, {day}) AS first_seen_date,
                NULL::DATE AS last_seen_date,
                CASE WHEN {renewed} THEN {day} ELSE b.lineage_date END AS lineage_date, {lineage},
                b.model_key IS NULL OR b.last_seen_date IS NOT NULL OR NOT b.is_current
                    OR {differs} OR {renewed} AS is_changed
            FROM s LEFT JOIN history_known AS b USING (model_key, model_id_hf)
        ),
        unlisted AS (
            SELECT b.* REPLACE ({day} AS snapshot_date,
                coalesce(last_seen_date, {last}) AS last_seen_date,
                is_current AND k.model_key IS NULL AS is_current)
            FROM history_known AS b LEFT JOIN history_keys AS k USING (model_key)
            WHERE k.model_id_hf IS DISTINCT FROM b.model_id_hf
                AND (b.last_seen_date IS NULL OR (b.is_current AND k.model_key IS NOT NULL)))
        SELECT {columns(MODELS)} FROM listed WHERE is_changed
        UNION ALL SELECT {columns(MODELS)} FROM unlisted"""
    )


def _distinct(one: str, other: str, names: tuple[str, ...]) -> str:
    return " OR ".join(f"{one}.{c} IS DISTINCT FROM {other}.{c}" for c in names)


def _resolve_counters(con: duckdb.DuckDBPyConnection) -> None:
    """Completes history_counters: one row per model ever listed, its values before and after."""
    values = ", ".join(
        f"CASE WHEN s.seen IS NULL THEN b.{c}_before ELSE s.{c} END AS {c}" for c in VALUES
    )
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE history_resolved AS
        WITH s AS (SELECT c.* EXCLUDE (model_key, is_new), k.model_key, k.is_new
            FROM history_counters AS c JOIN history_keys AS k USING (seen)),
        b AS (FROM history_counters WHERE seen IS NULL)
        SELECT s.seen, model_key, coalesce(s.is_new, false) AS is_new, s.identity, s.content,
            s.seen IS NOT NULL AS is_listed, {values},
            coalesce(b.was_listed, false) AS was_listed,
            {", ".join(f"b.{c}_before" for c in VALUES)}
        FROM s FULL JOIN b USING (model_key);
        DELETE FROM history_counters WHERE seen IS NULL OR model_key IS NULL;
        INSERT INTO history_counters FROM history_resolved;
        DROP TABLE history_resolved"""
    )


def _files(sweep: Sweep, before: PreviousState, day: str) -> dict[str, str]:
    """SQL of the rows of every kind of file."""
    counters = f"""SELECT {columns(COUNTERS)}
        FROM (SELECT {day} AS snapshot_date, * FROM history_counters)"""
    models = f"""SELECT {columns(MODELS)} FROM (
        FROM ({newest_rows(MODELS, KEYS["models"], before.models)})
            ANTI JOIN history_models USING (model_key, model_id_hf)
        UNION ALL FROM history_models)"""
    by_id = "ORDER BY model_key, model_id_hf"
    return {
        "counters": f"{counters} WHERE {CHANGED} ORDER BY model_key",
        "counters_checkpoint": f"{counters} ORDER BY model_key",
        "models": f"FROM history_models {by_id}",
        "models_checkpoint": f"SELECT * REPLACE ({day} AS snapshot_date) FROM ({models}) {by_id}",
        "state": f"SELECT {columns(STATE)} FROM history_counters ORDER BY model_key",
        "absences": _absences(sweep, before, day),
    }


def _absences(sweep: Sweep, before: PreviousState, day: str) -> str:
    """Absences after the snapshot: those that end, and, for a complete sweep, those that begin."""
    return f"""WITH absences AS ({scan(ABSENCES, before.absences)}),
        known AS (FROM history_known ANTI JOIN history_models USING (model_key, model_id_hf)
            UNION ALL FROM history_models),
        gone AS (
            SELECT model_key, model_id_hf, last_seen_date, {day}, NULL::DATE,
                c.downloads_30d, c.downloads_all_time, c.likes
            FROM history_counters AS c JOIN known USING (model_key)
            ANTI JOIN (FROM absences WHERE returned_date IS NULL) AS a USING (model_key)
            WHERE {str(sweep.is_whole).lower()} AND NOT c.is_listed AND is_current
        )
        SELECT * FROM (
            SELECT absences.* REPLACE (CASE WHEN c.is_listed
                THEN coalesce(returned_date, {day}) ELSE returned_date END AS returned_date)
            FROM absences JOIN history_counters AS c USING (model_key)
            UNION ALL FROM gone
        ) ORDER BY model_key, absent_since_date"""
