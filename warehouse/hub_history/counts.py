"""Counts of one snapshot for the ledger: models that are new, left, returned or unchanged."""

from __future__ import annotations

import duckdb

from warehouse.hub_history.files import HAS_30D, HAS_ALL_TIME, LISTED

HUNDRED = 100  # downloads: most counters below it do not change on any day


def snapshot_counts(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Counts for the ledger, over the models of this snapshot and of the previous one."""
    has_counter = LISTED | HAS_30D
    both = f"(status & status_before & {has_counter}) = {has_counter}"
    hundred = f"{both} AND downloads_30d_before >= {HUNDRED}"
    sums = f"(status & status_before & {LISTED | HAS_ALL_TIME}) = {LISTED | HAS_ALL_TIME}"
    grown = "downloads_all_time - downloads_all_time_before"
    counts = {
        "keys": "max(model_key)",
        "models": f"count(*) FILTER (status & {LISTED} > 0)",
        "models_before": f"count(*) FILTER (status_before & {LISTED} > 0)",
        "models_new": "count(*) FILTER (is_new)",
        "models_left": f"count(*) FILTER (status_before & {LISTED} > 0 AND status & {LISTED} = 0)",
        "models_returned": f"""count(*) FILTER (NOT is_new
            AND status_before & {LISTED} = 0 AND status & {LISTED} > 0)""",
        "models_compared": f"count(*) FILTER ({both})",
        "models_unchanged": f"count(*) FILTER ({both} AND downloads_30d = downloads_30d_before)",
        "models_compared_100": f"count(*) FILTER ({hundred})",
        "models_unchanged_100": f"""count(*) FILTER ({hundred}
            AND downloads_30d = downloads_30d_before)""",
        "downloads_30d": f"sum(downloads_30d) FILTER (status & {has_counter} = {has_counter})",
        "downloads_30d_compared": f"sum(downloads_30d) FILTER ({both})",
        "downloads_30d_compared_before": f"sum(downloads_30d_before) FILTER ({both})",
        "models_compared_all_time": f"count(*) FILTER ({sums})",
        "downloads_all_time_rises": f"sum({grown}) FILTER ({sums} AND {grown} > 0)",
        "downloads_all_time_falls": f"sum(-({grown})) FILTER ({sums} AND {grown} < 0)",
        "models_fallen_all_time": f"count(*) FILTER ({sums} AND {grown} < 0)",
    }
    chosen = ", ".join(f"coalesce({sql}, 0)::BIGINT" for sql in counts.values())
    row = con.execute(f"SELECT {chosen} FROM history_counters").fetchall()[0]
    changed = con.execute("SELECT count(*) FROM history_changes").fetchall()[0][0]
    # One record is enough; a listing with tags is not read to its end.
    declared = con.execute("SELECT 1 FROM history_listing WHERE declares LIMIT 1").fetchall()
    return {
        **dict(zip(counts, row, strict=True)),
        "models_changed": changed,
        "has_lineage": len(declared),
    }
