"""`catalog.duckdb`: the release's tables as views of its Parquet files, from anywhere."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.support.ranges import asked_bytes, python_with, ranges
from warehouse.publishing.upload import upload
from warehouse.releases.catalog_file import is_catalog, write_catalog
from warehouse.releases.manifest import CATALOG, DATABASE, MANIFEST, Manifest, parse_manifest
from warehouse.storage.local import LocalStorage

PUBLIC = "https://observatory.example/data"


@pytest.fixture(scope="module")
def release(sampled: tuple[Path, str]) -> Path:
    return sampled[0] / "published" / "latest"


def manifest_of(folder: Path) -> Manifest:
    return parse_manifest((folder / MANIFEST).read_bytes(), str(folder))


@pytest.fixture
def both(release: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The full file and the catalog, side by side."""
    with duckdb.connect() as con:
        con.execute(f"ATTACH '{release / DATABASE}' AS whole (READ_ONLY)")
        con.execute(f"ATTACH '{release / CATALOG}' AS catalog (READ_ONLY)")
        con.execute(f"SET VARIABLE observatory = '{release}'")
        yield con


def test_every_table_has_the_same_columns_and_comments(both: duckdb.DuckDBPyConnection) -> None:
    columns = """FROM duckdb_columns()
        SELECT schema_name, table_name, column_name, data_type, comment
        WHERE database_name = ? AND schema_name IN ('raw', 'core', 'mart', 'latest') ORDER BY ALL"""
    whole, catalog = (both.execute(columns, [name]).fetchall() for name in ("whole", "catalog"))
    assert catalog == whole
    assert len(catalog) > 1000
    macros = """FROM duckdb_functions() SELECT DISTINCT schema_name, function_name, comment
        WHERE database_name = ? AND NOT internal ORDER BY ALL"""
    whole, catalog = (both.execute(macros, [name]).fetchall() for name in ("whole", "catalog"))
    assert catalog == whole
    assert len(catalog) >= 9


def test_every_view_has_the_rows_of_its_table(
    both: duckdb.DuckDBPyConnection, release: Path
) -> None:
    names = [table.name for table in manifest_of(release).tables]
    latest = "FROM duckdb_views() SELECT view_name WHERE database_name = 'catalog'"
    found = both.execute(f"{latest} AND schema_name = 'latest'").fetchall()
    names += [f"latest.{name}" for (name,) in found]
    assert len(names) > 90
    for name in names:
        n = f"(SELECT count(*) FROM whole.{name}), (SELECT count(*) FROM catalog.{name})"
        more, less = (f"(FROM {a}.{name} EXCEPT ALL FROM {b}.{name})"
                      for a, b in (("whole", "catalog"), ("catalog", "whole")))  # fmt: skip
        rows = both.execute(
            f"SELECT {n}, (SELECT count(*) FROM {more}), (SELECT count(*) FROM {less})"
        ).fetchall()
        assert rows[0][0] == rows[0][1], name
        assert rows[0][2:] == (0, 0), name


def test_macros_answer_as_in_the_whole_file(both: duckdb.DuckDBPyConnection) -> None:
    asked = (
        "FROM mart.leader_on('text', DATE '2026-06-26') ORDER BY ALL",
        "FROM mart.derived_from('Qwen/Qwen2.5-VL-3B-Instruct') ORDER BY ALL",
        "FROM meta.why('mart.country_share_daily', 'country_code = ''CN''') ORDER BY ALL",
        "FROM mart.as_of(DATE '2026-08-15') ORDER BY ALL",
    )
    for query in asked:
        both.execute("USE whole")
        whole = both.execute(query).fetchall()
        both.execute("USE catalog")
        assert both.execute(query).fetchall() == whole, query
        assert whole


def test_without_a_variable_it_reads_the_current_folder(
    release: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(release)
    with duckdb.connect(CATALOG, read_only=True) as con:
        assert con.execute("SELECT count(*) FROM mart.labs").fetchall()[0][0] > 1000


def test_it_is_small(release: Path) -> None:
    assert (release / CATALOG).stat().st_size < 600_000
    assert (release / CATALOG).stat().st_size < (release / DATABASE).stat().st_size / 20


def test_a_second_publisher_reuses_the_catalog_that_is_there(release: Path, tmp_path: Path) -> None:
    """The bytes of a DuckDB file differ between runs; the manifest names those that are stored."""
    mine = tmp_path / "mine"
    shutil.copytree(release, mine)
    manifest, storage = manifest_of(release), LocalStorage(tmp_path / "place")
    storage.put_file(f"releases/{manifest.release_id}/{CATALOG}", release / CATALOG)
    (mine / CATALOG).unlink()
    write_catalog(mine, manifest)
    entries = {e.path: e for e in manifest.files}
    data = (mine / CATALOG).read_bytes()
    update = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    entries[CATALOG] = entries[CATALOG].model_copy(update=update)
    changed = manifest.model_copy(update={"files": tuple(entries.values()), "shared": ()})
    sent = upload(mine, changed, storage)
    stored = {e.path: e for e in sent.manifest.files}[CATALOG]
    assert stored.sha256 == hashlib.sha256((release / CATALOG).read_bytes()).hexdigest()
    assert CATALOG in sent.reused


@pytest.mark.parametrize("content", [b"", b"not a database", None])
def test_what_is_no_catalog_is_not_taken_for_one(
    release: Path, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / CATALOG
    if content is None:
        duckdb.connect(str(file)).close()
    else:
        file.write_bytes(content)
    assert not is_catalog(file, manifest_of(release))
    assert is_catalog(release / CATALOG, manifest_of(release))


# --- over HTTP -----------------------------------------------------------------------------------

ATTACHED = """
import glob, json, sys, duckdb
con = duckdb.connect()
(extension,) = glob.glob(sys.argv[1] + "/**/httpfs.duckdb_extension", recursive=True)
con.execute("LOAD '" + extension + "'")
for statement in sys.argv[3:-1]:
    con.execute(statement)
con.execute("ATTACH '" + sys.argv[2] + "' AS observatory (READ_ONLY)")
con.execute("USE observatory")
print(json.dumps(con.execute(sys.argv[-1]).fetchall(), default=str))
"""
QUESTIONS = (
    "FROM mart.country_share_daily SELECT max(as_of_date), count(*)",
    "FROM latest.arena_leaders SELECT count(*)",
    "FROM mart.leader_on('text', DATE '2026-06-26') SELECT country_name",
)


def httpfs() -> str:
    folder = os.environ.get("OBSERVATORY_DUCKDB_HTTPFS")
    if not folder:
        pytest.skip("OBSERVATORY_DUCKDB_HTTPFS names no folder (.ci/run installs it)")
    return folder


def local(release: Path, query: str) -> Any:
    with duckdb.connect(str(release / DATABASE), read_only=True) as con:
        return json.loads(json.dumps(con.execute(query).fetchall(), default=str))


def test_it_is_attached_over_http_and_reads_the_release_it_belongs_to(
    release: Path, tmp_path: Path
) -> None:
    """By the release's own address, which the catalog has; only what a query needs is fetched."""
    folder, manifest = httpfs(), manifest_of(release)
    place = tmp_path / "releases" / manifest.release_id
    place.parent.mkdir()
    shutil.copytree(release, place)
    (place / CATALOG).unlink()
    with ranges(tmp_path) as (address, asked):
        write_catalog(place, manifest, address)
        whole = sum(path.stat().st_size for path in place.glob("*.parquet"))
        for query in QUESTIONS:
            url = f"{address}/releases/{manifest.release_id}/{CATALOG}"
            asked.clear()
            rows = json.loads(python_with(folder, ATTACHED, folder, url, query))
            assert rows == local(release, query)
            assert 0 < asked_bytes(asked) < whole / 2


def test_a_variable_names_another_place(release: Path) -> None:
    folder = httpfs()
    with ranges(release) as (address, _):
        where = f"SET VARIABLE observatory = '{address}'"
        for query in QUESTIONS:
            found = python_with(folder, ATTACHED, folder, f"{address}/{CATALOG}", where, query)
            assert json.loads(found) == local(release, query)
