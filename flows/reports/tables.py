"""The tables of a warehouse and their columns, as their contracts describe them."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from flows.reports.query import rows_of
from warehouse.contracts.table import Contract, contracts
from warehouse.database.duckdb_file import open_read_only

SHOWN = 12


class UnknownTableError(ValueError):
    """No table, or more than one, has this name; the message lists similar names."""


def tables_of(warehouse: Path) -> list[dict[str, Any]]:
    """One record per table, results first: rows in the warehouse, grain, description."""
    order = ("mart", "core", "meta", "raw")
    known = sorted(
        contracts().values(), key=lambda c: (order.index(c.table.split(".")[0]), c.table)
    )
    with open_read_only(warehouse) as con:
        return [
            {
                "table": c.table,
                "rows": rows_of(con, f"SELECT count(*) AS n FROM {c.sql_name}")[0]["n"],
                "grain": c.grain,
                "description": c.description,
            }
            for c in known
            if c.table != "meta.release"
        ]


def describe_table(name: str) -> dict[str, Any]:
    """One table with its columns: type, unit, whether null is allowed, meaning.

    Raises UnknownTableError.
    """
    contract = contract_named(name, contracts())
    return {
        "table": contract.table,
        "description": contract.description,
        "grain": contract.grain,
        "key": list(contract.key),
        "warnings": list(contract.warnings),
        "columns": [
            {
                "column": column,
                "type": about.type,
                "unit": about.unit,
                "nullable": about.nullable,
                "meaning": about.description,
            }
            for column, about in contract.columns.items()
        ],
    }


def contract_named(name: str, present: Collection[str]) -> Contract:
    """The contract of a table, named with or without its layer. Raises UnknownTableError."""
    found = [t for t in contracts() if name in (t, t.split(".")[1])]
    if len(found) == 1:
        return contracts()[found[0]]
    if found:
        raise UnknownTableError(f"several tables are named {name!r}: {listed(found)}")
    near = get_close_matches(name, [*present, *(t.split(".")[1] for t in present)], SHOWN)
    raise UnknownTableError(
        f"no table named {name!r}; "
        + (f"did you mean {listed(near)}?" if near else "`observatory tables` lists them all")
    )


def listed(values: Collection[str]) -> str:
    """The first values, separated by commas."""
    shown = list(values)[:SHOWN]
    return ", ".join(shown) + (", …" if len(values) > SHOWN else "")
