"""Every published number, counted a second time: one SQL query per table, over the raw files.

`tests/end_to_end/oracles/*.sql` are written from the definitions and share no code with the
transforms. They read the archive's bytes and the registry's CSV files; what they cover is written
at their heads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pycountry
import pytest

from tests.conftest import DAY
from tests.support.builds import LATER
from warehouse.contracts.table import contract
from warehouse.registry.load import REGISTRY

ORACLES = Path(__file__).parent / "oracles"
TABLES = (
    "core.hub_base_models",
    "core.hub_model_roots",
    "mart.country_share_daily",
    "mart.lab_share_daily",
    "mart.family_share_daily",
    "mart.trending_share_daily",
    "mart.arena_leaders",
    "mart.lab_measures",
    "mart.labs",
    "mart.models",
    "mart.model_rankings",
    "mart.notable_models_by_country",
)
# In August the boards and Epoch's table were those of October, so that one comparison is enough.
RECORDED = [(LATER, TABLES), (DAY, TABLES[:6])]
ISO_3166 = Path(pycountry.DATABASE_DIR) / "iso3166-1.json"


@dataclass(frozen=True)
class Reckoning:
    """A warehouse, attached as `built`, and the files it was built from, in one connection."""

    con: duckdb.DuckDBPyConnection

    def differences(self, table: str) -> list[str]:
        """How the rows of a table differ from those of its oracle; nothing where they agree."""
        layer, name = table.split(".")
        text = (ORACLES / f"{name}.sql").read_text("utf-8")
        *before, query = self.con.extract_statements(text)
        for statement in before:
            self.con.execute(statement)
        covers = re.search(r"^-- Covers: (.+)$", text, re.MULTILINE)
        where = covers[1] if covers else "true"
        self.con.execute(f"CREATE OR REPLACE TEMP TABLE counted AS {query.query}")
        self.con.execute(f"CREATE OR REPLACE TEMP VIEW ours AS FROM counted WHERE {where}")
        self.con.execute(
            f"CREATE OR REPLACE TEMP VIEW theirs AS FROM built.{layer}.{name} WHERE {where}"
        )
        return [*self._missing(table), *self._unequal(table)]

    def _missing(self, table: str) -> list[str]:
        key = _names(contract(table).key)
        pairs = (("the oracle", "ours", "theirs"), (table, "theirs", "ours"))
        return [
            told
            for name, here, there in pairs
            for told in self._some(
                f"only in {name}", key, f"{here} ANTI JOIN {there} USING ({key})"
            )
        ]

    def _unequal(self, table: str) -> list[str]:
        columns, key = contract(table).columns, _names(contract(table).key)
        counted = [d[0] for d in self.con.execute("FROM counted LIMIT 0").description or []]
        found: list[str] = []
        for column in counted:
            one, other = f'ours."{column}"', f'theirs."{column}"'
            differ = f"{one} IS DISTINCT FROM {other}"
            if columns[column].type == "DOUBLE":  # equal to 1e-9 of the larger figure
                size = f"greatest(abs({one}), abs({other}))"
                differ += f" AND coalesce(abs({one} - {other}) > 1e-9 * {size}, true)"
            rows = f"ours JOIN theirs USING ({key}) WHERE {differ}"
            found += self._some(f"{column}: counted, built", f"{key}, {one}, {other}", rows)
        return found

    def _some(self, what: str, shown: str, rows: str) -> list[str]:
        found = self.con.execute(f"SELECT {shown}, count(*) OVER () FROM {rows} LIMIT 3").fetchall()
        return [f"{what} ({row[-1]} rows): {row[:-1]}" for row in found]


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)


def reckoning(archive: Path, warehouse: Path, as_of: date) -> Reckoning:
    """The views of the files, ready to be counted, beside a built warehouse."""
    con = duckdb.connect(config={"python_enable_replacements": "false"})
    con.execute(f"ATTACH '{warehouse}' AS built (READ_ONLY)")
    for name, value in (("archive", archive), ("registry", REGISTRY), ("iso_3166", ISO_3166)):
        con.execute(f"SET VARIABLE {name} = '{value}'")
    con.execute(f"SET VARIABLE as_of = DATE '{as_of}'")
    for given in ("files", "hub"):
        con.execute((ORACLES / f"{given}.sql").read_text("utf-8"))
    return Reckoning(con)


@pytest.fixture(scope="module")
def sample(sampled: tuple[Path, str]) -> Iterator[Reckoning]:
    """The bundled sample and the warehouse of its release."""
    folder, _ = sampled
    found = reckoning(folder / "archive", folder / "observatory.duckdb", DAY)
    yield found
    found.con.close()


@pytest.mark.parametrize("table", [t for t in TABLES if t != "mart.trending_share_daily"])
def test_sample_agrees_with_the_oracle(sample: Reckoning, table: str) -> None:
    assert not sample.differences(table)
    assert sample.con.execute("SELECT count(*) > 0 FROM ours").fetchall() == [(True,)]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("as_of", "tables"), RECORDED, ids=["october", "august"])
def test_recordings_agree_with_the_oracles(
    recorded_days: Path, built_days: Callable[[date], Path], as_of: date, tables: tuple[str, ...]
) -> None:
    found = reckoning(recorded_days, built_days(as_of), as_of)
    differences = {table: found.differences(table) for table in tables}
    found.con.close()
    assert not {table: told for table, told in differences.items() if told}


def test_every_oracle_is_run() -> None:
    files = {path.stem for path in ORACLES.glob("*.sql")} - {"files", "hub"}
    assert files == {table.split(".")[1] for table in TABLES}


def test_oracles_read_files_alone() -> None:
    """No oracle names a table of the warehouse or code of the project."""
    text = "\n".join(path.read_text("utf-8") for path in ORACLES.glob("*.sql"))
    code = re.sub(r"--.*", "", text)
    assert not re.search(r"\b(core|mart|raw|meta|built|transforms)\.", code)
