"""The complete trace of one row, as plain values ready for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from flows.reports.query import rows_of
from flows.tracing.contributions import SHARES, Contributions, contributions, seeds
from flows.tracing.find_row import TracedRow, find_row, tables_in
from flows.tracing.records import Records
from flows.tracing.upstream import UpstreamTable, upstream_tables
from warehouse.archive.archive import Archive
from warehouse.code_version import code_version
from warehouse.contracts.table import contracts
from warehouse.contracts.usage_warnings import warnings
from warehouse.database.duckdb_file import open_read_only

SNAPSHOTS = """
SELECT snapshot_id, url, retrieved_at, license, redistribution, citation, sidecar_sha256, is_sample
FROM meta.snapshots ORDER BY snapshot_id
"""


def trace(
    warehouse: Path, archive: Path | None, table: str, key: list[str], limit: int
) -> dict[str, Any]:
    """Where one row of a warehouse or release file comes from.

    Without an archive the trace ends at the snapshots. Raises WarehouseError, UnknownTableError,
    TraceError.
    """
    with open_read_only(warehouse) as con:
        target = find_row(con, table, key)
        found = contributions(con, target, limit) if _has_counters(con) else None
        behind = upstream_tables(con, target, seeds(found, target.row), limit)
        records = Records(Archive(archive) if archive and archive.is_dir() else None)
        sources = {
            v.table: records.of(v.table, v.first) for v in behind if v.table.startswith("raw.")
        }
        if target.contract.layer == "raw":
            sources[target.contract.table] = records.of(target.contract.table, [target.row])
        return {
            **_described(target),
            "contributions": _contributions(target, found),
            "behind": [vars(v) for v in behind],
            "records": [
                {**vars(s), "shown_by": s.shown_by()} for found in sources.values() for s in found
            ],
            "snapshots": _snapshots(con, target, behind),
            **_made_by(con),
        }


def _has_counters(con: duckdb.DuckDBPyConnection) -> bool:
    needed = {"hub_daily_counters", "hub_counter_spikes", "hub_models", "hub_model_roots"}
    needed |= {"namespaces", "labs"}
    return {f"core.{name}" for name in needed} <= tables_in(con)


def _described(target: TracedRow) -> dict[str, Any]:
    """The row with the meaning of each value, and the warnings of its table."""
    contract = target.contract
    columns = {
        name: {"value": target.row[name], "unit": c.unit, "meaning": c.description}
        for name, c in contract.columns.items()
        if name in target.row
    }
    return {
        "table": contract.table,
        "description": contract.description,
        "grain": contract.grain,
        "key": {c: target.row[c] for c in contract.key},
        "columns": columns,
        "warnings": {code: warnings()[code].model_dump() for code in contract.warnings},
    }


def _contributions(target: TracedRow, found: Contributions | None) -> dict[str, Any] | None:
    if found is None:
        return None
    row = target.row
    credited = row[SHARES[target.contract.table]]
    return {
        "definition": f"numerator = {row['metric']} of the models of population "
        f"{row['population']} that credit {credited} by {row['attribution']}, "
        f"{row.get('credit', 'fractional')} credit; share = numerator / denominator",
        "numerator": row["numerator"],
        "denominator": row["denominator"],
        "summed_anew": found.total,
        "agrees": abs(found.total - row["numerator"]) <= 1e-6 * max(1.0, abs(row["numerator"])),
        "models": found.models,
        "largest": found.largest.to_dicts(),
    }


def _snapshots(
    con: duckdb.DuckDBPyConnection, target: TracedRow, behind: list[UpstreamTable]
) -> list[dict[str, Any]]:
    """Snapshots of the traced raw rows, and all of the sources of tables read as a whole."""
    named, whole = set(), set[str]()
    for one in (*behind, UpstreamTable(target.contract.table, (), 1, (), [dict(target.row)])):
        if one.table.startswith("raw."):
            named |= {r["snapshot_id"] for r in one.first if r.get("snapshot_id")}
            whole |= set(contracts()[one.table].license_inputs) if one.rows is None else set()
    return [
        s | {"is_traced": s["snapshot_id"] in named}
        for s in rows_of(con, SNAPSHOTS)
        if s["snapshot_id"] in named or s["snapshot_id"].split("/")[0] in whole
    ]


def _made_by(con: duckdb.DuckDBPyConnection) -> Mapping[str, Any]:
    """Code and date of the build, and the release that the file belongs to, if any."""
    released = rows_of(con, "FROM meta.release") if "meta.release" in tables_in(con) else []
    build = rows_of(con, "FROM meta.build")[0]
    return {
        "build": build,
        "release": released[0] if released else None,
        "is_this_code": build["code_digest"] == code_version()["digest"],
    }
