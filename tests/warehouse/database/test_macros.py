"""Macros: each has a comment with an example that runs, and rejects what does not exist."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from warehouse.database.duckdb_file import MACROS

MISTAKES = {
    "FROM mart.shares(metric := 'downloads')": "unknown metric 'downloads'; choose downloads_30d,",
    "FROM mart.shares(population := 'llm')": "unknown population 'llm'; choose all,",
    "FROM mart.shares(attribution := 'lab')": "unknown attribution 'lab'; choose base, publisher",
    "FROM mart.shares(credit := 'half')": "unknown credit 'half'; choose fractional, full",
    "FROM mart.share_by_country('likes', 'publisher', '2026-08-16')": "unknown day '2026-08-16'",
    "FROM mart.leader_on('txt', '2026-06-30')": "unknown board 'txt'; choose ",
    "FROM mart.leader_on('text', '2006-06-30')": "no board 'text' up to 2006-06-30",
    "FROM mart.derived_from('Qwen/Qwen3-8')": "unknown model 'Qwen/Qwen3-8'",
    "FROM core.rating_change('text', 'total')": "unknown category 'total'; choose ",
    "FROM mart.share_window('2025-01-01', '2025-06-30', source_ := 'x')": "unknown source_ 'x'",
}


@pytest.fixture(scope="module")
def reader(sampled: tuple[Path, str]) -> Iterator[duckdb.DuckDBPyConnection]:
    """The sample's release, attached and used."""
    file = sampled[0] / "published" / "latest" / "observatory.duckdb"
    with duckdb.connect() as con:
        con.execute(f"ATTACH '{file}' AS release (READ_ONLY); USE release")
        yield con


def test_every_macro_has_a_comment_with_an_example_that_runs(
    reader: duckdb.DuckDBPyConnection,
) -> None:
    query = "FROM duckdb_functions() SELECT DISTINCT function_name, comment WHERE NOT internal"
    found = dict(reader.execute(query).fetchall())
    assert len(found) == MACROS.read_text("utf-8").count("CREATE MACRO ")
    for comment in found.values():
        reader.execute(comment.partition(" Example: ")[2])


@pytest.mark.parametrize("query", MISTAKES)
def test_a_value_that_does_not_exist_is_an_error_that_says_so(
    reader: duckdb.DuckDBPyConnection, query: str
) -> None:
    with pytest.raises(duckdb.InvalidInputException) as raised:
        reader.execute(query).fetchall()
    assert MISTAKES[query] in str(raised.value)
