"""Other versions of DuckDB: the oldest that must read our files, the next that must run our SQL.

`.ci/run` installs both beside the environment and names the folders; without them these skip.
"""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from expectations.report import Report
from flows.settings import Settings
from flows.steps import sequence
from tests.conftest import ROOT
from warehouse.contracts.table import contracts

SAMPLE = ROOT / "warehouse" / "sample"


pytestmark = pytest.mark.skipif(
    not {"OBSERVATORY_DUCKDB_OLDEST", "OBSERVATORY_DUCKDB_NEXT"} <= set(os.environ),
    reason="OBSERVATORY_DUCKDB_OLDEST and _NEXT name no folders (.ci/run installs them)",
)


def python_with(variable: str, code: str, *arguments: str) -> str:
    """The output of a Python with another version of DuckDB."""
    folder = os.environ[f"OBSERVATORY_DUCKDB_{variable}"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Report]:
    """The sample, built and published with the locked DuckDB, and its validation results."""
    folder = tmp_path_factory.mktemp("released")
    settings = Settings(
        archive=SAMPLE,
        warehouse=folder / "observatory.duckdb",
        docs=folder / "validation",
        publish_to=(str(folder / "published"),),
    )
    report = sequence.build(settings, date(2026, 8, 15)).report
    sequence.publish(settings, settings.publish_to)
    return settings, report


READ = """
import sys, duckdb
con = duckdb.connect()
one = lambda sql: con.execute(sql).fetchone()[0]
for file in sys.argv[1:]:
    con.execute("ATTACH '" + file + "' AS held (READ_ONLY)")
    print(duckdb.__version__, one("SELECT count(*) FROM held.mart.arena_leaders"),
          one("SELECT comment FROM duckdb_tables() WHERE table_name = 'arena_leaders'"))
    con.execute("DETACH held")
"""


def test_the_oldest_supported_duckdb_opens_the_warehouse_and_the_release(
    built: tuple[Settings, Report],
) -> None:
    released, _ = built
    published = Path(released.publish_to[0]) / "latest" / "observatory.duckdb"
    lines = python_with("OLDEST", READ, str(released.warehouse), str(published)).splitlines()
    assert len(lines) == 2
    about = contracts()["mart.arena_leaders"].description
    for line in lines:
        version, rows, comment = line.split(" ", 2)
        assert version.startswith("1.4.")
        assert int(rows) > 0
        assert comment.startswith(about)


BUILD = """
import sys, duckdb
from datetime import date
from pathlib import Path
from flows.steps import sequence
from flows.settings import Settings
folder = Path(sys.argv[2])
settings = Settings(archive=Path(sys.argv[1]), warehouse=folder / "observatory.duckdb",
                    docs=folder / "validation")
built = sequence.build(settings, date(2026, 8, 15))
print(duckdb.__version__)
print(built.report.to_frame().write_json())
"""


def test_the_next_duckdb_builds_and_validates_the_same(
    built: tuple[Settings, Report], tmp_path: Path
) -> None:
    version, answers = python_with("NEXT", BUILD, str(SAMPLE), str(tmp_path)).splitlines()[-2:]
    assert version.startswith("2.")
    _, report = built
    assert report.summary()["not_run"] == 0
    assert answers == report.to_frame().write_json()
