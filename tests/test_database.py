"""The warehouse file's own rules."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tests.conftest import ROOT
from warehouse import database
from warehouse.contract import contract
from warehouse.database import WarehouseError, connect, create, scan


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


def test_every_connection_is_in_utc_and_on_the_threads_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OBSERVATORY_DUCKDB_THREADS", "3")
    settings = "SELECT current_setting('TimeZone'), current_setting('threads')"
    with connect() as con:
        assert con.execute(settings).fetchall() == [("UTC", 3)]
        assert con.cursor().execute(settings).fetchall() == [("UTC", 3)]
    monkeypatch.setenv("OBSERVATORY_DUCKDB_THREADS", "many")
    with pytest.raises(WarehouseError, match="OBSERVATORY_DUCKDB_THREADS='many' is no number"):
        connect()


def test_no_module_opens_duckdb_in_the_time_zone_of_its_machine() -> None:
    modules = [p for f in ("flows", "warehouse", "expectations") for p in (ROOT / f).rglob("*.py")]
    opening = {p.name for p in modules if "duckdb.connect(" in p.read_text("utf-8")}
    assert opening == {"database.py"}
