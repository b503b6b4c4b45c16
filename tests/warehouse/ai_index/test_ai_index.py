"""The AI Index: cells read as declared, guarded corrections, editions side by side."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from expectations.report import Report
from expectations.validate import validate_database
from flows.settings import Settings
from flows.sources import SOURCES
from flows.sources.ai_index.editions import find_local
from flows.sources.http import SourceError
from flows.steps.observe import observe
from tests.conftest import DAY, settings_for
from tests.standin import StandIn
from tests.support.ai_index_rows import figure, index, printed, revised
from tests.support.frames import PROPERTY, Row, compute, everything, shuffled, table_of
from transforms.ai_index import cells
from transforms.ai_index.figures import CellError
from warehouse.ai_index.corrections import (
    CorrectionError,
    Csv,
    ai_index_corrections,
    read_corrections,
)
from warehouse.ai_index.figures import Figure, figures
from warehouse.archive.archive import Archive
from warehouse.contracts.source import cards
from warehouse.contracts.table import contract, contracts
from warehouse.database import duckdb_file
from warehouse.registry.load import load_reference
from warehouse.releases.licensing import plan

MARTS = {"mart.ai_index_restated", "mart.ai_index_arena_gap", "mart.notable_models_by_country"}


# ---- periods and numbers -------------------------------------------------------------------------


def read(what: Callable[[pl.Expr, pl.Expr], pl.Expr], texts: Sequence[str], form: str) -> list[Any]:
    frame = pl.DataFrame({"text": texts}, schema={"text": pl.String}).lazy()
    return frame.select(what(pl.col("text"), pl.lit(form))).collect().to_series().to_list()


@pytest.mark.parametrize(
    ("form", "cell", "period", "year"),
    [
        ("year", "2013", "2013", 2013),
        ("year", "2013.0", "2013", 2013),
        ("school_year", "2013-14", "2013-2014", 2014),
        ("school_year", "1999-00", "1999-2000", 2000),
        ("quarter", "2022Q1", "2022Q1", 2022),
        ("month", "2024-01", "2024-01", 2024),
        ("month", "2024-01-01", "2024-01", 2024),
        ("month_mdy", "2/1/25", "2025-02", 2025),
        ("month_name", "Jan-2020", "2020-01", 2020),
        ("date", "2024-02-29", "2024-02-29", 2024),
        ("date_mdy", "7/24/24", "2024-07-24", 2024),
        ("date_mdy", "12/31/25", "2025-12-31", 2025),
    ],
)
def test_a_period_is_read_in_its_declared_form(
    form: str, cell: str, period: str, year: int
) -> None:
    assert read(cells.period, [cell], form) == [period]
    assert read(lambda text, _: cells.year(text), [period], form) == [year]


@pytest.mark.parametrize(
    ("form", "cell"),
    [
        ("year", "2013.5"),
        ("year", "13"),
        ("year", "2013-14"),
        ("year", "20134"),
        ("school_year", "2013-15"),
        ("school_year", "2013"),
        ("quarter", "2022Q5"),
        ("quarter", "2022"),
        ("month", "2024-13"),
        ("month", "2024-01-02"),
        ("month", "2024"),
        ("month_mdy", "2/2/25"),
        ("month_mdy", "2025-02-01"),
        ("month_name", "Foo-2020"),
        ("month_name", "Jan-20"),
        ("date", "9999-99-99"),
        ("date", "2023-02-29"),
        ("date", "7/24/24"),
        ("date_mdy", "24/7/24"),
        ("date_mdy", "7/24/2024"),
        ("date_mdy", "2024-07-24"),
    ],
)
def test_another_form_is_no_period(form: str, cell: str) -> None:
    assert read(cells.period, [cell], form) == [None]


WRITTEN: dict[str, tuple[Callable[[date], str], Callable[[date], str]]] = {
    "year": (lambda d: f"{d.year}", lambda d: f"{d.year}"),
    "quarter": (lambda d: f"{d.year}Q{(d.month + 2) // 3}",) * 2,
    "month": (lambda d: f"{d:%Y-%m}-01", lambda d: f"{d:%Y-%m}"),
    "month_mdy": (lambda d: f"{d.month}/1/{d:%y}", lambda d: f"{d:%Y-%m}"),
    "month_name": (lambda d: f"{d:%b-%Y}", lambda d: f"{d:%Y-%m}"),
    "date": (lambda d: f"{d}", lambda d: f"{d}"),
    "date_mdy": (lambda d: f"{d.month}/{d.day}/{d:%y}", lambda d: f"{d}"),
    "school_year": (
        lambda d: f"{d.year}-{(d.year + 1) % 100:02}",
        lambda d: f"{d.year}-{d.year + 1}",
    ),
}


@PROPERTY
@given(st.lists(st.dates(date(2000, 1, 1), date(2049, 12, 31)), min_size=1, max_size=20))
def test_any_day_comes_back_from_every_form(days: list[date]) -> None:
    assert set(WRITTEN) == set(contract("raw.ai_index_figures").columns["period_form"].values or ())
    for form, (write, expected) in WRITTEN.items():
        assert read(cells.period, [write(d) for d in days], form) == [expected(d) for d in days]


@PROPERTY
@given(st.lists(st.text("0123456789-/.Q JanFeb", max_size=10), max_size=30))
def test_a_text_is_read_by_no_two_forms_to_different_years(texts: list[str]) -> None:
    periods = {form: read(cells.period, texts, form) for form in WRITTEN}
    for form, found in periods.items():
        for text, period in zip(texts, found, strict=True):
            if period is not None and form not in {"date_mdy", "month_mdy"}:
                assert period[:4] in text


@pytest.mark.parametrize(
    ("form", "cell", "value"),
    [
        ("number", "0.5", 0.5),
        ("number", "1,234", 1234.0),
        ("number", "1,234,567.5", 1234567.5),
        ("number", "1.48E+13", 1.48e13),
        ("number", "4.1e-05", 4.1e-05),
        ("number", "-1.5", -1.5),
        ("percent_text", "93.75%", 93.75),
        ("percent_text", "0.00%", 0.0),
    ],
)
def test_a_number_is_read_in_its_declared_form(form: str, cell: str, value: float) -> None:
    assert read(cells.number, [cell], form) == [value]


@pytest.mark.parametrize(
    ("form", "cell"),
    [
        *[
            ("number", c)
            for c in ("", "n/a", "about 5", "93.75%", "12 models", "nan", "Inf", "1,23")
        ],
        *[("number", c) for c in ("1.5.7", "--1", "0x10", "1e", "5 ", "٣")],
        *[("percent_text", c) for c in ("93.75", "5 %%", "%", "nan%", "5 %")],
    ],
)
def test_what_is_no_number_is_not_taken_for_one(form: str, cell: str) -> None:
    assert read(cells.number, [cell], form) == [None]


@PROPERTY
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=30))
def test_any_number_comes_back_from_both_forms(numbers: list[float]) -> None:
    assert read(cells.number, [repr(n) for n in numbers], "number") == numbers
    assert read(cells.number, [f"{n!r}%" for n in numbers], "percent_text") == numbers
    whole = [int(n) for n in numbers if abs(n) < 2**53]
    assert read(cells.number, [f"{n:,}" for n in whole], "number") == [float(n) for n in whole]


@PROPERTY
@given(st.lists(st.text("0123456789.,+-eE%naif ", max_size=8), max_size=40))
def test_a_number_is_python_s_number_or_nothing(texts: list[str]) -> None:
    for text, value in zip(texts, read(cells.number, texts, "number"), strict=True):
        if value is not None:
            assert value == float(text.replace(",", ""))
            assert math.isfinite(value) or "e" in text.lower()
        else:
            assert not re.fullmatch(r"-?\d+(\.\d+)?", text)


# ---- values of mapped figures --------------------------------------------------------------------


def series(*parts: pl.LazyFrame, figures: list[Row], **more: pl.LazyFrame) -> pl.DataFrame:
    return table_of("core.ai_index_series", **index(*parts, figures=figures, **more))


def test_a_fixed_period_stands_for_the_whole_figure() -> None:
    fixed = figure("1.1", fixed_period="2003-2024")
    made = series(printed("1.1", ["5", "China"], ["7", "Hong Kong"]), figures=[fixed])
    assert made.select("line", "country_code", "period", "year", "value").rows() == [
        (1, "CN", "2003-2024", 2024, 5.0),
        (2, "HK", "2003-2024", 2024, 7.0),
    ]


def test_each_value_column_is_a_series_or_a_period_of_its_own() -> None:
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


def test_points_keep_their_records_and_have_no_subject_where_none_is_printed() -> None:
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
def test_a_cell_that_cannot_be_read_stops_the_build_and_is_named(
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


def test_a_blank_is_missing_for_the_reason_that_the_card_gives() -> None:
    blank = figure("1.1", **FORMS["blank"])
    made = series(printed("1.1", ["", "China", "2024"], ["5", "China", "2025"]), figures=[blank])
    assert made.select("value", "missing_reason").rows() == [(None, "none that year"), (5.0, None)]


def test_second_uploads_and_figures_that_nobody_mapped_are_left_out() -> None:
    made = series(
        printed("1.1", ["5", "China", "2024"]),
        printed("1.1", ["6", "China", "2024"], file_name="1. Research/Data/fig_1.1(1).csv"),
        printed("1.1", ["7", "China", "2024"], edition=2025),
        printed("1.10", ["8", "China", "2024"]),
        printed("1.1", ["9", "China", "2024"], figure=None, file_name="1. Research/notes.csv"),
        figures=[figure("1.1")],
    )
    assert made["value"].to_list() == [5.0]


def test_a_subject_goes_by_one_name_and_only_an_area_has_a_country() -> None:
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


# ---- revisions -----------------------------------------------------------------------------------

PRINTED = printed("1.1", ["50", "United States"], ["30", "China"])
FIXED = figure("1.1", fixed_period="2025")


def test_both_revisions_are_held_and_the_later_one_is_preferred() -> None:
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
def test_a_correction_that_does_not_hold_is_not_applied(holds: bool | None) -> None:
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
def test_one_value_of_a_quantity_is_preferred_as_a_slow_search_finds_it(
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


# ---- editions side by side -----------------------------------------------------------------------


def restated(*parts: pl.LazyFrame, figures: list[Row], **more: pl.LazyFrame) -> pl.DataFrame:
    return table_of("mart.ai_index_restated", **index(*parts, figures=figures, **more))


def test_one_quantity_of_two_editions_stands_in_one_row_and_one_unit() -> None:
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


def test_a_subject_of_one_edition_only_has_no_value_in_the_other() -> None:
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


def test_sums_are_compared_from_their_first_year_and_preferred_values_only() -> None:
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


def test_clouds_of_models_are_not_compared_and_editions_pair_with_the_next_one() -> None:
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
def test_a_gap_in_percent_becomes_points_and_a_win_rate(
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
def test_a_win_rate_does_not_depend_on_where_the_scale_begins(a: int, b: int, shift: int) -> None:
    here, there, back = gaps(a, b), gaps(a + shift, b + shift), gaps(b, a)
    assert here["expected_win_rate"] == pytest.approx(there["expected_win_rate"])
    assert here["expected_win_rate"] + back["expected_win_rate"] == pytest.approx(1)
    assert here["printed_gap_pct"] == pytest.approx(back["printed_gap_pct"])
    if a != b and shift:
        assert here["printed_gap_pct"] != pytest.approx(there["printed_gap_pct"])


# ---- the figure map ------------------------------------------------------------------------------

SOUND = {
    "edition": 2026,
    "figure": "1.1.1",
    "header": ["Models", "Area", "Year"],
    "values": {"Models": "notable_models"},
    "subject": "Area",
    "subject_kind": "area",
    "period": "Year",
    "unit": "models",
}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"values": {"Modells": "notable_models"}}, "no column"),
        ({"subject": "area"}, "no column"),
        ({"fixed_period": "2025"}, "not exactly one of period"),
        ({"period": None}, "not exactly one of period"),
        ({"period_form": "years"}, "period_form"),
        ({"subject": None}, "subject and its kind disagree"),
        ({"subject_kind": "none"}, "subject and its kind disagree"),
        ({"value_form": "text"}, "value_form"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_figure_that_cannot_be_meant_is_refused(change: dict[str, Any], told: str) -> None:
    assert [row["value_index"] for row in Figure.model_validate(SOUND).rows()] == [0]
    with pytest.raises(ValueError, match=told):
        Figure.model_validate(SOUND | change)


def test_no_figure_is_mapped_that_a_correction_blocks() -> None:
    mapped = {(f.edition, f.figure) for f in figures()}
    blocked = {(c.edition, f) for c in ai_index_corrections() for f in c.blocks}
    assert blocked and not mapped & blocked
    assert len(mapped) == len(figures())
    spelt = {value for f in figures() for value in f.values.values()}
    assert all(re.fullmatch(r"[a-z_]+", name) for name in spelt)


# ---- guards --------------------------------------------------------------------------------------

HERE = Csv(["Country", "Status"], [["France", "a"], ["Korea", "b"], ["France", "c"]], "utf-8")
SAME = Csv(list(HERE.header), [list(r) for r in HERE.records], "mac_roman")
OTHER = Csv(["Country", "Status"], [["France", "a"]], "utf-8")
FILES = {"fig_1.csv": HERE, "fig_2.csv": SAME, "fig_3.csv": OTHER}


@pytest.mark.parametrize(
    ("guard", "other", "holds"),
    [
        ({"guard": "records", "present": [["France", "a"], ["Korea", "b"]]}, None, True),
        ({"guard": "records", "present": [["Korea", "a"]]}, None, False),
        ({"guard": "records", "present": [["France", "a"]], "absent": ["Japan"]}, None, True),
        ({"guard": "records", "present": [["France", "a"]], "absent": ["Korea"]}, None, False),
        ({"guard": "same_content"}, "fig_2.csv", True),
        ({"guard": "same_content"}, "fig_3.csv", False),
        ({"guard": "same_content"}, "fig_4.csv", None),
        ({"guard": "second_upload", "identical": True}, "fig_2.csv", True),
        ({"guard": "second_upload", "identical": True}, "fig_3.csv", False),
        ({"guard": "second_upload", "identical": False}, "fig_3.csv", True),
        ({"guard": "second_upload", "identical": False}, "fig_4.csv", False),
        ({"guard": "header", "header": ["Country", "Status"]}, None, True),
        ({"guard": "header", "header": ["Country"]}, None, False),
        ({"guard": "repeats", "column": "Country", "cells": ["France"]}, None, True),
        ({"guard": "repeats", "column": "Country", "cells": ["France", "Korea"]}, None, False),
        ({"guard": "repeats", "column": "Area", "cells": ["France"]}, None, False),
        ({"guard": "repeats", "cells": ["Country"]}, None, False),
        ({"guard": "encoding", "encoding": "utf-8"}, None, True),
        ({"guard": "encoding", "encoding": "mac_roman"}, None, False),
    ],
)
def test_a_guard_holds_while_the_file_shows_the_fault(
    tmp_path: Path, guard: dict[str, Any], other: str | None, holds: bool | None
) -> None:
    told = {"id": "x", "edition": 2026, "file": "fig_1.csv", "other": other, "holds_while": guard}
    path = tmp_path / "corrections.yml"
    path.write_text(json.dumps([told | {"defect": "d", "rule": "r", "source": "s"}]))
    (correction,) = read_corrections(path)
    assert correction.still_holds(FILES) is holds
    assert correction.still_holds({}) is None


@pytest.mark.parametrize(
    "text",
    ["- 1", "a: [", "", '[{"id": "x"}]', "same twice", '[{"guard": "magic"}]'],
)
def test_corrections_that_cannot_be_used_are_refused_with_the_file(
    tmp_path: Path, text: str
) -> None:
    one = {"id": "x", "edition": 2026, "file": "f", "defect": "d", "rule": "r", "source": "s"}
    sound = one | {"holds_while": {"guard": "same_content"}}
    path = tmp_path / "corrections.yml"
    path.write_text(json.dumps([sound, sound]) if text == "same twice" else text)
    with pytest.raises(CorrectionError, match=re.escape(str(path))):
        read_corrections(path)


# ---- editions laid down by hand ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["2025.zip"], "2025.zip"),
        (["PUBLIC DATA_ 2025 AI Index Report", "PUBLIC DATA_ 2026 AI INDEX REPORT"], 0),
        (["2025 report, fetched 2026.zip", "2026.zip"], 0),
        (["AI Index 2025 and 2026.zip", "2025.zip"], "2025.zip"),
        (["2025", "2025 report"], "2025"),
        (["2026", "notes 2025.txt"], None),
        (["20250929.zip", "12025.zip"], None),
        (["2026 report, with 2025 beside it.zip"], None),
        ([], None),
    ],
)
def test_an_edition_is_found_by_its_name(
    tmp_path: Path, names: list[str], found: str | int | None
) -> None:
    for name in names:
        (tmp_path / name).write_text("") if "." in name else (tmp_path / name).mkdir()
    expected = names[found] if isinstance(found, int) else found
    laid = find_local(tmp_path, 2025)
    assert (laid.title if laid else None) == expected


@pytest.mark.parametrize(
    "names",
    [
        ["AI Index 2025 and 2026.zip"],
        ["2026-05-13 data of 2025.zip"],
        ["2025 a.zip", "2025 b.zip"],
        ["2025.zip", "2025"],
    ],
)
def test_a_name_that_may_be_another_edition_is_refused(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_text("") if "." in name else (tmp_path / name).mkdir()
    with pytest.raises(SourceError, match="several files could be edition 2025") as refused:
        find_local(tmp_path, 2025)
    assert all(name in str(refused.value) for name in names)
    assert "rename the right one to 2025 or 2025.zip" in str(refused.value)


# ---- both editions as recorded -------------------------------------------------------------------


def build(settings: Settings, path: Path) -> dict[str, pl.DataFrame]:
    """The AI Index's tables of what was observed, kept at `path` too."""
    con = duckdb_file.create(path)
    load_reference(con)
    archive = Archive(settings.archive)
    (snapshot,) = [s for s in archive.snapshots() if s.source == "ai_index"]
    SOURCES["ai_index"].parse(con, archive, snapshot)
    names = [r[0] for r in con.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = "
                                       "'raw' AND estimated_size > 0").fetchall()]  # fmt: skip
    raw = {f"raw_{name}": con.sql(f"FROM raw.{name}").pl().lazy() for name in names}
    made = everything(targets=MARTS, **raw)
    for table, frame in made.items():
        con.execute(f"INSERT INTO {contract(table).sql_name} SELECT * FROM frame")
        assert frame.height >= 0
    con.close()
    return made | {f"raw.{name.removeprefix('raw_')}": f.collect() for name, f in raw.items()}


def checked(path: Path) -> Report:
    tables = ["raw.ai_index_corrections", "raw.ai_index_files", "core.ai_index_series"]
    return validate_database(path, [*tables, "mart.ai_index_arena_gap"], "core")


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


def test_every_mapped_figure_gives_every_one_of_its_values(made: dict[str, pl.DataFrame]) -> None:
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


def test_every_file_and_record_of_both_editions_is_accounted_for(
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


def test_every_known_fault_is_still_there_and_no_rule_but_one_is_broken(
    made: dict[str, pl.DataFrame], place: Path
) -> None:
    verdicts = made["raw.ai_index_corrections"]
    assert verdicts["still_holds"].to_list() == [True] * len(ai_index_corrections())
    broken = [r for r in checked(place).results if r.outcome != "passed"]
    assert {(r.expectation, r.severity) for r in broken} == {
        ("figures_of_an_edition_agree", "warning")
    }
    # 2025: newly funded companies of 2024 by 4.3.12 and by the series 4.3.14
    told = {
        (r["subject_key"], r["figures"], r["lowest"], r["highest"])
        for r in json.loads(broken[0].details or "")["rows"]
    }
    assert told == {("US", "4.3.12, 4.3.14", 1073, 1143), ("CN", "4.3.12, 4.3.14", 98, 109)}


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
def test_values_as_the_editions_print_and_revise_them(
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
def test_one_query_shows_what_the_next_edition_made_of_a_figure(
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


def test_the_gaps_of_the_arena_as_win_rates(con: duckdb.DuckDBPyConnection) -> None:
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


def test_the_top_closed_model_is_american_every_month_and_the_top_open_one_often_chinese(
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


# ---- a file that upstream repairs ----------------------------------------------------------------

KEPT = [
    "1.1.1",
    "1.1.2",
    "1.2.3",
    "1.2.3(1)",
    "1.6.1",
    "3.8.3",
    "4.2.9",
    "4.2.14",
    "4.4.33",
    "8.4.2",
]


@pytest.fixture
def laid(recordings: Path, tmp_path: Path) -> Path:
    """Some files of the 2026 edition, to be changed."""
    for number in KEPT:
        (found,) = (recordings / "ai_index/2026").rglob(f"fig_{number}.csv")
        target = tmp_path / "recorded/ai_index/2026/1. Research/Data" / found.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(found, target)
    return tmp_path / "recorded"


def rebuilt(laid: Path, folder: Path) -> tuple[dict[str, pl.DataFrame], Report]:
    with StandIn(laid) as server:
        settings = settings_for(server, folder)
        observe("ai_index", settings, DAY)
        made = build(settings, folder / "observatory.duckdb")
    return made, checked(folder / "observatory.duckdb")


def announced(report: Report) -> set[str]:
    (told,) = [r for r in report.results if r.expectation == "correction_still_applies"]
    assert told.severity == "warning"
    rows = json.loads(told.details or "{}").get("rows", [])
    return {row["correction_id"] for row in rows}


def replaced(old: str, new: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        data = path.read_bytes()
        assert old.encode() in data
        path.write_bytes(data.replace(old.encode(), new.encode()))

    return change


def to_utf8(path: Path) -> None:
    path.write_bytes(path.read_bytes().decode("mac_roman").encode())


@pytest.mark.parametrize(
    ("number", "repair", "correction"),
    [
        ("1.1.1", replaced("50,United States", "59,United States"), "2026-1.1.1"),
        ("1.1.1", replaced("1,Hong Kong", "1,Hong Kong\n1,Singapore"), "2026-1.1.1"),
        ("1.2.3(1)", Path.unlink, "2026-1.2.3-second"),
        ("1.6.1", replaced("2013,0.216", "2025,0.216"), "2026-1.6.1"),
        ("3.8.3", replaced("Country Code", "Dimension"), "2026-3.8.3"),
        ("4.2.9", replaced("2025,1953", "2025,1073"), "2026-4.2.9-4.2.14"),
        ("8.4.2", replaced("France,4", "France (upper chamber),4"), "2026-8.4.2"),
        ("4.4.33", to_utf8, "2026-4.4.33-encoding"),
    ],
)
def test_a_repaired_file_announces_itself(
    laid: Path, tmp_path: Path, number: str, repair: Callable[[Path], None], correction: str
) -> None:
    (path,) = laid.rglob(f"fig_{number}.csv")
    repair(path)
    made, report = rebuilt(laid, tmp_path)
    assert announced(report) == {correction}
    report.raise_for_critical()
    revised = made["core.ai_index_series"].filter(pl.col("revision") == 2)
    assert revised.is_empty() == (number == "1.1.1")


def test_a_stale_correction_is_not_applied_to_a_repaired_figure(laid: Path, tmp_path: Path) -> None:
    made, report = rebuilt(laid, tmp_path / "as it was")
    assert announced(report) == set()

    def americans(made: dict[str, pl.DataFrame]) -> list[tuple[int, float, bool]]:
        found = made["core.ai_index_series"].filter(figure="1.1.1", country_code="US")
        return found.select("revision", "value", "is_preferred").sort("revision").rows()

    assert americans(made) == [(1, 50.0, False), (2, 59.0, True)]
    (path,) = laid.rglob("fig_1.1.1.csv")
    replaced("50,United States", "61,United States")(path)  # a third number: neither is ours to fix
    made, report = rebuilt(laid, tmp_path / "repaired")
    assert americans(made) == [(1, 61.0, True)]
    assert announced(report) == {"2026-1.1.1"}


def test_two_figures_with_one_table_stop_the_build_if_one_is_mapped(
    laid: Path, tmp_path: Path
) -> None:
    (one,) = laid.rglob("fig_1.1.2.csv")
    shutil.copyfile(one, one.with_name("fig_7.7.7.csv"))
    _, report = rebuilt(laid, tmp_path)
    failed = {r.expectation for r in report.failures("critical")}
    assert failed == {"mapped_figures_have_their_own_content"}


def test_an_unlisted_file_that_is_not_utf8_is_refused(laid: Path, tmp_path: Path) -> None:
    (path,) = laid.rglob("fig_1.6.1.csv")
    path.write_bytes(path.read_bytes() + b"\xff")
    with StandIn(laid) as server, pytest.raises(SourceError, match="is not UTF-8"):
        observe("ai_index", settings_for(server, tmp_path), DAY)


def test_what_adapts_the_figures_stays_out_of_a_public_release() -> None:
    held = {n: c for n, c in contracts().items() if "ai_index" in c.license_inputs}
    ours = {n: c for n, c in held.items() if "ai_index" in n}
    assert {"core.ai_index_series", "mart.ai_index_restated", "mart.ai_index_arena_gap"} <= set(
        ours
    )
    shares = plan(ours, cards(), "public").shares
    wholly = {name for name in ours if shares[name].is_left_out}
    assert set(ours) - wholly == {"mart.ai_index_reconciliation"}  # of it the printed rows
    assert shares["mart.ai_index_reconciliation"].included_rows != "true"
    assert not any(s.is_left_out for s in plan(ours, cards(), "internal").shares.values())


def test_without_figures_there_is_nothing_to_compare() -> None:
    assert compute("mart.ai_index_restated").is_empty()
    assert compute("mart.ai_index_arena_gap").is_empty()
