"""What the README prints is what the sample gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.conftest import ROOT
from tests.support.markdown import blocks, links, pages, table_rows

README = pages()["README.md"]
CODE = {b.heading: b.code for b in blocks("README.md", README) if b.language == "sql"}
NUMBERS = "Three numbers, and how sure they are"


@pytest.fixture(scope="module")
def con(sampled: tuple[Path, str]) -> Any:
    database = sampled[0] / "published/latest/observatory.duckdb"
    with duckdb.connect(str(database), read_only=True) as found:
        yield found


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 200


def test_the_pictures_exist_and_are_small() -> None:
    pictures = [ROOT / a for a in links(README) if Path(a).suffix in (".webp", ".png", ".svg")]
    assert len(pictures) == 2
    assert all(picture.stat().st_size < 300_000 for picture in pictures)


def test_the_query_gives_the_answer_that_is_printed(sampled: tuple[Path, str]) -> None:
    query = CODE["One query"].replace("'data/", f"'{sampled[0]}/")
    with duckdb.connect() as con:
        result = con.execute(query)
        header = [column[0] for column in result.description]
        rows = [[str(value) for value in row] for row in result.fetchall()]
    assert table_rows(README, "One query") == [header, *rows]


def test_the_shares_are_those_of_the_sample(con: duckdb.DuckDBPyConnection) -> None:
    shares = {
        (population, country): (f"{name} {100 * share:.1f} %", f"{lower:.1f}–{upper:.1f} %")
        for population, country, name, share, lower, upper in con.execute(
            "SELECT population, country_code, country_name, share, 100 * share_lower,"
            " 100 * share_upper"
            " FROM mart.share_by_country('downloads_30d', 'publisher', '2026-08-15')"
        ).fetchall()
    }
    printed = table_rows(README, NUMBERS)[1:]
    for row, population, order in ((0, "all", "US CN"), (1, "llm_vlm", "CN US")):
        (share_1, bounds_1), (share_2, bounds_2) = (shares[population, c] for c in order.split())
        assert printed[row][1] == f"{share_1}, {share_2}"
        assert printed[row][2].startswith(f"{bounds_1} and {bounds_2}")


def test_the_lead_on_the_arena_is_that_of_the_sample(con: duckdb.DuckDBPyConnection) -> None:
    (_, _, first), (gap, wins, _) = con.execute(
        "SELECT gap_to_leader, expected_win_rate_of_leader, probability_first"
        " FROM mart.arena_leaders WHERE board = 'text' AND category = 'overall'"
        " AND country_code IN ('US', 'CN') AND publish_date = '2026-06-26' ORDER BY gap_to_leader"
    ).fetchall()
    row = table_rows(README, NUMBERS)[3]
    assert f"{gap:.0f} points ahead" in row[1]
    assert f"{100 * wins:.1f} %" in row[2]
    assert "above 99.9 %" in row[2]
    assert first > 0.999
