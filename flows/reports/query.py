"""Queries on an open warehouse file."""

from __future__ import annotations

from typing import Any

import duckdb

Rows = list[dict[str, Any]]


def rows_of(con: duckdb.DuckDBPyConnection, sql: str, *values: object) -> Rows:
    """The rows of a query by column name."""
    cursor = con.execute(sql, list(values))
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
