"""Other readers of a release: five for Parquet, DuckDB over HTTP.

Five readers must see the same values; the oldest supported DuckDB is one, one is JavaScript.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

from tests.support.ranges import asked_bytes, python_with, ranges
from tests.support.releases import AS_OF, CODE, build_warehouse, small_cards, small_tables
from warehouse.database import build_files, duckdb_file
from warehouse.releases.stage import stage_release

ALLOWED = {"BOOLEAN", "INT32", "INT64", "DOUBLE", "BYTE_ARRAY"}
LOGICAL = {"NONE", "DATE", "STRING", "TIMESTAMP", "INT"}
ENCODINGS = {"PLAIN", "PLAIN_DICTIONARY", "RLE", "RLE_DICTIONARY"}
DATA_PAGE, DICTIONARY_PAGE = 0, 2  # page types of the format; 3 is a V2 data page
EPOCH = datetime(1970, 1, 1)
# The edges of what the types hold, and names that break what trusts them.
EXTREMES: list[tuple[Any, ...]] = [
    (date(1900, 1, 1), "", datetime(1969, 12, 31, 23, 59, 59, 999999), None, None),
    (date(2026, 8, 15), "\u4e2d\u6587 \U0001f600 \u202e \x00", datetime(2026, 8, 15), 0, False),
    (date(9999, 12, 31), 'a,b\n"c"\t\'', datetime(2262, 4, 11, 1, 2, 3, 4), 2**63 - 1, True),
    (date(2026, 8, 15), "x" * 70_000, datetime(2026, 8, 15, 12), -(2**63), True),
]


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release whose core.counts has more than one row group and extreme values."""
    folder = tmp_path_factory.mktemp("readers")
    warehouse = build_warehouse(folder / "wh.duckdb", models=125_000)
    with duckdb.connect(str(warehouse)) as con:
        con.executemany("INSERT INTO core.counts VALUES (?, ?, ?, ?, ?)", EXTREMES)
    stage_release(
        warehouse, folder / "out", audience="internal", as_of=AS_OF, code=CODE, sample=False,
        tables=small_tables(), source_cards=small_cards(),
    )  # fmt: skip
    return folder / "out"


# --- what is in the files --------------------------------------------------------------------


def test_every_file_has_only_allowed_types_encodings_and_pages(release: Path) -> None:
    files = sorted(release.glob("*.parquet"))
    assert len(files) == 3
    for path in files:
        footer = pq.read_metadata(path)
        assert footer.format_version == "1.0"
        for i in range(footer.num_row_groups):
            assert footer.row_group(i).num_rows <= 122_880
            for c in range(footer.num_columns):
                chunk, column = footer.row_group(i).column(c), footer.schema.column(c)
                assert chunk.physical_type in ALLOWED
                assert column.logical_type.type in LOGICAL
                assert "isSigned=false" not in str(column.logical_type)
                assert (column.max_repetition_level, chunk.compression) == (0, "ZSTD")
                assert set(chunk.encodings) <= ENCODINGS
                assert page_type(path, chunk.data_page_offset) == DATA_PAGE
                if chunk.dictionary_page_offset:
                    assert page_type(path, chunk.dictionary_page_offset) == DICTIONARY_PAGE
    counts = pq.read_metadata(release / "core.counts.parquet")
    assert counts.num_row_groups > 1


def test_the_page_check_recognizes_a_v2_page(tmp_path: Path, release: Path) -> None:
    table = pq.read_table(release / "mart.by_country.parquet")
    pq.write_table(table, tmp_path / "v2.parquet", data_page_version="2.0", use_dictionary=False)
    chunk = pq.read_metadata(tmp_path / "v2.parquet").row_group(0).column(0)
    assert page_type(tmp_path / "v2.parquet", chunk.data_page_offset) == 3


def page_type(path: Path, offset: int) -> int:
    """The first field of a page's header: thrift compact, field 1, a zigzag integer."""
    with path.open("rb") as stream:
        stream.seek(offset)
        field, value = stream.read(2)
    assert field == 0x15
    return value >> 1


# --- every reader sees the same --------------------------------------------------------------


def by_duckdb(path: Path) -> list[tuple[Any, ...]]:
    """The rows as the locked DuckDB reads them, sorted in Python."""
    return ordered(duckdb.connect().execute("FROM read_parquet(?)", [str(path)]).fetchall())


def ordered(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return sorted(rows, key=lambda row: [(v is not None, str(v)) for v in row])


def test_pyarrow_polars_and_pandas_read_what_was_written(release: Path) -> None:
    for path in release.glob("*.parquet"):
        wanted = by_duckdb(path)
        arrow = pq.read_table(path).to_pylist()
        assert ordered([tuple(row.values()) for row in arrow]) == wanted
        assert ordered(pl.read_parquet(path).rows()) == wanted
        frame = pd.read_parquet(path, dtype_backend="pyarrow")
        columns = [frame[c].array._pa_array.to_pylist() for c in frame]
        assert ordered(list(zip(*columns, strict=True))) == wanted


def test_rows_are_sorted_by_the_key(release: Path) -> None:
    rows = pl.read_parquet(release / "core.counts.parquet", columns=["day", "model"]).rows()
    assert rows == sorted(rows, key=lambda r: (r[0], r[1].encode()))


OLDEST = """
import json, sys, duckdb
query = "SELECT to_json(t)::VARCHAR FROM read_parquet(?) AS t"
rows = duckdb.connect().execute(query, [sys.argv[1]])
print(json.dumps([duckdb.__version__, sorted(r for (r,) in rows.fetchall())]))
"""


def test_the_oldest_supported_duckdb_reads_the_same(release: Path) -> None:
    folder = os.environ.get("OBSERVATORY_DUCKDB_OLDEST")
    if not folder:
        pytest.skip("OBSERVATORY_DUCKDB_OLDEST names no folder (.ci/run installs it)")
    for name in ("mart.by_country", "core.counts"):
        path = release / f"{name}.parquet"
        version, rows = json.loads(python_with(folder, OLDEST, path))
        assert version.startswith("1.4.")
        now = duckdb.connect().execute(
            "SELECT to_json(t)::VARCHAR FROM read_parquet(?) AS t", [str(path)]
        )
        assert rows == sorted(r for (r,) in now.fetchall())


def test_a_javascript_reader_reads_the_same(release: Path) -> None:
    folder = os.environ.get("OBSERVATORY_WITH_NODE")
    if not folder or not shutil.which("node"):
        pytest.skip("no node, or OBSERVATORY_WITH_NODE names no folder (.ci/run installs it)")
    paths = [release / f"{name}.parquet" for name in ("mart.by_country", "core.counts")]
    done = subprocess.run(
        ["node", "read.mjs", *map(str, paths)],
        cwd=folder, capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout)
    for path in paths:
        kinds = dict(zip(pq.read_schema(path).names, pq.read_schema(path).types, strict=True))
        rows = [
            tuple(_told(row[c], str(kind)) for c, kind in kinds.items()) for row in found[str(path)]
        ]
        assert ordered(rows) == ordered([tuple(map(_cut, row)) for row in by_duckdb(path)])


def _told(value: Any, kind: str) -> Any:
    """JavaScript's JSON as Python values: dates and times as ISO text, large integers as text."""
    if value is None or kind in ("string", "bool", "double"):
        return value
    if kind.startswith("date"):
        return value[:10]
    return value[:23] if kind.startswith("timestamp") else int(value)


def _cut(value: Any) -> Any:
    """A time in JavaScript's precision: milliseconds, truncated towards 1970."""
    if isinstance(value, datetime):
        micros = (value - EPOCH) // timedelta(microseconds=1)
        cut = EPOCH + timedelta(milliseconds=abs(micros) // 1000 * (1 if micros > 0 else -1))
        return cut.isoformat(timespec="milliseconds")
    return value.isoformat() if isinstance(value, date) else value


# --- the DuckDB file over HTTP ---------------------------------------------------------------


@pytest.fixture
def served(release: Path) -> Iterator[tuple[str, list[str]]]:
    """The address of the DuckDB file, and the requested ranges."""
    with ranges(release) as (address, asked):
        yield f"{address}/observatory.duckdb", asked


OVER_HTTP = """
import glob, json, sys, duckdb
con = duckdb.connect()
(extension,) = glob.glob(sys.argv[1] + "/**/httpfs.duckdb_extension", recursive=True)
con.execute("LOAD '" + extension + "'")
con.execute("ATTACH '" + sys.argv[2] + "' AS observatory (READ_ONLY)")
one = lambda sql: con.execute(sql).fetchall()
try:
    one("CREATE TABLE observatory.mart.x (y INTEGER)")
    refused = ""
except duckdb.Error as error:
    refused = str(error)
print(json.dumps([one("FROM observatory.mart.by_country SELECT count(*), sum(n_models)"),
    one("SELECT comment FROM duckdb_tables() WHERE table_name = 'by_country'"), refused]))
"""


def test_the_duckdb_file_is_attached_over_http(
    release: Path, served: tuple[str, list[str]]
) -> None:
    folder = os.environ.get("OBSERVATORY_DUCKDB_HTTPFS")
    if not folder:
        pytest.skip("OBSERVATORY_DUCKDB_HTTPFS names no folder (.ci/run installs it)")
    url, asked = served
    rows, comment, refused = json.loads(python_with(folder, OVER_HTTP, folder, url))
    assert rows == [[4, 1773]]
    assert comment[0][0].startswith("Models by country, from two sources.")
    assert "read-only" in refused
    size = (release / "observatory.duckdb").stat().st_size
    assert 0 < asked_bytes(asked) < size  # what the query needs, not the file


# --- readers while builds swap in ------------------------------------------------------------

QUERIES, BUILDS = 10_000, 10
LOOP = """
import sys, duckdb
seen, wrong = {}, 0
query = "SELECT min(turn), max(turn), count(*) FROM mart.t"
for n in range(int(sys.argv[2])):
    if n % 10 == 0:  # a dashboard opens the file sometimes and runs several queries
        con = duckdb.connect(sys.argv[1], read_only=True)
    first, last, rows = con.execute(query).fetchone()
    if n % 10 == 9:
        con.close()
    wrong += first != last or rows != 1000
    seen[first] = seen.get(first, 0) + 1
    if n % 100 == 0:
        print(n, flush=True)
print(wrong, len(seen), sum(seen.values()))
"""


def _build(path: Path, turn: int) -> Path:
    with duckdb_file.create(path, {}) as con:
        con.execute(f"CREATE TABLE mart.t AS SELECT {turn} AS turn FROM range(1000)")
    return path


@pytest.mark.slow
@pytest.mark.exhaustive
def test_ten_thousand_queries_succeed_while_ten_builds_swap_in(tmp_path: Path) -> None:
    warehouse = _build(tmp_path / "observatory.duckdb", 0)
    with subprocess.Popen(
        [sys.executable, "-c", LOOP, str(warehouse), str(QUERIES)],
        stdout=subprocess.PIPE, text=True,
    ) as reader:  # fmt: skip
        assert reader.stdout is not None
        turn = 0
        for line in reader.stdout:
            said = line.split()
            if len(said) == 3:
                break
            if int(said[0]) >= (turn + 1) * QUERIES // (BUILDS + 1):
                turn += 1
                build_files.swap_in(_build(build_files.build_path(warehouse), turn), warehouse)
    assert reader.returncode == 0
    assert said == ["0", str(BUILDS + 1), str(QUERIES)]
