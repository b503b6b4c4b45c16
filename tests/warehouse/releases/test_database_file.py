"""The DuckDB file of a release: a copy of the warehouse, and no byte of unpublished tables."""

from __future__ import annotations

from pathlib import Path

import duckdb

from tests.support.releases import AS_OF, CODE, build_warehouse, small_cards, small_tables
from warehouse.database.duckdb_file import connect
from warehouse.releases.manifest import Audience
from warehouse.releases.stage import stage_release


def stage(database: Path, folder: Path, audience: Audience = "internal") -> None:
    stage_release(
        database,
        folder,
        audience=audience,
        as_of=AS_OF,
        code=CODE,
        sample=False,
        tables=small_tables(),
        source_cards=small_cards(),
    )


def _holding(folder: Path, text: bytes) -> list[str]:
    return [p.name for p in folder.iterdir() if p.is_file() and text in p.read_bytes()]


def test_no_byte_of_a_release_has_a_value_of_an_unpublished_table(tmp_path: Path) -> None:
    database = build_warehouse(tmp_path / "wh.duckdb")
    with connect(database) as con:
        con.execute("INSERT INTO unpublished.raw.refused VALUES ('unpublished-value')")
        con.execute("INSERT INTO raw.figures VALUES ('9.9', 'published-value', 1)")
    stage(database, tmp_path / "release")
    assert "wh.duckdb.unpublished" in _holding(tmp_path, b"unpublished-value")
    assert _holding(tmp_path / "release", b"unpublished-value") == []
    assert "observatory.duckdb" in _holding(tmp_path / "release", b"published-value")


def test_no_byte_of_an_older_warehouse_with_all_tables_in_one_file_is_copied(
    tmp_path: Path,
) -> None:
    database = build_warehouse(tmp_path / "wh.duckdb")
    with connect(database) as con:
        con.execute("CREATE TABLE raw.refused AS SELECT 'unpublished-value' AS record")
        con.execute("CREATE TABLE mine AS SELECT 'dropped-value' AS a; CHECKPOINT; DROP TABLE mine")
        con.execute("DROP VIEW main.build_id")
    stage(database, tmp_path / "release")
    for text in (b"unpublished-value", b"dropped-value"):
        assert "wh.duckdb" in _holding(tmp_path, text)
        assert _holding(tmp_path / "release", text) == []


def test_the_duckdb_file_of_a_complete_release_is_a_copy_of_the_warehouse(tmp_path: Path) -> None:
    database = build_warehouse(tmp_path / "wh.duckdb", models=130_000)
    blocks = []
    audiences: tuple[Audience, ...] = ("internal", "public")
    for audience in audiences:
        stage(database, tmp_path / audience, audience)
        with duckdb.connect(str(tmp_path / audience / "observatory.duckdb"), read_only=True) as con:
            con.execute(f"ATTACH '{database}' AS built (READ_ONLY)")
            query = """FROM pragma_storage_info('{}core.counts')
                SELECT row_group_id, column_name, block_id WHERE block_id >= 0 ORDER BY ALL"""
            blocks += [con.execute(query.format(place)).fetchall() for place in ("", "built.")]
            query = "FROM duckdb_views() SELECT database_name WHERE NOT internal"
            assert con.execute(query).fetchall() == [("built",)]
    assert blocks[0] == blocks[1]
    assert blocks[2] != blocks[3]  # else this test could not fail
