"""The AI Index marts: editions side by side."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.ai_index_rows import figure, index, printed, revised
from tests.support.frames import PROPERTY, Row, table_of


def restated(*parts: pl.LazyFrame, figures: list[Row], **more: pl.LazyFrame) -> pl.DataFrame:
    return table_of("mart.ai_index_restated", **index(*parts, figures=figures, **more))


def test_quantity_of_two_editions_is_one_row_in_one_unit() -> None:
    made = restated(
        printed("3.9", ["93.75%", "China", "2023"], ["1%", "China", "2022"], edition=2025),
        printed("1.5", ["0.75", "top China model", "2023"], ["0.5", "China", "2024"]),
        figures=[
            figure("3.9", edition=2025, unit="percent", value_form="percent_text", basis="all"),
            figure("1.5", unit="share", basis="some"),
        ],
    )
    (row,) = made.iter_rows(named=True)
    assert row["difference"] == pytest.approx(-0.1875)
    assert row["ratio"] == pytest.approx(0.8)
    told = ("subject_key", "country_code", "period", "unit", "value_earlier", "value_later")
    assert [row[c] for c in told] == ["CN", "CN", "2023", "share", 0.9375, 0.75]
    told = ("figure_earlier", "figure_later", "basis_earlier", "basis_later", "edition_later")
    assert [row[c] for c in told] == ["3.9", "1.5", "all", "some", 2026]


def test_subject_of_one_edition_has_no_value_in_the_other() -> None:
    made = restated(
        printed("3.1", ["4", "China", "2023"], ["0", "France", "2023"], edition=2025),
        printed("1.1", ["5", "Japan", "2023"], ["6", "France", "2023"]),
        figures=[figure("3.1", edition=2025), figure("1.1")],
    )
    columns = ["subject_key", "value_earlier", "value_later", "difference", "ratio"]
    assert made.select(columns).rows() == [
        ("CN", 4.0, None, None, None),
        ("FR", 0.0, 6.0, 6.0, None),
        ("JP", None, 5.0, None, None),
    ]


def test_sums_use_preferred_values_from_the_first_common_year() -> None:
    sums = {"series": "cumulative"}
    made = restated(
        printed("3.3", ["558", "US"], edition=2025),
        printed("1.3", ["627", "US"]),
        figures=[
            figure("3.3", edition=2025, fixed_period="2003-2024", **sums),
            figure("1.3", fixed_period="2003-2025", **sums),
        ],
        **revised("1.3", ("US", "2003-2025", 630)),
    )
    columns = ["period", "period_earlier", "period_later", "value_earlier", "value_later"]
    assert made.select(*columns, "revision_later").rows() == [
        ("from 2003", "2003-2024", "2003-2025", 558.0, 630.0, 2)
    ]


def test_points_are_not_compared_and_editions_pair_with_the_next() -> None:
    cloud = {"series": "compute", "is_point": True}
    maps = [figure("1.1", edition=e) for e in (2024, 2025, 2027)]
    clouds = [figure("1.2", edition=e, **cloud) for e in (2024, 2025)]
    made = restated(
        *[printed("1.1", ["5", "US", "2020"], edition=e) for e in (2024, 2025, 2027)],
        *[printed("1.2", ["5", "US", "2020"], edition=e) for e in (2024, 2025)],
        figures=[*maps, *clouds],
    )
    assert made.select("series", "edition_earlier", "edition_later").rows() == [
        ("notable_models", 2024, 2025),
        ("notable_models", 2025, 2027),
    ]


def gaps(first: float, second: float) -> dict[str, Any]:
    best = figure(
        "2.1", series="arena_best_by_country", unit="arena points", basis="raw board",
        period_form="month",
    )  # fmt: skip
    told = printed("2.1", [f"{first!r}", "US", "2026-03"], [f"{second!r}", "China", "2026-03"])
    return table_of("mart.ai_index_arena_gap", **index(told, figures=[best])).row(0, named=True)


@pytest.mark.parametrize(
    ("first", "second", "points", "percent", "win_rate"),
    [(1503, 1464, 39, 2.66, 0.556), (1405, 1400, 5, 0.36, 0.507), (1400, 1405, -5, 0.36, 0.493)],
)
def test_gap_in_percent_becomes_points_and_a_win_rate(
    first: float, second: float, points: float, percent: float, win_rate: float
) -> None:
    made = gaps(first, second)
    assert made["gap_points"] == points
    assert made["printed_gap_pct"] == pytest.approx(percent, abs=0.005)
    assert made["expected_win_rate"] == pytest.approx(win_rate, abs=0.0005)
    assert (made["board"], made["comparison"], made["period"]) == (
        "raw board",
        "us_vs_cn",
        "2026-03",
    )


@PROPERTY
@given(st.integers(800, 1800), st.integers(800, 1800), st.integers(-300, 300))
def test_win_rate_does_not_depend_on_the_origin_of_the_scale(a: int, b: int, shift: int) -> None:
    here, there, back = gaps(a, b), gaps(a + shift, b + shift), gaps(b, a)
    assert here["expected_win_rate"] == pytest.approx(there["expected_win_rate"])
    assert here["expected_win_rate"] + back["expected_win_rate"] == pytest.approx(1)
    assert here["printed_gap_pct"] == pytest.approx(back["printed_gap_pct"])
    if a != b and shift:
        assert here["printed_gap_pct"] != pytest.approx(there["printed_gap_pct"])
