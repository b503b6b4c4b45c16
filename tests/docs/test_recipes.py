"""The recipes run as they stand in docs/, and every tool gives the same answer."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from tests.conftest import ROOT

DOCS = ROOT / "docs"
TEXT = (DOCS / "reading-a-release.md").read_text(encoding="utf-8")
# Heading, language and code of every block.
BLOCKS = [
    (heading.strip(), language, code)
    for heading, body in re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", TEXT, flags=re.M | re.S)
    for language, code in re.findall(r"```(\w+)\n(.*?)```", body, flags=re.S)
]
NAMES = [f"{heading} {i}" for i, (heading, _, _) in enumerate(BLOCKS)]
DIGESTS = "Is it still the same file?"
PAST_DAY = "Any past day of the whole Hub"


@pytest.fixture(scope="module")
def place(sampled: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sample's release where the recipes look for it."""
    folder = tmp_path_factory.mktemp("recipes")
    (folder / "data").mkdir()
    (folder / "data" / "published").symlink_to(sampled[0] / "published")
    return folder


@pytest.fixture(scope="module")
def answer(place: Path) -> list[str]:
    """What the question's answer is, from the mart itself."""
    table = place / "data/published/latest/mart.country_share_daily.parquet"
    with duckdb.connect() as con:
        rows = con.execute(
            "SELECT country_code, share, share_lower, share_upper FROM read_parquet(?)"
            " WHERE (population, metric, attribution, credit)"
            " = ('all', 'downloads_30d', 'publisher', 'fractional')"
            " AND country_code IN ('US', 'CN') QUALIFY as_of_date = max(as_of_date) OVER ()"
            " ORDER BY share DESC",
            [str(table)],
        ).fetchall()
    assert len(rows) == 2
    return [f"{c} {100 * s:.1f}% ({100 * a:.1f}–{100 * b:.1f})" for c, s, a, b in rows]


def ran(place: Path, language: str, code: str) -> list[str]:
    """What a block prints, by line; SQL is run statement by statement, as a shell would."""
    if language == "sql":
        with duckdb.connect() as con:
            here = code.replace("'data/", f"'{place}/data/")
            return [str(row[0]) for row in con.execute(here).fetchall()]
    if language == "js":
        return node(place, code)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    return printed([sys.executable, "-c", code], place, environment)


def node(place: Path, code: str) -> list[str]:
    readers = os.environ.get("OBSERVATORY_WITH_NODE")
    if not readers or not shutil.which("node"):
        pytest.skip("OBSERVATORY_WITH_NODE names no folder (.ci/run installs hyparquet)")
    (place / "node_modules").symlink_to(Path(readers).resolve() / "node_modules")
    (place / "recipe.mjs").write_text(code, encoding="utf-8")
    return printed(["node", "recipe.mjs"], place, dict(os.environ))


def printed(command: list[str], folder: Path, environment: dict[str, str]) -> list[str]:
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_page_of_recipes_has_these_tools() -> None:
    told = {(heading, language) for heading, language, _ in BLOCKS}
    tools = (
        "DuckDB, SQL",
        "DuckDB, Python",
        "Polars",
        "pandas",
        "Arrow",
        "SQLAlchemy",
        "JavaScript",
    )
    assert {heading for heading, _ in told} >= set(tools)
    assert {language for _, language in told} == {"sql", "python", "js"}  # all that `ran` runs


@pytest.mark.parametrize(("heading", "language", "code"), BLOCKS, ids=NAMES)
def test_every_recipe_runs_and_gives_the_same_answer(
    place: Path, answer: list[str], heading: str, language: str, code: str
) -> None:
    said = ran(place, language, code)
    if heading == DIGESTS:
        assert re.fullmatch(r"2026-08-15-[0-9a-f]{12}: \d+ tables as published", said[0])
    elif heading == PAST_DAY:
        assert re.fullmatch(r"2026-08-07: \d+ models listed, most downloads: [\w./-]+", said[0])
    elif "duckdb_columns" in code:
        assert any(line.startswith("share_upper: ") for line in said)
    else:
        assert said == answer


def test_the_tour_runs_from_its_first_cell_to_its_last(place: Path, answer: list[str]) -> None:
    tour = (DOCS / "examples" / "tour.py").read_text(encoding="utf-8")
    cells = re.findall(r"^# %% (.+)$", tour, flags=re.M)
    assert len(cells) >= 10
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "POLARS_FMT_MAX_COLS": "20"}
    said = "\n".join(printed([sys.executable, str(DOCS / "examples" / "tour.py")], place, environment))
    leader = answer[0].split()[0]
    assert re.search(rf"{leader} before \w\w: (sure|open)", said)
    assert "Herfindahl index" in said
    assert "hub/2026-08-15" in said


def test_the_notes_name_every_tool_and_only_tables_and_columns_there_are() -> None:
    from warehouse.contracts.table import contracts

    notes = (DOCS / "bi-tools.md").read_text(encoding="utf-8")
    for tool in ("Superset", "Metabase", "Power BI", "Tableau", "Evidence"):
        assert f"## {tool}" in notes
    named = set(re.findall(r"\b(?:mart|core|meta)\.[a-z_]+", notes + TEXT)) - {"mart.parquet"}
    assert {re.sub(r"\.parquet$", "", n) for n in named} <= set(contracts())
    columns = contracts()["mart.country_share_daily"].columns
    assert set(re.findall(r"\[(\w+)\] =", notes)) <= set(columns)
