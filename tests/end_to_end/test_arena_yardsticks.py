"""LMArena's published figures against the marts of the recordings: who led, how far, how surely.

Each expected value comes from the source notes or the report named beside it, except for what the
recordings alone can say (changes of the leader), which is held to what is known of those days.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import duckdb
import pytest

from flows.settings import Settings
from warehouse.database.duckdb_file import open_read_only

TEXT = "board = 'text' AND category = 'overall'"


@pytest.fixture(scope="module")
def con(built: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_read_only(built.warehouse) as opened:
        yield opened


def fetch(con: duckdb.DuckDBPyConnection, sql: str, *values: object) -> list[tuple[Any, ...]]:
    return con.execute(sql, list(values)).fetchall()


# ---- text, raw, overall (source notes on the official data set, section 12) ----------------------


def test_no_chinese_lab_held_the_first_place_on_any_date(con: duckdb.DuckDBPyConnection) -> None:
    for table, country in (
        ("arena_leaders", "country_code"),
        ("arena_lab_leaders", "country_code"),
    ):
        sql = f"SELECT DISTINCT {country} FROM mart.{table} WHERE {TEXT} AND best_rank_ordinal = 1"
        assert fetch(con, sql) == [("US",)]
    held = fetch(
        con, f"SELECT max(n_top1) FROM mart.arena_leaders WHERE {TEXT} AND country_code = 'CN'"
    )
    assert held == [(0,)]


def test_the_smallest_gap_its_date_and_what_it_is_worth(con: duckdb.DuckDBPyConnection) -> None:
    ((day, rank, gap, rate, best, first),) = fetch(
        con,
        "SELECT publish_date, best_rank_ordinal, gap_to_leader, expected_win_rate_of_leader, "
        f"probability_best, probability_first FROM mart.arena_leaders WHERE {TEXT} "
        "AND country_code = 'CN' ORDER BY gap_to_leader LIMIT 1",
    )
    assert (day, rank) == (date(2025, 11, 6), 2)
    assert gap == pytest.approx(20.4, abs=0.05)
    assert rate == pytest.approx(0.529, abs=0.0005)  # 1 / (1 + 10^(-20.4/400))
    # close by rating, and yet hardly any doubt about who is ahead
    assert best <= first < 0.05


def test_every_probability_of_every_board_sums_to_one(con: duckdb.DuckDBPyConnection) -> None:
    ((boards, unknown, worst),) = fetch(
        con,
        "SELECT count(*), count(*) FILTER (total IS NULL), max(abs(total - 1)) FROM (SELECT "
        "sum(probability_first) AS total FROM mart.arena_leaders "
        "GROUP BY board, category, publish_date)",
    )
    assert boards > 3000 and unknown < 0.1 * boards
    assert worst < 1e-7


def test_what_chinese_models_reach_american_ones_had_reached_before(
    con: duckdb.DuckDBPyConnection,
) -> None:
    rows = fetch(
        con,
        "SELECT lag_is_censored, lag_days, lag_days_lower, lag_days_upper, first_reached_by "
        f"FROM mart.arena_leaders WHERE {TEXT} AND country_code = 'CN' "
        "AND publish_date >= '2024-05-20' ORDER BY publish_date",
    )
    assert {by for *_, by in rows} == {"US"}
    # never on one day with the American model, but where the segment shows nothing before
    assert all(lag > 0 or (lag == 0 and is_censored) for is_censored, lag, *_ in rows)
    assert any(lag > 180 for _, lag, *_ in rows)
    assert all(low is None or low <= lag <= high for _, lag, low, high, _ in rows)


def test_changes_of_the_leading_lab(con: duckdb.DuckDBPyConnection) -> None:
    found = fetch(
        con,
        "SELECT level, previous_holder, holder, best_model_id, first_led_date "
        f"FROM mart.arena_leader_changes WHERE {TEXT} ORDER BY level, confirmed_date",
    )
    # one country ever: the first lead is confirmed once boards come with variances
    assert [(was, now) for level, was, now, *_ in found if level == "country"] == [(None, "US")]
    labs = [row[1:] for row in found if row[0] == "lab"]
    assert all(was != now for was, now, *_ in labs)
    assert [was for was, *_ in labs[1:]] == [now for _, now, *_ in labs[:-1]]
    # 2024: GPT-4o, ChatGPT-4o and Gemini-Exp-1206, although every other board lacks intervals
    held = [row[1] for row in labs if row[3] < date(2025, 3, 1)]
    assert held == ["openai", "google", "openai", "google", "xai"]
    # Gemini 2.5 Pro was released on 2025-03-25; Claude Opus 4.6 leads the boards of March 2026 on
    in_march = (date(2025, 3, 24), date(2025, 3, 31))
    gemini = [row for row in labs if row[1] == "google" and in_march[0] <= row[3] <= in_march[1]]
    assert len(gemini) == 1 and "gemini-2.5-pro" in gemini[0][2]
    assert labs[-1][1] == "anthropic" and "claude-opus-4-6" in labs[-1][2]


# ---- video boards of spring 2026 (32 daily copies, same notes) -----------------------------------


@pytest.mark.parametrize(
    ("board", "first", "leader", "n_boards"),
    [
        ("text_to_video", date(2026, 4, 8), "dreamina-seedance-2.0-720p", 12),
        ("image_to_video", date(2026, 4, 8), "dreamina-seedance-2.0-720p", 12),
        ("video_edit", date(2026, 4, 15), "happyhorse-1.0", 5),
    ],
)
def test_leaders_of_the_video_boards(
    con: duckdb.DuckDBPyConnection, board: str, first: date, leader: str, n_boards: int
) -> None:
    found = fetch(
        con,
        "SELECT publish_date, best_model, country_code, n_top1, gap_to_leader "
        "FROM mart.arena_leaders WHERE board = ? AND category = 'overall' "
        "AND best_rank_ordinal = 1 AND publish_date BETWEEN ? AND '2026-04-19' ORDER BY ALL",
        board,
        first,
    )
    assert found[0][0] == first and found[-1][0] == date(2026, 4, 19) and len(found) == n_boards
    assert {row[1:] for row in found} == {(leader, "CN", 1, 0.0)}


# ---- win rates -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("gap", "percent"), [(39, 55.6), (5, 50.7)])
def test_gaps_of_the_ai_index_as_win_rates(
    con: duckdb.DuckDBPyConnection, gap: int, percent: float
) -> None:
    """AI Index 2026, US to CN: 1503 to 1464 in March 2026, which it prints as 2.7 %."""
    near = fetch(
        con,
        "SELECT gap_to_leader, 100 * expected_win_rate_of_leader FROM mart.arena_leaders "
        "WHERE gap_to_leader BETWEEN ? - 0.25 AND ? + 0.25",
        gap,
        gap,
    )
    assert near
    for _, rate in near:
        assert rate == pytest.approx(percent, abs=0.09)
    if gap == 39:
        ((american, chinese),) = fetch(
            con,
            "SELECT max(value) FILTER (country_code = 'US'), max(value) FILTER "
            "(country_code = 'CN') FROM core.ai_index_series WHERE edition = 2026 "
            "AND series = 'arena_best_by_country' AND period = '2026-03'",
        )
        assert american - chinese == gap
