"""SQL of strangers on a release: one SELECT, no other file, within limits."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import observatory
import pytest
from observatory.bounded import Limits, RefusedQueryError, ask


@pytest.fixture(scope="module")
def release(sampled: tuple[Path, str]) -> Iterator[observatory.Release]:
    with observatory.open(sampled[0] / "published") as opened:
        yield opened


def test_an_answer_equals_that_of_the_client(release: observatory.Release) -> None:
    query = "SELECT lab_id, hub_models FROM mart.labs WHERE hub_models > 5 ORDER BY ALL"
    answer = ask(release, query)
    assert [tuple(row) for row in answer.rows] == release.sql(query).rows()
    assert answer.columns == ["lab_id", "hub_models"]
    assert not answer.is_cut
    assert ask(release, f"{query} ;  -- all") == answer


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM glob('/**')",
        "FROM '/etc/passwd'",
        "FROM 'https://example.org/x.parquet'",
        "SELECT * FROM parquet_scan('/tmp/*')",
        "SELECT * FROM query('FROM read_text(''/etc/passwd'')')",
        "SELECT * FROM query_table('/etc/passwd')",
        "COPY (SELECT 1) TO '/tmp/observatory-x.csv'",
        "ATTACH '/tmp/observatory-x.duckdb'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "PRAGMA enable_profiling",
        "CREATE TABLE x AS SELECT 1",
        "DROP VIEW mart.labs",
        "SELECT 1; SELECT 2",
        "SELECT 1) TO '/tmp/observatory-x.csv'; COPY (SELECT 2",
        "EXPORT DATABASE '/tmp/observatory-x'",
        "CALL pragma_version(); SELECT 1",
        "",
        ";",
        "SELECT",
        "not SQL",
        "SELECT nothing FROM mart.labs",
        "FROM limits",  # a variable of the program
    ],
)
def test_whatever_is_not_one_select_on_the_release_is_refused(
    release: observatory.Release, query: str
) -> None:
    with pytest.raises((RefusedQueryError, observatory.PlaceError)):
        ask(release, query)
    assert list(Path("/tmp").glob("observatory-x*")) == []


def test_an_unknown_table_is_named_with_its_neighbors(release: observatory.Release) -> None:
    with pytest.raises(observatory.PlaceError, match=r"did you mean mart\.labs"):
        ask(release, "FROM mart.lab")


def test_a_query_that_never_ends_is_stopped(release: observatory.Release) -> None:
    start = time.monotonic()
    endless = "SELECT count(*) FROM range(10000000000) AS a WHERE hash(a.range) = 1"
    with pytest.raises(RefusedQueryError, match=r"stopped after 0\.5 seconds"):
        ask(release, endless, Limits(seconds=0.5))
    assert time.monotonic() - start < 30
    assert ask(release, "SELECT 1 AS one").rows == [[1]]  # the next one is answered


def test_memory_rows_and_characters_are_limited(release: observatory.Release) -> None:
    with pytest.raises(RefusedQueryError, match=r"(?i)memory"):
        ask(release, "SELECT list(range) FROM range(100000000)", Limits(memory_mb=50))
    few = ask(release, "SELECT * FROM range(1000000)", Limits(rows=7))
    assert ([row[0] for row in few.rows], few.is_cut) == ([*range(7)], True)
    short = ask(release, "SELECT repeat('x', 100) FROM range(50)", Limits(characters=1000))
    assert short.is_cut
    assert 5 < len(short.rows) < 10
    with pytest.raises(RefusedQueryError, match="one row has more than"):
        ask(release, "SELECT repeat('x', 1000000)", Limits(characters=1000))


def test_large_tables_are_not_downloaded_for_a_question(release: observatory.Release) -> None:
    with pytest.raises(RefusedQueryError, match=r"use `observatory\.open`"):
        ask(release, "FROM mart.claims", Limits(table_mb=0))
