"""A release through the driver that the page gives Superset: SQLAlchemy 1.4 with duckdb-engine."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.bi_tools import (
    ONE_DEFINITION,
    PAGE,
    installed,
    local,
    output,
    python_packages,
)
from tests.support.markdown import table_rows
from tests.support.ranges import asked_bytes, ranges
from warehouse.releases.catalog_file import write_catalog
from warehouse.releases.manifest import CATALOG, DATABASE, MANIFEST, parse_manifest

pytestmark = pytest.mark.slow

QUERIES = """
import json, sys, sqlalchemy as sa
engine = sa.create_engine(sys.argv[1], poolclass=sa.pool.NullPool, **json.loads(sys.argv[2]))
look, (schema, *queries) = sa.inspect(engine), sys.argv[3:]
columns = look.get_columns("country_share_daily", schema=schema + ".mart")
print(json.dumps({
    "sqlalchemy": sa.__version__, "schemas": look.get_schema_names(),
    "marts": look.get_table_names(schema=schema + ".mart"),
    "views": look.get_view_names(schema=schema + ".latest"),
    "comments": {c["name"]: c["comment"] for c in columns},
    "types": [str(c["type"]) for c in columns],
    "rows": [[list(row) for row in engine.execute(q)] for q in queries]}, default=str))
"""
VIEW = "FROM latest.country_share_daily SELECT count(*)"
MACRO = "FROM mart.leader_on('text', DATE '2026-06-26') SELECT model_name"
BY_MONTH = """SELECT CAST(DATE_TRUNC('month', as_of_date) AS DATE) AS as_of_date, count(*) AS m
    FROM observatory.mart.country_share_daily GROUP BY 1 ORDER BY 1"""
DUCKDBS = (None, "OBSERVATORY_DUCKDB_OLDEST", "OBSERVATORY_DUCKDB_NEXT")


@pytest.fixture(scope="module")
def release(sampled: tuple[Path, str]) -> Path:
    return (sampled[0] / "published" / "latest").resolve()


def fields(path: Path, **more: Any) -> list[str]:
    """The URI and the engine parameters that the page gives, for one file."""
    table = {row[0]: row[1].strip("`") for row in table_rows(PAGE, "Superset")[1:]}
    uri = table["SQLAlchemy URI"].replace("/path/to/observatory.duckdb", str(path))
    parameters = json.loads(table["Engine parameters"])
    parameters["connect_args"].update(more)
    return [uri, json.dumps(parameters)]


def packages(*folders: str) -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join((python_packages(), *folders))}


@pytest.mark.parametrize("version", DUCKDBS)
def test_it_reads_tables_views_macros_and_comments(
    release: Path, tmp_path: Path, version: str | None
) -> None:
    """With the project's DuckDB, the oldest that reads a release, and the next major version."""
    queries = [ONE_DEFINITION, VIEW, MACRO, BY_MONTH]
    command = [sys.executable, "-c", QUERIES, *fields(release / DATABASE), "observatory", *queries]
    environment = packages(*([installed(version)] if version else []))
    found = json.loads(output(command, tmp_path, **environment))
    assert found["sqlalchemy"].startswith("1.4.")
    assert {"observatory.mart", "observatory.latest"} <= set(found["schemas"])
    assert "country_share_daily" in found["marts"]
    assert "country_share_daily" in found["views"]
    assert found["comments"]["as_of_date"] == "Date of the observation."
    assert found["types"][0] == "DATE"
    assert found["rows"] == [local(release, query) for query in queries]


def test_it_reads_a_catalog_over_http(release: Path, tmp_path: Path) -> None:
    httpfs, manifest = installed("OBSERVATORY_DUCKDB_HTTPFS"), manifest_of(release)
    served = tmp_path / "releases" / manifest.release_id
    shutil.copytree(release, served, ignore=shutil.ignore_patterns(CATALOG))
    with ranges(tmp_path) as (address, asked):
        write_catalog(served, manifest, address)
        catalog = shutil.move(served / CATALOG, tmp_path / CATALOG)
        loads = {"extension_directory": str(extensions(httpfs, tmp_path / "extensions"))}
        queries = [ONE_DEFINITION, MACRO]
        command = [sys.executable, "-c", QUERIES, *fields(catalog, config=loads), "catalog"]
        found = json.loads(output([*command, *queries], tmp_path, **packages(httpfs)))
    assert found["rows"] == [local(release, query) for query in queries]
    assert "country_share_daily" in found["views"]
    whole = sum(path.stat().st_size for path in release.glob("*.parquet"))
    assert 0 < asked_bytes(asked) < whole / 2


def manifest_of(folder: Path) -> Any:
    return parse_manifest((folder / MANIFEST).read_bytes(), str(folder))


def extensions(package: str, target: Path) -> Path:
    """A folder with the extension where DuckDB looks for it, so that it loads by itself."""
    (found,) = Path(package).rglob("httpfs.duckdb_extension")
    query = "SELECT (SELECT library_version FROM pragma_version()), (FROM pragma_platform())"
    code = f"import duckdb; print(*duckdb.execute({query!r}).fetchone())"
    words = output([sys.executable, "-c", code], target.parent, PYTHONPATH=package).split()
    folder = target.joinpath(*words)
    folder.mkdir(parents=True)
    shutil.copy(found, folder)
    return target


HOLD = """
import json, sys, sqlalchemy as sa
with sa.create_engine(sys.argv[1], **json.loads(sys.argv[2])).connect():
    print("open", flush=True)
    sys.stdin.read()
"""


def test_two_workers_read_at_once_but_not_beside_one_that_writes(
    release: Path, tmp_path: Path
) -> None:
    mine = tmp_path / DATABASE  # a writer might change it
    shutil.copy(release / DATABASE, mine)
    reader = fields(mine)
    writer = [reader[0], "{}"]
    assert "open" in beside(reader, reader)
    assert "Could not set lock on file" in beside(writer, writer)
    assert "Could not set lock on file" in beside(reader, writer)


def beside(first: list[str], second: list[str]) -> str:
    """What a second worker prints while a first one has the file open."""
    command, environment = [sys.executable, "-c", HOLD], {**os.environ, **packages()}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [*command, *first], stdin=pipe, stdout=pipe, text=True, env=environment
    ) as holder:
        assert holder.stdout and holder.stdout.readline() == "open\n"
        done = subprocess.run(
            [*command, *second], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            env=environment, timeout=120, check=False,
        )  # fmt: skip
        holder.communicate()
    return done.stdout + done.stderr


def test_the_other_driver_needs_sqlalchemy_2() -> None:
    """Why the page names duckdb-engine; Superset 6.1 needs SQLAlchemy below 2."""
    needs = importlib.metadata.requires("duckdb-sqlalchemy") or []
    bounds = [
        need for need in needs if need.lower().startswith("sqlalchemy") and "extra" not in need
    ]
    assert bounds and all(">=2" in bound for bound in bounds)
