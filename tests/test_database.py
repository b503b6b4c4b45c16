"""The warehouse file's own rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from warehouse.database import WarehouseError, create


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
