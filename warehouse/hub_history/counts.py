"""Counts of one snapshot for the ledger: models that are new, left, returned or unchanged."""

from __future__ import annotations

import duckdb

from warehouse.hub_history.files import VALUES

HUNDRED = 100  # downloads: most counters below it do not change on any day

_BOTH = "is_listed AND was_listed AND {0} IS NOT NULL AND {0}_before IS NOT NULL"
_BOTH_30D = _BOTH.format("downloads_30d")
_BOTH_ALL_TIME = _BOTH.format("downloads_all_time")
_HUNDRED = f"{_BOTH_30D} AND downloads_30d_before >= {HUNDRED}"
_SAME = "downloads_30d = downloads_30d_before"
_GROWN = "downloads_all_time - downloads_all_time_before"
CHANGED = " OR ".join(
    ("is_listed <> was_listed", *(f"{c} IS DISTINCT FROM {c}_before" for c in VALUES))
)
COUNTS = {
    "keys": "max(model_key)",
    "models": "count(*) FILTER (is_listed)",
    "models_before": "count(*) FILTER (was_listed)",
    "models_changed": f"count(*) FILTER ({CHANGED})",
    "models_new": "count(*) FILTER (is_new)",
    "models_left": "count(*) FILTER (was_listed AND NOT is_listed)",
    "models_returned": "count(*) FILTER (is_listed AND NOT was_listed AND NOT is_new)",
    "models_compared": f"count(*) FILTER ({_BOTH_30D})",
    "models_unchanged": f"count(*) FILTER ({_BOTH_30D} AND {_SAME})",
    "models_compared_100": f"count(*) FILTER ({_HUNDRED})",
    "models_unchanged_100": f"count(*) FILTER ({_HUNDRED} AND {_SAME})",
    "downloads_30d": "sum(downloads_30d) FILTER (is_listed)",
    "downloads_30d_compared": f"sum(downloads_30d) FILTER ({_BOTH_30D})",
    "downloads_30d_compared_before": f"sum(downloads_30d_before) FILTER ({_BOTH_30D})",
    "models_compared_all_time": f"count(*) FILTER ({_BOTH_ALL_TIME})",
    "downloads_all_time_rises": f"sum({_GROWN}) FILTER ({_BOTH_ALL_TIME} AND {_GROWN} > 0)",
    "downloads_all_time_falls": f"sum(-({_GROWN})) FILTER ({_BOTH_ALL_TIME} AND {_GROWN} < 0)",
    "models_fallen_all_time": f"count(*) FILTER ({_BOTH_ALL_TIME} AND {_GROWN} < 0)",
}


def snapshot_counts(con: duckdb.DuckDBPyConnection, records: str) -> dict[str, int]:
    """Counts for the ledger, over the models of this snapshot and of the previous one.

    `records`: SQL of the snapshot's records, with the column `declares`.
    """
    chosen = ", ".join(f"coalesce({sql}, 0)::BIGINT" for sql in COUNTS.values())
    row = con.execute(f"SELECT {chosen} FROM history_counters").fetchall()[0]
    # One record is enough; a listing with tags is not read to its end.
    declared = con.execute(f"SELECT 1 FROM ({records}) WHERE declares LIMIT 1").fetchall()
    return {**dict(zip(COUNTS, row, strict=True)), "has_lineage": len(declared)}
