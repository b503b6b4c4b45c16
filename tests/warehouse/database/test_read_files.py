"""A path is data: it selects one file, and adds nothing to its rows."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest

from tests.support.imports import ROOT
from tests.support.odd_paths import ODD_NAMES
from warehouse.database import read_files
from warehouse.database.duckdb_file import connect

# Folders that the names would also match as patterns; each holds a file with other rows.
DECOYS = ("a1", "a2", "ab", "a", "b", "overall")


@pytest.fixture
def around(tmp_path: Path) -> Path:
    for name in DECOYS:
        write(tmp_path / name, "decoy")
    return tmp_path


def write(folder: Path, category: str) -> Path:
    folder.mkdir(exist_ok=True)
    with (folder / "rows.parquet").open("wb") as file:
        pl.DataFrame({"category": [category]}).write_parquet(file)
    (folder / "rows.json").write_text(f'[{{"category": "{category}"}}]', "utf-8")
    (folder / "rows.csv").write_text(f"category\n{category}\n", "utf-8")
    return folder


@pytest.mark.parametrize("name", [*ODD_NAMES, "what?", "a?", "[!b]", "[^b]1"], ids=ascii)
def test_a_folder_name_changes_no_rows(around: Path, name: str) -> None:
    folder, other = write(around / name, "overall"), write(around / "plain", "overall")
    for kind in ("parquet", "json"):
        paths = [folder / f"rows.{kind}", other / f"rows.{kind}"]
        for given in (paths[0], str(paths[0]), paths):
            rows = duckdb.sql(f"FROM {getattr(read_files, kind)(given)}")
            assert rows.columns == ["category"]
            assert set(rows.fetchall()) == {("overall",)}
    for frame in (read_files.parquet_frame, read_files.csv_frame):
        assert frame(folder / f"rows.{frame.__name__.split('_')[0]}").to_dict(as_series=False) == {
            "category": ["overall"]
        }


@pytest.mark.parametrize("name", ["~", "a:b", "s3:", ":memory:", "a[1]", "a*", "k=v", "$HOME"])
def test_a_database_is_opened_where_its_path_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Also a relative path: DuckDB expands `~`, and takes `a:b` for an extension's file."""
    monkeypatch.chdir(tmp_path)
    file = Path(name) / "o.duckdb"
    Path(name).mkdir()
    with connect(file) as con:
        con.execute("CREATE TABLE t AS SELECT 1")
    assert (tmp_path / name / "o.duckdb").is_file()
    with connect() as con:
        con.execute(f"ATTACH {read_files.database(file)} AS o (READ_ONLY)")
        assert con.execute("FROM o.t").fetchall() == [(1,)]


# --- nothing else reads files by path -------------------------------------------------------------

READS = r"(read|scan)_(parquet|csv|json|ndjson|blob|delta|ipc|avro|excel|table|pandas)\w*"
IN_SQL = re.compile(
    rf"\b({READS}|read_text|parquet_\w+|glob|sniff_csv)\s*\("
    r"|(?<!DISTINCT )\bFROM\s+'|\bCOPY\s+\S+\s+FROM\b"
)
IN_PYTHON = re.compile(READS)


def bare_reads(source: str) -> Iterator[str]:
    """Calls that read files by path, and SQL that does, with their lines."""
    tree = ast.parse(source)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) not in docstrings and IN_SQL.search(node.value):
                yield f"{node.lineno}: {node.value.strip()[:60]}"
        elif isinstance(node, ast.Attribute) and IN_PYTHON.fullmatch(node.attr):
            yield f"{node.lineno}: {ast.unparse(node)}"


def test_files_are_read_through_one_module() -> None:
    packages = ("flows", "transforms", "expectations", "warehouse", "infra")
    modules = [p for package in packages for p in (ROOT / package).rglob("*.py")]
    found = {
        path.relative_to(ROOT).as_posix(): [*bare_reads(path.read_text("utf-8"))]
        for path in modules
        if path != Path(read_files.__file__)
    }
    assert {where: reads for where, reads in found.items() if reads} == {}
    assert [*bare_reads(Path(read_files.__file__).read_text("utf-8"))]


@pytest.mark.parametrize(
    "line",
    [
        "pl.scan_parquet(path)",
        "con.read_json(path)",
        "reader = pl.read_csv",
        "con.execute('FROM read_parquet(?)', [path])",
        "con.execute(f'FROM parquet_metadata({path})')",
        "con.execute(f\"FROM '{path}'\")",
        "con.execute(f'COPY t FROM {path}')",
        "pq.read_table(path)",
    ],
)
def test_every_form_of_reading_is_found(line: str) -> None:
    assert [*bare_reads(line)]
