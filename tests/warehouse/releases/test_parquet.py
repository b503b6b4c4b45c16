"""Parquet files of large tables, with and without a sort."""

from __future__ import annotations

import hashlib
from pathlib import Path

import duckdb
import pytest

from tests.support.releases import build_warehouse, small_tables
from warehouse.releases.parquet import is_in_order, write_table


def test_a_table_stored_in_the_order_of_its_key_gives_the_same_bytes_unsorted(
    tmp_path: Path,
) -> None:
    contract = small_tables()["core.counts"]
    found = {}
    for order in ("day, model", "day DESC, model", "hash(model), day"):
        database = build_warehouse(tmp_path / "wh.duckdb", models=130_000)
        with duckdb.connect(str(database)) as con:
            con.execute(f"CREATE TABLE held AS FROM core.counts ORDER BY {order}")
            con.execute("TRUNCATE core.counts; INSERT INTO core.counts FROM held")
            con.execute("DELETE FROM core.counts WHERE model = 'lab/m7'")
            for threads in (1, 4):
                con.execute(f"SET threads = {threads}")
                path = tmp_path / "out.parquet"
                assert write_table(con, contract, path, "downloads IS NOT NULL") > 100_000
                in_order = is_in_order(con, contract)
                found[(order, threads)] = in_order, hashlib.sha256(path.read_bytes()).hexdigest()
    assert [in_order for in_order, _ in found.values()] == [True, True, *[False] * 4]
    assert len({digest for _, digest in found.values()}) == 1


@pytest.mark.parametrize(
    "fault",
    [
        "INSERT INTO core.counts FROM core.counts SELECT * ORDER BY day DESC, model DESC LIMIT 1",
        "INSERT INTO core.counts FROM core.counts SELECT * LIMIT 1",
        "ALTER TABLE core.counts ALTER model DROP NOT NULL;"
        "UPDATE core.counts SET model = NULL WHERE model = 'lab/m7'",
    ],
    ids=["falls", "key twice", "null"],
)
def test_a_table_is_sorted_unless_every_key_follows_the_one_before(
    tmp_path: Path, fault: str
) -> None:
    contract = small_tables()["core.counts"]
    database = build_warehouse(tmp_path / "wh.duckdb", models=130_000)
    with duckdb.connect(str(database)) as con:
        con.execute("CREATE TABLE held AS FROM core.counts ORDER BY day, model")
        con.execute("TRUNCATE core.counts; INSERT INTO core.counts FROM held")
        assert is_in_order(con, contract)
        con.execute(fault)
        assert not is_in_order(con, contract)
