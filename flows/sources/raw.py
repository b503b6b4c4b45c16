"""What every parser needs to load raw tables: snapshot columns and the quarantine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import duckdb

from warehouse.archive import Snapshot
from warehouse.contract import literal


def snapshot_columns(snapshot: Snapshot) -> str:
    """SQL of the first two columns of every raw table: snapshot_id, snapshot_date."""
    return f"{literal(snapshot.snapshot_id)}, DATE {literal(str(snapshot.snapshot_date))}"


def not_of_type(values: Iterable[tuple[str, str, str]]) -> str:
    """SQL WHEN branches that name the first value not of its type; each is (name, SQL, type)."""
    return " ".join(
        f"WHEN {text} IS NOT NULL AND try_cast({text} AS {kind}) IS NULL "
        f"THEN {literal(f'{name} is no {kind}')}"
        for name, text, kind in values
    )


def quarantine(
    con: duckdb.DuckDBPyConnection,
    snapshot: Snapshot,
    table: str,
    select: str,
    parameters: Sequence[object] = (),
) -> None:
    """Keeps refused records: `select` gives file, record number, reason and the record's text."""
    con.execute(
        f"""INSERT INTO raw.quarantine
        SELECT {snapshot_columns(snapshot)}, {literal(table)}, * FROM ({select})""",
        list(parameters),
    )
