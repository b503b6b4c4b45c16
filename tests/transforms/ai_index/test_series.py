"""core.ai_index_series: values of mapped figures, revisions, and the preferred value."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tests.support.ai_index_rows import figure, index, printed, revised
from tests.support.frames import PROPERTY, Row, shuffled, table_of
from transforms.ai_index.figures import CellError
from warehouse.contracts.table import contract


def series(*parts: pl.LazyFrame, figures: list[Row], **more: pl.LazyFrame) -> pl.DataFrame:
    return table_of("core.ai_index_series", **index(*parts, figures=figures, **more))


def test_fixed_period_applies_to_the_whole_figure() -> None:
    fixed = figure("1.1", fixed_period="2003-2024")
    made = series(printed("1.1", ["5", "China"], ["7", "Hong Kong"]), figures=[fixed])
    assert made.select("line", "country_code", "period", "year", "value").rows() == [
        (1, "CN", "2003-2024", 2024, 5.0),
        (2, "HK", "2003-2024", 2024, 7.0),
    ]


def test_value_columns_become_series_or_periods() -> None:
    top = {"fixed_period": "2026", "subject_kind": "model"}
    made = series(
        printed("1.1", ["1303", "A", "1307"]),
        printed("1.2", ["0", "China", "100"]),
        figures=[
            figure("1.1", **top, series="rating"),
            figure("1.1", **top, series="upper", value_index=2),
            figure("1.2", fixed_period="2019", series="strategy"),
            figure("1.2", fixed_period="2020", series="strategy", value_index=2),
        ],
    )
    assert made.select("figure", "line", "series", "period", "value").rows() == [
        ("1.1", 1, "rating", "2026", 1303.0),
        ("1.1", 1, "upper", "2026", 1307.0),
        ("1.2", 1, "strategy", "2019", 0.0),
        ("1.2", 1, "strategy", "2020", 100.0),
    ]


def test_points_keep_their_records_and_may_lack_a_subject() -> None:
    cloud = figure(
        "1.1",
        subject_index=None,
        subject_kind="none",
        period_index=1,
        period_form="date_mdy",
        is_point=True,
    )
    made = series(
        printed("1.1", ["5", "7/1/24"], ["5", "7/1/24"], ["6", "7/1/24"]), figures=[cloud]
    )
    columns = ["line", "subject", "subject_key", "value", "is_preferred"]
    assert made.select(columns).rows() == [
        (1, None, None, 5.0, True),
        (2, None, None, 5.0, True),
        (3, None, None, 6.0, True),
    ]


FORMS = {"percent": {"value_form": "percent_text"}, "blank": {"blank": "none that year"}}


@pytest.mark.parametrize(
    ("record", "more", "missing"),
    [
        (["n/a", "China", "2024"], {}, "value"),
        (["", "China", "2024"], {}, "value"),
        (["n/a", "China", "2024"], FORMS["blank"], "value"),
        (["5", "China", "2024"], FORMS["percent"], "value"),
        (["5%", "China", "2024"], {}, "value"),
        (["5", "China", "9999-99-99"], {"period_form": "date"}, "period"),
        (["5", "China", ""], {}, "period"),
        (["5", "China"], {}, "period"),
        (["5", " ", "2024"], {}, "subject"),
        (["5", "China", "2024"], {"detail_index": 3}, "detail"),
    ],
)
def test_unreadable_cell_stops_the_build_and_is_named(
    record: list[str], more: dict[str, Any], missing: str
) -> None:
    sound = ["5%" if more == FORMS["percent"] else "5", "China", "2024", "MMLU"]
    sound[2] = "2024-01-01" if "period_form" in more else "2024"
    with pytest.raises(CellError, match="cannot be read") as stopped:
        series(printed("1.1", sound, record), figures=[figure("1.1", **more)])
    told = str(stopped.value)
    assert f"edition 2026, fig_1.1.csv, record 2: no {missing} in {json.dumps(record)}" in told
    assert "record 1:" not in told
    assert "warehouse/contracts/sources/ai_index.yml" in told


def test_blank_cell_gets_the_reason_from_the_source_card() -> None:
    blank = figure("1.1", **FORMS["blank"])
    made = series(printed("1.1", ["", "China", "2024"], ["5", "China", "2025"]), figures=[blank])
    assert made.select("value", "missing_reason").rows() == [(None, "none that year"), (5.0, None)]


def test_second_uploads_and_unmapped_figures_are_ignored() -> None:
    made = series(
        printed("1.1", ["5", "China", "2024"]),
        printed("1.1", ["6", "China", "2024"], file_name="1. Research/Data/fig_1.1(1).csv"),
        printed("1.1", ["7", "China", "2024"], edition=2025),
        printed("1.10", ["8", "China", "2024"]),
        printed("1.1", ["9", "China", "2024"], figure=None, file_name="1. Research/notes.csv"),
        figures=[figure("1.1")],
    )
    assert made["value"].to_list() == [5.0]


def test_subject_has_one_name_and_only_areas_have_a_country() -> None:
    listed = [
        {"subject_kind": "area", "spelling": "Europe", "subject_key": "Europe"},
        {"subject_kind": "access", "spelling": "top open model", "subject_key": "open"},
    ]
    subjects = pl.DataFrame(listed, schema=contract("raw.ai_index_subjects").polars_schema).lazy()
    made = series(
        printed("1.1", *[["5", name, "2024"] for name in ("US", " top China model ", "Europe")]),
        printed("1.2", ["5", "Atlantis", "2024"]),
        printed("1.3", ["5", "US", "2024"]),
        printed("1.4", ["5", "top open model", "2024"], ["6", "Europe", "2024"]),
        figures=[
            figure("1.1"),
            figure("1.2"),
            figure("1.3", subject_kind="developer"),
            figure("1.4", subject_kind="access"),
        ],
        raw_ai_index_subjects=subjects,
    )
    assert made.select("figure", "subject", "subject_key", "country_code").rows() == [
        ("1.1", "US", "US", "US"),
        ("1.1", "top China model", "CN", "CN"),
        ("1.1", "Europe", "Europe", None),
        ("1.2", "Atlantis", None, None),
        ("1.3", "US", "US", None),
        ("1.4", "top open model", "open", None),
        ("1.4", "Europe", "Europe", None),
    ]


PRINTED = printed("1.1", ["50", "United States"], ["30", "China"])
FIXED = figure("1.1", fixed_period="2025")


def test_both_revisions_are_listed_and_the_later_one_is_preferred() -> None:
    fix = revised("1.1", ("United States", "2025", 59), ("Singapore", "2025", 1))
    made = series(PRINTED, figures=[FIXED], **fix)
    columns = ["revision", "line", "country_code", "value", "unit", "is_preferred"]
    assert made.select(columns).rows() == [
        (1, 1, "US", 50.0, "models", False),
        (1, 2, "CN", 30.0, "models", True),
        (2, 1, "US", 59.0, "models", True),
        (2, 2, "SG", 1.0, "models", True),
    ]


@pytest.mark.parametrize("holds", [False, None])
def test_outdated_correction_is_not_applied(holds: bool | None) -> None:
    made = series(PRINTED, figures=[FIXED], **revised("1.1", ("China", "2025", 35), holds=holds))
    assert made.select("value", "is_preferred").rows() == [(50.0, True), (30.0, True)]


ANY = st.tuples(
    st.sampled_from(["1.2", "1.10", "2.1"]),
    st.sampled_from(["", "7", "8"]),
    st.sampled_from(["China", "US", "Atlantis", "Lemuria"]),
)


@PROPERTY
@given(
    st.lists(ANY, min_size=1, max_size=15),
    st.lists(st.sampled_from(["China", "US"]), max_size=2, unique=True),
    st.integers(0, 2**16),
)
def test_preferred_value_equals_that_of_a_slow_search(
    found: list[tuple[str, str, str]], fixed: list[str], seed: int
) -> None:
    by_figure: dict[str, list[list[str]]] = {}
    for number, value, area in found:
        by_figure.setdefault(number, []).append([value, area])
    maps = [figure(n, fixed_period="2025", blank="none") for n in by_figure]
    number = min(by_figure)
    fix = revised(number, *[(area, "2025", 9.0) for area in fixed])
    frames = index(*[printed(n, *r) for n, r in by_figure.items()], figures=maps, **fix)
    made = table_of("core.ai_index_series", **frames)
    mixed = {name: shuffled(frame, seed) for name, frame in frames.items()}
    assert_frame_equal(table_of("core.ai_index_series", **mixed), made)

    candidates: dict[str, list[tuple[Any, ...]]] = {}
    for row in made.iter_rows(named=True):
        parts = tuple(int(p) for p in row["figure"].split("."))
        order = (row["value"] is None, -row["revision"], parts, row["line"])
        candidates.setdefault(row["subject"], []).append((*order, row["is_preferred"]))
    for rows in candidates.values():
        assert [preferred for *_, preferred in sorted(rows)] == [True] + [False] * (len(rows) - 1)
