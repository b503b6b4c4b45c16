"""Schema `latest`: a view of the newest rows of each table whose contract says `newest`."""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from warehouse.contracts.table import Contract, Newest, literal, quote

SCHEMA = "latest"


def create_views(con: duckdb.DuckDBPyConnection, tables: Iterable[Contract]) -> None:
    """Creates the views in the current database; they replace earlier ones.

    A view names its table without the database: it finds the table of its own file, also if the
    file is attached under another name.
    """
    statements = [f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"]
    for table in tables:
        if table.published and table.newest:
            view = f"{SCHEMA}.{quote(table.name)}"
            statements += [
                f"CREATE OR REPLACE VIEW {view} AS {_newest_rows(table, table.newest)}",
                f"COMMENT ON VIEW {view} IS {literal(comment(table, table.newest))}",
            ]
    con.execute(";\n".join(statements))


def comment(table: Contract, newest: Newest) -> str:
    """What the view holds."""
    per = f", for each {', '.join(newest.per)}" if newest.per else ""
    return f"Rows of {table.table} with the newest {newest.date}{per}. {table.description}"


def _newest_rows(table: Contract, newest: Newest) -> str:
    last = f"max({quote(newest.date)}) AS {quote(newest.date)}"
    if not newest.per:
        return (
            f"FROM {table.sql_name} WHERE {quote(newest.date)} = "
            f"(SELECT max({quote(newest.date)}) FROM {table.sql_name})"
        )
    per = ", ".join(map(quote, newest.per))
    return (
        f"FROM {table.sql_name} SEMI JOIN (SELECT {per}, {last} FROM {table.sql_name} GROUP BY "
        f"ALL) AS newest USING ({per}, {quote(newest.date)})"
    )
