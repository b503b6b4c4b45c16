"""Both recorded editions of the AI Index, built as a warehouse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest

from flows.steps.observe import observe
from tests.conftest import DAY, settings_for
from tests.standin import StandIn
from tests.support.ai_index_build import build, checked
from warehouse.ai_index.corrections import (
    ai_index_corrections,
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ai_index") / "observatory.duckdb"


@pytest.fixture(scope="module")
def made(standin: StandIn, place: Path) -> dict[str, pl.DataFrame]:
    settings = settings_for(standin, place.parent)
    observe("ai_index", settings, DAY)
    return build(settings, place)


@pytest.fixture(scope="module")
def con(made: dict[str, pl.DataFrame], place: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(place), read_only=True) as opened:
        yield opened


# Records of each mapped figure as its page in the source notes says; value columns beside it.
RECORDS = {
    2025: {
        "1.3.1": 7, "1.3.2": 53, "1.3.3": 31, "1.3.4": 198, "1.3.5": 198, "1.3.6": 15, "1.3.7": 15,
        "1.3.8": 52, "1.3.9": 77, "1.3.10": 45, "1.3.11": 523, "1.3.13": 338, "1.3.14": 181,
        "1.3.15": 393, "1.3.17": 102, "1.6.2": 70, "1.6.4": 70, "2.1.34": 28, "2.1.35": 22,
        "2.1.36": 28, "2.1.37": 22, "2.1.39": 98, "2.2.7": 10, "4.3.8": 67, "4.3.9": 91,
        "4.3.10": 36, "4.3.11": 16, "4.3.12": 62, "4.3.13": 91, "4.3.14": 36,
    },
    2026: {
        "1.1.1": 7, "1.1.2": 54, "1.1.3": 30, "1.1.4": 92, "1.1.5": 92, "1.1.6": 20, "1.1.7": 20,
        "1.1.8": 61, "1.1.9": 46, "1.1.10": 623, "1.1.11": 563, "1.1.12": 222, "1.1.13": 471,
        "1.1.14": 120, "1.5.3": 68, "1.5.5": 75, "1.5.6": 16, "1.5.7": 54, "1.5.8": 55,
        "2.1.2": 70, "2.1.3": 70, "2.1.4": 237, "2.2.2": 15, "2.3.5": 15, "3.8.1": 34, "4.2.8": 15,
        "4.2.10": 19, "4.2.11": 39, "4.2.12": 15, "4.2.13": 15, "4.2.14": 39, "8.2.1": 193,
        "8.3.1": 112, "8.3.4": 128,
    },
}  # fmt: skip
COLUMNS = {"1.5.6": 2, "2.2.7": 3, "2.2.2": 5, "2.3.5": 5, "8.2.1": 7}
BLANKS = {(2025, "1.3.9"): 25, (2025, "2.1.37"): 1, (2025, "2.1.39"): 8, (2026, "8.2.1"): 7}


def test_every_value_of_every_mapped_figure_is_loaded(made: dict[str, pl.DataFrame]) -> None:
    printed_values = made["core.ai_index_series"].filter(pl.col("revision") == 1)
    found = {
        (edition, number): n
        for edition, number, n in printed_values.group_by("edition", "figure").len().iter_rows()
    }
    assert found == {
        (edition, number): n * COLUMNS.get(number, 1)
        for edition, numbers in RECORDS.items()
        for number, n in numbers.items()
    }
    blank = printed_values.filter(pl.col("value").is_null())
    assert blank["missing_reason"].null_count() == 0
    counted = blank.group_by("edition", "figure").len().iter_rows()
    assert {(edition, number): n for edition, number, n in counted} == BLANKS


def test_every_file_and_record_of_both_editions_is_counted(
    made: dict[str, pl.DataFrame],
) -> None:
    files = made["raw.ai_index_files"]
    counted = files.group_by("edition").agg(pl.len(), pl.col("n_rows").sum()).sort("edition")
    assert counted.rows() == [(2025, 304, 20_285), (2026, 343, 30_390)]
    assert made["raw.ai_index_rows"].height == 20_285 + 30_390
    odd = files.filter(pl.col("encoding") != "utf-8").select("edition", "figure", "encoding")
    assert odd.sort("figure").rows() == [
        (2026, "4.3.1", "mac_roman"),
        (2026, "4.4.33", "mac_roman"),
    ]


def test_every_known_fault_is_present_and_only_one_rule_fails(
    made: dict[str, pl.DataFrame], place: Path
) -> None:
    verdicts = made["raw.ai_index_corrections"]
    assert verdicts["still_holds"].to_list() == [True] * len(ai_index_corrections())
    broken = [r for r in checked(place).results if r.outcome != "passed"]
    assert {(r.expectation, r.severity) for r in broken} == {
        ("figures_of_an_edition_agree", "warning")
    }
    # 2025: newly funded companies of 2024 by 4.3.12 and by the series 4.3.14
    found = {
        (r["subject_key"], r["figures"], r["lowest"], r["highest"])
        for r in json.loads(broken[0].details or "")["rows"]
    }
    assert found == {("US", "4.3.12, 4.3.14", 1073, 1143), ("CN", "4.3.12, 4.3.14", 98, 109)}


def values(
    con: duckdb.DuckDBPyConnection, where: str, key: str = "subject_key"
) -> dict[str, float]:
    query = f"SELECT {key}, value FROM core.ai_index_series WHERE {where}"
    return {k: round(v, 2) for k, v in con.execute(query).fetchall()}


SERIES = [
    ("edition = 2026 AND figure = '1.1.1' AND revision = 1",
     {"US": 50, "CN": 30, "KR": 5, "CA": 1, "FR": 1, "HK": 1, "GB": 1}),
    ("edition = 2026 AND series = 'notable_models' AND period = '2025' AND is_preferred "
     "AND country_code IS NOT NULL",
     {"US": 59, "CN": 35, "KR": 8, "CA": 1, "FR": 1, "HK": 1, "SG": 1, "GB": 1}),
    ("edition = 2026 AND series = 'notable_models_by_sector' AND period = '2025' AND is_preferred",
     {"Industry": 93, "Academia": 2, "Industry-academia collaboration": 5, "Other": 2}),
    ("edition = 2026 AND series = 'notable_models_by_organization' AND is_preferred "
     "AND subject IN ('OpenAI', 'Google', 'Meta', 'Nvidia', 'Shanghai AI Lab', 'Alibaba')",
     {"OpenAI": 20, "Google": 14, "Meta": 4, "Nvidia": 3, "Shanghai AI Lab": 2, "Alibaba": 11}),
    ("edition = 2026 AND series = 'notable_models_by_organization_cumulative' AND is_preferred "
     "AND value >= 25",
     {"Google": 193, "Meta": 87, "OpenAI": 60, "Microsoft": 42, "Nvidia": 29,
      "Tsinghua University": 26, "Stanford University": 26, "Alibaba": 25,
      "Carnegie Mellon University": 25}),
    ("edition = 2026 AND series = 'notable_models_by_access' AND period = '2025' AND is_preferred "
     "AND subject = 'API access'", {"API access": 47}),
    ("edition = 2025 AND series = 'notable_models_share_by_access' AND period = '2014' "
     "AND subject = 'Unknown'", {"Unknown": 93.75}),
    ("edition = 2026 AND series = 'hub_download_share_by_country' AND period = '2025' "
     "AND subject_key IN ('US', 'CN', 'ZZ', 'Unaffiliated user')",
     {"CN": 16.93, "US": 16.59, "ZZ": 23.41, "Unaffiliated user": 32.61}),
    ("edition = 2026 AND series = 'private_investment' AND period = '2025' AND is_preferred "
     "AND subject_key IN ('US', 'CN', 'GB')", {"US": 285.88, "CN": 12.41, "GB": 5.9}),
    ("edition = 2026 AND series = 'national_ai_strategy' AND period = '2025' AND is_preferred "
     "AND country_code IN ('ZM', 'VN', 'YE')", {"ZM": 100, "VN": 100, "YE": 0}),
    ("edition = 2026 AND series LIKE 'hub_%_created' AND period = '2025Q4'",
     {"hub_models_created": 332098, "hub_datasets_created": 152907}),
    ("edition = 2026 AND series LIKE 'arena_text_%' AND subject = 'claude-opus-4-6'",
     {"arena_text_rating": 1503, "arena_text_rating_upper": 1510, "arena_text_rating_lower": 1496,
      "arena_text_error_lower": 7, "arena_text_error_upper": 7}),
    ("edition = 2025 AND series = 'benchmark_best_by_country' AND period = '2023' "
     "AND country_code = 'CN'", {"MMLU": 69, "MMMU": 45.9, "MATH": 60, "HumanEval": 61.64}),
    ("edition = 2026 AND series = 'openness_score' AND subject = 'K2 Think' "
     "AND detail <> 'Transparency: pre-training data'",
     {"Model availability": 6, "Transparency: methodology": 6,
      "Transparency: post-training data": 2}),
]  # fmt: skip


@pytest.mark.parametrize(("where", "expected"), SERIES)
def test_values_equal_those_printed_and_revised(
    con: duckdb.DuckDBPyConnection, where: str, expected: dict[str, float]
) -> None:
    key = "detail" if "benchmark" in where or "openness" in where else "subject_key"
    key = "series" if " LIKE " in where else key
    assert values(con, where, key) == expected


def test_periods_of_the_recordings(con: duckdb.DuckDBPyConnection) -> None:
    spans = con.execute(
        "SELECT series, edition, min(period), max(period) FROM core.ai_index_series WHERE series "
        "IN ('training_length', 'arena_best_by_provider', 'hub_models_created', "
        "'private_investment', 'training_compute_by_sector') GROUP BY ALL ORDER BY ALL"
    )
    assert spans.fetchall() == [
        ("arena_best_by_provider", 2025, "2024-01", "2025-02"),
        ("arena_best_by_provider", 2026, "2023-05", "2026-03"),
        ("hub_models_created", 2026, "2022Q1", "2025Q4"),
        ("private_investment", 2025, "2013", "2024"),
        ("private_investment", 2026, "2013", "2025"),
        ("training_compute_by_sector", 2025, "2003-03-15", "2024-12-24"),
        ("training_compute_by_sector", 2026, "2003-03-15", "2025-12-31"),
        ("training_length", 2025, "2010-03-01", "2024-10-15"),
        ("training_length", 2026, "2010-06-13", "2025-12-31"),
    ]


@pytest.mark.parametrize(
    ("series", "key", "period", "earlier", "later"),
    [
        ("notable_models", "US", "2024", 40, 57),
        ("notable_models", "CN", "2024", 15, 29),
        ("notable_models_cumulative", "US", "from 2003", 558, 627),
        ("notable_models_cumulative", "CN", "from 2003", 102, 144),
        ("notable_models_cumulative", "GB", "from 2003", 72, 41),
        ("notable_models_cumulative", "CA", "from 2003", 61, 53),
        ("notable_models_cumulative", "CH", "from 2003", 14, 11),
        ("notable_models_by_organization_cumulative", "Google", "from 2014", 187, 193),
        ("arena_best_by_country", "US", "2024-01", 1214.851847, 1334),
        ("arena_best_by_country", "CN", "2024-01", 1111.92061, 1189),
        ("notable_models_share_by_sector", "Industry", "2024", 55 / 61, 81 / 98),
    ],
)
def test_one_query_compares_a_figure_with_the_next_edition(
    con: duckdb.DuckDBPyConnection,
    series: str,
    key: str,
    period: str,
    earlier: float,
    later: float,
) -> None:
    found = con.execute(
        "SELECT value_earlier, value_later FROM mart.ai_index_restated "
        "WHERE series = ? AND subject_key = ? AND period = ?",
        [series, key, period],
    ).fetchall()
    assert found == [(pytest.approx(earlier, abs=5e-5), pytest.approx(later, abs=5e-5))]


def test_arena_gaps_as_win_rates(con: duckdb.DuckDBPyConnection) -> None:
    found = con.execute(
        "SELECT edition, period, board, gap_points, round(printed_gap_pct, 2), "
        "round(100 * expected_win_rate, 1) FROM mart.ai_index_arena_gap "
        "WHERE comparison = 'us_vs_cn' AND period IN ('2024-01', '2025-02', '2026-03') "
        "ORDER BY edition, period"
    ).fetchall()
    raw, styled = "raw board", "style-controlled board"
    assert found == [
        (2025, "2024-01", raw, pytest.approx(102.93, abs=0.01), 9.26, 64.4),
        (2025, "2025-02", raw, pytest.approx(23.16, abs=0.01), 1.70, 53.3),
        (2026, "2024-01", styled, 145, 12.20, 69.7),
        (2026, "2025-02", styled, 5, 0.36, 50.7),
        (2026, "2026-03", styled, 39, 2.66, 55.6),
    ]
    months = con.execute(
        "SELECT count(*) FROM mart.ai_index_arena_gap GROUP BY edition, comparison ORDER BY ALL"
    ).fetchall()
    assert [n for (n,) in months] == [14, 14, 35, 35]


def test_top_closed_model_is_american_and_top_open_one_often_chinese(
    con: duckdb.DuckDBPyConnection,
) -> None:
    same = con.execute(
        "SELECT count(*) FILTER (WHERE a.rating_first = b.rating_first), "
        "count(*) FILTER (WHERE a.rating_second = b.rating_second) "
        "FROM mart.ai_index_arena_gap AS a JOIN mart.ai_index_arena_gap AS b "
        "ON a.edition = b.edition AND a.period = b.period AND a.comparison = 'us_vs_cn' "
        "AND b.comparison = 'closed_vs_open' WHERE a.edition = 2026"
    ).fetchone()
    assert same == (35, 10)
