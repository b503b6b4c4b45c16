"""What every parser needs to load raw tables: snapshot columns and the quarantine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import duckdb

from warehouse.contract import literal
from warehouse.snapshot import Snapshot


def snapshot_columns(snapshot: Snapshot) -> str:
    """SQL of the first two columns of every raw table: snapshot_id, snapshot_date."""
    return f"{literal(snapshot.snapshot_id)}, DATE {literal(str(snapshot.snapshot_date))}"


def not_of_type(values: Iterable[tuple[str, str, str]]) -> str:
    """SQL WHEN branches that name the first value not of its type; each is (name, SQL, type)."""
    return " ".join(
        f"WHEN {text} IS NOT NULL AND {_misfit(text, kind)} THEN {literal(f'{name} is no {kind}')}"
        for name, text, kind in values
    )


def _misfit(text: str, kind: str) -> str:
    """A cast that fails; a fraction where a whole number belongs, which a cast would round."""
    fails = f"try_cast({text} AS {kind}) IS NULL"
    if kind == "DOUBLE":  # the contracts promise finite numbers: one infinite cell stops no build
        return f"NOT coalesce(isfinite(try_cast({text} AS DOUBLE)), false)"
    if kind not in ("BIGINT", "INTEGER"):
        return fails
    number = f"try_cast({text} AS DOUBLE)"
    broken = " OR ".join(
        f"contains(({text})::VARCHAR, '{sign}')" for sign in ".eE"
    )  # hardly ever: cheap
    return f"({fails} OR (({broken}) AND coalesce({number} <> trunc({number}), false)))"


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
