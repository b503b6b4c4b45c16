"""The eight questions of an analyst: short queries without a quoted name, each with an answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import pytest

from tests.support.builds import LATER
from tests.support.markdown import blocks, written_pages

PAGE, HEADING = "docs/reading-a-release.md", "Eight questions"
QUERIES = [
    "\n".join(block.code.strip().splitlines()[2:])  # without ATTACH and USE
    for block in blocks(PAGE, written_pages()[PAGE])
    if block.heading == HEADING
]
UNANSWERED = {"FROM mart.derived_from('Qwen/Qwen3-8B');"}  # the sample has no such model


def test_there_are_eight_of_at_most_four_lines_without_a_quoted_name() -> None:
    assert len(QUERIES) == 8
    assert not [query for query in QUERIES if len(query.splitlines()) > 4 or '"' in query]


@pytest.mark.parametrize("query", QUERIES)
def test_the_sample_answers(sampled: tuple[Path, str], query: str) -> None:
    file = sampled[0] / "published" / "latest" / "observatory.duckdb"
    with duckdb.connect(str(file), read_only=True) as con:
        assert con.execute(query).fetchall() or query in UNANSWERED


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_recorded_days_answer(built_days: Callable[[date], Path]) -> None:
    with duckdb.connect(str(built_days(LATER)), read_only=True) as con:
        assert all(con.execute(query).fetchall() for query in QUERIES)
