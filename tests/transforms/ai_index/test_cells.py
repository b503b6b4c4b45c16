"""Cells of the AI Index: periods and numbers are read in their declared format only."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.frames import PROPERTY
from transforms.ai_index import cells
from warehouse.contracts.table import contract


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
def test_period_is_read_in_its_declared_format(
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
def test_period_in_another_format_is_null(form: str, cell: str) -> None:
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
def test_every_format_round_trips_any_day(days: list[date]) -> None:
    assert set(WRITTEN) == set(contract("raw.ai_index_figures").columns["period_form"].values or ())
    for form, (write, expected) in WRITTEN.items():
        assert read(cells.period, [write(d) for d in days], form) == [expected(d) for d in days]


@PROPERTY
@given(st.lists(st.text("0123456789-/.Q JanFeb", max_size=10), max_size=30))
def test_no_two_formats_read_a_text_as_different_years(texts: list[str]) -> None:
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
def test_number_is_read_in_its_declared_format(form: str, cell: str, value: float) -> None:
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
def test_text_that_is_not_a_number_is_null(form: str, cell: str) -> None:
    assert read(cells.number, [cell], form) == [None]


@PROPERTY
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=30))
def test_both_formats_round_trip_any_number(numbers: list[float]) -> None:
    assert read(cells.number, [repr(n) for n in numbers], "number") == numbers
    assert read(cells.number, [f"{n!r}%" for n in numbers], "percent_text") == numbers
    whole = [int(n) for n in numbers if abs(n) < 2**53]
    assert read(cells.number, [f"{n:,}" for n in whole], "number") == [float(n) for n in whole]


@PROPERTY
@given(st.lists(st.text("0123456789.,+-eE%naif ", max_size=8), max_size=40))
def test_number_equals_python_float_or_is_null(texts: list[str]) -> None:
    for text, value in zip(texts, read(cells.number, texts, "number"), strict=True):
        if value is not None:
            assert value == float(text.replace(",", ""))
            assert math.isfinite(value) or "e" in text.lower()
        else:
            assert not re.fullmatch(r"-?\d+(\.\d+)?", text)
