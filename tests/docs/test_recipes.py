"""Every query and recipe of the pages runs as printed, and every tool gives the same answer."""

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
from tests.support.markdown import Block, blocks, written_pages

DOCS = ROOT / "docs"
# Their examples have tests of their own.
EXAMPLES = (
    *("README.md", "docs/adding-a-table.md", "docs/adding-a-source.md", "docs/bi-tools.md"),
)
TEXTS = {page: text for page, text in written_pages().items() if page not in EXAMPLES}
LANGUAGES = ("sql", "python", "js")
BLOCKS = [b for page, text in TEXTS.items() for b in blocks(page, text) if b.language in LANGUAGES]
NAMES = [f"{b.page.removeprefix('docs/')}: {b.heading} {i}" for i, b in enumerate(BLOCKS)]
TOOLS = ("DuckDB, SQL", "DuckDB, Python", "Polars", "pandas", "Arrow", "SQLAlchemy", "JavaScript")
MEANING = "What a column means"
QUESTIONS = "Eight questions"  # test_questions.py says which of them the sample cannot answer
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


def run_block(place: Path, language: str, code: str) -> list[str]:
    """The lines that a block prints; of SQL the rows of its last statement."""
    if language == "sql":
        with duckdb.connect() as con:
            here = code.replace("'data/", f"'{place}/data/")
            return [" ".join(map(str, row)) for row in con.execute(here).fetchall()]
    if language == "js":
        return node(place, code)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    return output_of([sys.executable, "-c", code], place, environment)


def node(place: Path, code: str) -> list[str]:
    readers = os.environ.get("OBSERVATORY_WITH_NODE")
    if not readers or not shutil.which("node"):
        pytest.skip("OBSERVATORY_WITH_NODE names no folder (.ci/run installs hyparquet)")
    (place / "node_modules").symlink_to(Path(readers).resolve() / "node_modules")
    (place / "recipe.mjs").write_text(code, encoding="utf-8")
    return output_of(["node", "recipe.mjs"], place, dict(os.environ))


def output_of(command: list[str], folder: Path, environment: dict[str, str]) -> list[str]:
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


def test_the_question_is_answered_with_every_tool() -> None:
    assert [b.heading for b in BLOCKS if b.heading in TOOLS] == list(TOOLS)


@pytest.mark.parametrize("block", BLOCKS, ids=NAMES)
def test_every_query_and_recipe_runs(place: Path, answer: list[str], block: Block) -> None:
    lines = run_block(place, block.language, block.code)
    assert lines or block.heading == QUESTIONS
    if block.heading in TOOLS:
        assert lines == answer
    elif block.heading == DIGESTS:
        assert re.fullmatch(r"2026-08-15-[0-9a-f]{12}: \d+ tables as published", lines[0])
    elif block.heading == PAST_DAY:
        assert len(lines) > 100 and all("/" in line for line in lines[:3])
    elif block.heading == MEANING:
        assert any(line.startswith("share_upper: ") for line in lines)


def test_the_tour_runs_from_its_first_cell_to_its_last(place: Path, answer: list[str]) -> None:
    tour = (DOCS / "examples" / "tour.py").read_text(encoding="utf-8")
    cells = re.findall(r"^# %% (.+)$", tour, flags=re.M)
    assert len(cells) >= 10
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "POLARS_FMT_MAX_COLS": "20"}
    output = "\n".join(
        output_of([sys.executable, str(DOCS / "examples" / "tour.py")], place, environment)
    )
    leader = answer[0].split()[0]
    assert re.search(rf"{leader} before \w\w: (sure|open)", output)
    assert "Herfindahl index" in output
    assert "hub/2026-08-15" in output
