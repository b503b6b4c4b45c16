"""The recipes of the page on BI tools run as printed, in the tools' servers and connectors."""

from __future__ import annotations

import json
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from tests.support.bi_tools import (
    ONE_DEFINITION,
    PAGE,
    local,
    node_packages,
    output,
    python_packages,
    recipe,
)
from tests.support.markdown import table_rows
from warehouse.contracts.table import contracts
from warehouse.releases.manifest import DATABASE

DAY = r"\b20\d\d-\d\d-\d\d\b"


@pytest.fixture(scope="module")
def release(sampled: tuple[Path, str]) -> Path:
    return (sampled[0] / "published" / "latest").resolve()


@pytest.fixture
def place(release: Path, tmp_path: Path) -> Path:
    """A folder with the release where the recipes look for it."""
    (tmp_path / "data" / "published").mkdir(parents=True)
    (tmp_path / "data" / "published" / "latest").symlink_to(release)
    return tmp_path


def test_every_tool_has_a_status_and_a_section() -> None:
    listed = [name for row in table_rows(PAGE, "What was tried")[1:] for name in row[0].split(", ")]
    sections = re.findall(r"^## (.+)$", PAGE, flags=re.M)
    tools = ("Superset", "Metabase", "Power BI", "Tableau", "Evidence", "Datasette")
    assert {*tools, "Observable Framework"} <= set(listed)
    assert all(any(name in section for section in sections) for name in listed)


def test_what_was_run_by_hand_or_not_at_all_says_on_which_day() -> None:
    for tool, status, *_ in table_rows(PAGE, "What was tried")[1:]:
        parts = status.split("; ")
        assert all("tested" in part or re.search(DAY, part) for part in parts), tool


def test_power_query_filters_by_columns_that_exist() -> None:
    columns = contracts()["mart.country_share_daily"].columns
    named = set(re.findall(r"\[(\w+)\] =", recipe("Power BI", "powerquery")))
    assert named and named <= set(columns)


def test_excel_gets_a_csv_file(place: Path) -> None:
    code = recipe("Excel and Google Sheets", "sql").replace("'data/", f"'{place}/data/")
    with duckdb.connect() as con:
        con.execute(code)
    assert (place / "data/shares.csv").read_text("utf-8").startswith("as_of_date,population,")


# --- Datasette -----------------------------------------------------------------------------------


def test_the_marts_are_copied_into_sqlite(place: Path, release: Path) -> None:
    output([sys.executable, "-c", recipe("Datasette", "python")], place)
    with sqlite3.connect(place / "data/marts.sqlite") as con:
        names = [name for (name,) in con.execute("SELECT name FROM sqlite_master ORDER BY name")]
        counts = [con.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names]
        dates = con.execute("SELECT max(as_of_date) FROM country_share_daily").fetchone()
    marts = "FROM duckdb_tables() SELECT table_name WHERE schema_name = 'mart' ORDER BY 1"
    assert [[name] for name in names] == local(release, marts)
    assert counts == [local(release, f"FROM mart.{n} SELECT count(*)")[0][0] for n in names]
    assert list(dates) == local(release, "FROM mart.country_share_daily SELECT max(as_of_date)")[0]


@pytest.mark.slow
def test_datasette_serves_the_marts(place: Path, release: Path) -> None:
    packages = python_packages()
    output([sys.executable, "-c", recipe("Datasette", "python")], place)
    words = recipe("Datasette", "bash").split()
    with datasette(words, place, packages) as address:
        table = f"{address}/marts/country_share_daily"
        rows = answer(f"{table}.json?population=all&_shape=array&_size=1&_sort_desc=as_of_date")
        query = f"{address}/marts.json?_shape=arrays&sql="
        found = answer(query + urllib.request.quote(in_sqlite(ONE_DEFINITION)))
    assert rows[0]["as_of_date"] == "2026-08-15"
    assert found["rows"] == local(release, ONE_DEFINITION)


def in_sqlite(query: str) -> str:
    table, columns, rest = re.match(  # type: ignore[union-attr]
        r"FROM mart\.(\w+) SELECT (.+?)\s+(WHERE .+) ORDER BY ALL", query, flags=re.S
    ).groups()
    return f"SELECT {columns} FROM {table} {rest} ORDER BY {columns}"


@contextmanager
def datasette(words: list[str], folder: Path, packages: str) -> Iterator[str]:
    """The page's command on a free port, until its server answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", *words, "--host", "127.0.0.1", "--port", port]
    log = folder / "datasette.log"
    environment = {"PYTHONPATH": packages, "PATH": ""}
    with log.open("w") as out, subprocess.Popen(
        command, cwd=folder, env=environment, stdout=out, stderr=out
    ) as server:  # fmt: skip
        try:
            wait_for(f"http://127.0.0.1:{port}/-/versions.json", server, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def wait_for(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        assert server.poll() is None, log.read_text("utf-8")
        try:
            answer(address)
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(log.read_text("utf-8"))


def answer(address: str) -> Any:
    with urllib.request.urlopen(address, timeout=30) as response:
        return json.load(response)


# --- Observable Framework ------------------------------------------------------------------------

CONFIG = "export default {root: 'src', interpreters: {'.py': [%s]}};"
SHARES = "FROM latest.country_share_daily SELECT country_name, share WHERE population = 'all'"


@pytest.mark.slow
def test_observable_framework_builds_a_page_from_the_data_loader(
    place: Path, release: Path
) -> None:
    modules, source = node_packages(), place / "src"
    source.mkdir()
    (place / "node_modules").symlink_to(modules)
    (place / "package.json").write_text('{"type": "module"}', "utf-8")
    (place / "observablehq.config.js").write_text(CONFIG % json.dumps(sys.executable), "utf-8")
    (source / "shares.json.py").write_text(recipe("Observable Framework", "python"), "utf-8")
    block = f"# Shares\n\n```js\n{recipe('Observable Framework', 'js')}```\n"
    (source / "index.md").write_text(block, "utf-8")
    output(
        ["node", str(modules / ".bin/observable"), "build"], place, OBSERVABLE_TELEMETRY_DISABLE="1"
    )
    (built,) = (place / "dist/_file").glob("shares.*.json")
    rows = {row["country_name"]: row["share"] for row in json.loads(built.read_text("utf-8"))}
    names = "FROM latest.country_share_daily SELECT country_name, country_code"
    codes = dict(local(release, names))
    assert sorted([codes[n], share] for n, share in rows.items()) == latest_day(release)
    assert built.name in (place / "dist/index.html").read_text("utf-8")


def latest_day(release: Path) -> list[list[Any]]:
    condition = "WHERE as_of_date = (SELECT max(as_of_date) FROM mart.country_share_daily) AND"
    return local(release, ONE_DEFINITION.replace("WHERE", condition))


# --- Evidence ------------------------------------------------------------------------------------

CONNECTOR = """
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
const connector = createRequire(process.cwd() + "/")("@evidence-dev/duckdb");
const [folder, options] = [process.argv[2], JSON.parse(process.argv[3])];
const works = await connector.testConnection(options, folder);
const run = await connector.getRunner(options, folder);
const path = folder + "/country_share.sql";
const found = await run(readFileSync(path, "utf-8"), path, 100);
const rows = [];
for await (const batch of found.rows()) rows.push(...batch);
console.log(JSON.stringify({ works, columns: found.columnTypes, rows }));
"""


@pytest.mark.slow
def test_the_connector_of_evidence_reads_the_source(place: Path, release: Path) -> None:
    modules, source = node_packages(), place / "sources" / "observatory"
    source.mkdir(parents=True)
    (place / "node_modules").symlink_to(modules)
    options = yaml.safe_load(recipe("Evidence", "yaml"))["options"]
    shutil.copy(release / DATABASE, source / options["filename"])
    (source / "country_share.sql").write_text(recipe("Evidence", "sql"), "utf-8")
    (place / "read.mjs").write_text(CONNECTOR, "utf-8")
    said = output(["node", "read.mjs", str(source), json.dumps(options)], place)
    found = json.loads(said.splitlines()[-1])
    assert found["works"] is True
    assert sorted([r["country_code"], r["share"]] for r in found["rows"]) == local(
        release, ONE_DEFINITION
    )
    types = {column["name"]: column["evidenceType"] for column in found["columns"]}
    assert (types["as_of_date"], types["share"]) == ("date", "number")
