"""A release's own tables, as the page reads them: nothing that the release does not hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import polars as pl

from warehouse.contracts.table import contract, literal
from warehouse.database.duckdb_file import connect


class Tables:
    """The tables of one released DuckDB file."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._con = con
        query = "FROM duckdb_tables() SELECT schema_name || '.' || table_name"
        query += " WHERE database_name = 'released'"
        self.names = {name for (name,) in con.execute(query).fetchall()}

    def holds(self, table: str) -> bool:
        """Whether the release holds the table; a license may have kept it out."""
        return table in self.names

    def read(self, table: str, condition: str = "true") -> pl.DataFrame:
        """Rows of a table, sorted by its key; none of a table that is not there."""
        promised = contract(table)
        if not self.holds(table):
            return promised.polars_schema.to_frame()
        query = f"FROM {promised.sql_name} WHERE {condition}"
        return self._con.sql(query).pl().sort(promised.key)

    def count(self, table: str, column: str) -> list[tuple[str, int]]:
        """Rows by the values of a column, most first; none of a table that is not there."""
        if not self.holds(table):
            return []
        query = f"FROM {contract(table).sql_name} SELECT {column}, count(*) GROUP BY ALL"
        return self._con.sql(f"{query} ORDER BY 2 DESC, 1").fetchall()


@contextmanager
def released(database: Path) -> Iterator[Tables]:
    """The tables of a released file, which is only read."""
    with connect() as con:
        con.execute(f"ATTACH {literal(str(database))} AS released (READ_ONLY)")
        con.execute("USE released")
        yield Tables(con)
