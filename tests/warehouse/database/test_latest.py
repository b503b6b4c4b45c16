"""The views of the schema `latest`: the newest rows, whatever the file is attached as."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from warehouse.contracts.table import Contract, contracts
from warehouse.database.latest import create_views

VIEWED = [table for table in contracts().values() if table.newest]
ALIAS = "under_another_name"


@pytest.fixture(scope="module")
def reader(
    sampled: tuple[Path, str],
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The sample's release, attached as a reader may do it."""
    file = sampled[0] / "published" / "latest" / "observatory.duckdb"
    with duckdb.connect() as con:
        con.execute(f"ATTACH '{file}' AS {ALIAS} (READ_ONLY)")
        yield con


@pytest.mark.parametrize("table", VIEWED, ids=lambda table: str(table.name))
def test_a_view_has_the_newest_rows_of_its_table(
    reader: duckdb.DuckDBPyConnection, table: Contract
) -> None:
    assert table.newest
    per = f"PARTITION BY {', '.join(table.newest.per)}" if table.newest.per else ""
    date, columns = table.newest.date, ", ".join(f'"{c}"' for c in table.columns)
    wanted = (
        f"SELECT {columns} FROM {ALIAS}.{table.table} QUALIFY {date} = max({date}) OVER ({per})"
    )
    viewed = f"SELECT {columns} FROM {ALIAS}.latest.{table.name}"
    for one, other in ((wanted, viewed), (viewed, wanted)):
        assert reader.sql(f"({one}) EXCEPT ALL ({other})").fetchall() == []


def test_every_mart_with_a_day_has_a_view_with_a_comment(
    reader: duckdb.DuckDBPyConnection,
) -> None:
    dated = {
        t.name
        for t in contracts().values()
        if t.layer == "mart" and t.published and any(t.columns[c].type == "DATE" for c in t.key)
    }
    views = reader.execute(
        "FROM duckdb_views() SELECT view_name, comment WHERE schema_name = 'latest'"
    ).fetchall()
    assert dated <= {name for name, _ in views} == {table.name for table in VIEWED}
    assert all(
        comment.startswith(f"Rows of mart.{name} with the newest") for name, comment in views
    )


def test_views_are_made_again_for_the_tables_that_a_release_has() -> None:
    with duckdb.connect() as con:
        con.execute("CREATE SCHEMA mart")
        table = VIEWED[0]
        con.execute(table.create_sql())
        for _ in range(2):
            create_views(con, [table])
        names = con.execute("FROM duckdb_views() SELECT view_name WHERE NOT internal").fetchall()
        assert names == [(table.name,)]
