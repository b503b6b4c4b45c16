"""The warehouse file's own rules."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from warehouse import database
from warehouse.contract import contract
from warehouse.database import WarehouseError, create, scan


def test_a_build_spills_beyond_what_duckdb_may_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OBSERVATORY_DUCKDB_MEMORY", "40MB")
    con = create(tmp_path / "small.duckdb")
    con.execute("CREATE TABLE spilled AS SELECT hash(i)::VARCHAR AS h FROM range(2000000) AS r(i)")
    sorted_and_kept = con.execute("SELECT count(*) FROM (FROM spilled ORDER BY h)").fetchall()
    assert sorted_and_kept == [(2_000_000,)]
    assert con.execute("SELECT current_setting('memory_limit')").fetchall() == [("38.1 MiB",)]
    con.close()
    monkeypatch.setenv("OBSERVATORY_DUCKDB_MEMORY", "a lot")
    with pytest.raises(WarehouseError, match="OBSERVATORY_DUCKDB_MEMORY='a lot' is no amount"):
        create(tmp_path / "other.duckdb")


def test_a_scan_gives_what_is_asked_for_over_any_number_of_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BATCH_ROWS", 2048)
    table = contract("core.countries")
    con = create(tmp_path / "scanned.duckdb")
    frame = scan(con, table)
    assert frame.collect().equals(pl.DataFrame(schema=table.polars_schema))
    code = table.key[0]
    con.execute(
        f"INSERT INTO {table.sql_name} BY NAME SELECT i::VARCHAR AS {code}, "
        + ", ".join(f"'x' AS {c}" for c in table.columns if c != code)
        + " FROM range(10000) AS r(i)"
    )
    number = pl.col(code).cast(pl.Int32)
    assert frame.select(pl.len()).collect().item() == 10_000
    assert frame.head(3_000).select(number.max()).collect().item() == 2_999
    assert frame.filter(number >= 9_990).head(5).collect().height == 5
    assert frame.head(5).filter(number >= 4).collect().height == 1
    assert scan(con, table, f"{code}::INTEGER < 7").collect().height == 7
