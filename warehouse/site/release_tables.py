"""Read access of the page to the tables of one release."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import polars as pl

from warehouse.contracts.table import contract
from warehouse.database import read_files
from warehouse.database.duckdb_file import connect


class Tables:
    """The tables of one released DuckDB file."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._con = con
        query = "FROM duckdb_tables() SELECT schema_name || '.' || table_name"
        query += " WHERE database_name = 'released'"
        self.names = {name for (name,) in con.execute(query).fetchall()}

    def holds(self, table: str) -> bool:
        """Whether the release has the table. A license may exclude it."""
        return table in self.names

    def read(self, table: str, condition: str = "true") -> pl.DataFrame:
        """Rows of a table, sorted by its key; no rows if the release lacks the table."""
        columns = contract(table)
        if not self.holds(table):
            return columns.polars_schema.to_frame()
        query = f"FROM {columns.sql_name} WHERE {condition}"
        return self._con.sql(query).pl().sort(columns.key)

    def select(self, table: str, columns: Sequence[str], rest: str) -> pl.DataFrame:
        """Some columns of a large table, and only the rows that `rest` (SQL) leaves, in its order.

        No rows if the release lacks the table.
        """
        promised = contract(table)
        if not self.holds(table):
            return promised.polars_schema.to_frame().select(columns)
        return self._con.sql(f"FROM {promised.sql_name} SELECT {', '.join(columns)} {rest}").pl()

    def n_rows(self, table: str, condition: str) -> int:
        """The number of rows that meet a condition; 0 without the table."""
        if not self.holds(table):
            return 0
        query = f"FROM {contract(table).sql_name} SELECT count(*) WHERE {condition}"
        return int(self._con.sql(query).fetchall()[0][0])

    def count(self, table: str, column: str) -> list[tuple[str, int]]:
        """Number of rows per value of a column, largest first; empty without the table."""
        if not self.holds(table):
            return []
        query = f"FROM {contract(table).sql_name} SELECT {column}, count(*) GROUP BY ALL"
        return self._con.sql(f"{query} ORDER BY 2 DESC, 1").fetchall()


@contextmanager
def released(database: Path) -> Iterator[Tables]:
    """The tables of a released file, opened read-only."""
    with connect() as con:
        con.execute(f"ATTACH {read_files.database(database)} AS released (READ_ONLY)")
        con.execute("USE released")
        yield Tables(con)
