"""The whole answer to `why`, as plain values ready for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from flows.reports.headline import rows_of
from flows.tracing.contributions import Contributions, contributions, seeds
from flows.tracing.question import Question, ask, held
from flows.tracing.records import Records
from flows.tracing.walk import Visited, walk
from warehouse.archive.archive import Archive
from warehouse.code_version import code_version
from warehouse.contracts.table import contracts
from warehouse.contracts.usage_warnings import warnings
from warehouse.database.duckdb_file import open_read_only

SNAPSHOTS = """
SELECT snapshot_id, url, retrieved_at, license, redistribution, citation, sidecar_sha256, is_sample
FROM meta.snapshots ORDER BY snapshot_id
"""


def why(
    warehouse: Path, archive: Path | None, table: str, key: list[str], limit: int
) -> dict[str, Any]:
    """Where one row of a warehouse or release file comes from.

    Raises WarehouseError, WhyError. Without an archive the answer ends at the snapshots.
    """
    with open_read_only(warehouse) as con:
        question = ask(con, table, key)
        found = contributions(con, question, limit) if _has_counters(con) else None
        behind = walk(con, question, seeds(found, question.row), limit)
        records = Records(Archive(archive) if archive and archive.is_dir() else None)
        sources = {
            v.table: records.of(v.table, v.first) for v in behind if v.table.startswith("raw.")
        }
        if question.contract.layer == "raw":
            sources[question.contract.table] = records.of(question.contract.table, [question.row])
        return {
            **_told(question),
            "contributions": _contributions(question, found),
            "behind": [vars(v) for v in behind],
            "records": [
                {**vars(s), "shown_by": s.shown_by()} for found in sources.values() for s in found
            ],
            "snapshots": _snapshots(con, question, behind),
            **_made_by(con),
        }


def _has_counters(con: duckdb.DuckDBPyConnection) -> bool:
    needed = {"hub_daily_counters", "hub_counter_spikes", "hub_models", "hub_model_roots"}
    needed |= {"namespaces", "labs"}
    return {f"core.{name}" for name in needed} <= held(con)


def _told(question: Question) -> dict[str, Any]:
    """The row, what each value means, and what may mislead."""
    contract = question.contract
    columns = {
        name: {"value": question.row[name], "unit": c.unit, "meaning": c.description}
        for name, c in contract.columns.items()
        if name in question.row
    }
    return {
        "table": contract.table,
        "description": contract.description,
        "grain": contract.grain,
        "key": {c: question.row[c] for c in contract.key},
        "columns": columns,
        "warnings": {code: warnings()[code].model_dump() for code in contract.warnings},
    }


def _contributions(question: Question, found: Contributions | None) -> dict[str, Any] | None:
    if found is None:
        return None
    row = question.row
    whom = (
        row.get("country_code") if question.contract.name.startswith("country") else row["lab_id"]
    )
    return {
        "definition": f"numerator = {row['metric']} of the models of population "
        f"{row['population']} that credit {whom} by {row['attribution']}, "
        f"{row.get('credit', 'fractional')} credit; share = numerator / denominator",
        "numerator": row["numerator"],
        "denominator": row["denominator"],
        "summed_anew": found.total,
        "agrees": abs(found.total - row["numerator"]) <= 1e-6 * max(1.0, abs(row["numerator"])),
        "models": found.models,
        "largest": found.largest.to_dicts(),
    }


def _snapshots(
    con: duckdb.DuckDBPyConnection, question: Question, behind: list[Visited]
) -> list[dict[str, Any]]:
    """Snapshots of the traced raw rows; of tables read as a whole, every one of their sources."""
    named, whole = set(), set[str]()
    for one in (*behind, Visited(question.contract.table, (), 1, (), [dict(question.row)])):
        if one.table.startswith("raw."):
            named |= {r["snapshot_id"] for r in one.first if r.get("snapshot_id")}
            whole |= set(contracts()[one.table].license_inputs) if one.rows is None else set()
    kept = rows_of(con, SNAPSHOTS)
    return [
        s | {"is_traced": s["snapshot_id"] in named}
        for s in kept
        if s["snapshot_id"] in named or s["snapshot_id"].split("/")[0] in whole
    ]


def _made_by(con: duckdb.DuckDBPyConnection) -> Mapping[str, Any]:
    """Code and clock of the build; the release, where the file belongs to one."""
    released = rows_of(con, "FROM meta.release") if "meta.release" in held(con) else []
    build = rows_of(con, "FROM meta.build")[0]
    return {
        "build": build,
        "release": released[0] if released else None,
        "is_this_code": build["code_digest"] == code_version()["digest"],
    }
