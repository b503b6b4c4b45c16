"""A date, time or number is read in the format of its column, and any other is refused as text."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import date, datetime

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.sources.quarantine import typed
from tests.support.frames import PROPERTY
from warehouse.contracts.formats import FORMATS
from warehouse.contracts.table import Column, contracts


@pytest.fixture(scope="module", params=["UTC", "America/St_Johns", "Asia/Kolkata"])
def con(request: pytest.FixtureRequest) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection on a machine of that time zone."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    time.tzset()
    with duckdb.connect() as opened:
        yield opened
    os.environ.pop("TZ")
    if before:
        os.environ["TZ"] = before
    time.tzset()


def read(
    con: duckdb.DuckDBPyConnection, kind: str, *texts: str | None
) -> list[tuple[object, bool]]:
    """Value of each text, and whether it is unusable."""
    column = Column(type=kind, description="d", nullable=True)  # type: ignore[arg-type]
    query = (
        f"SELECT {typed('t', column)} AS value, t IS NOT NULL AND value IS NULL "
        "FROM (SELECT unnest(?) AS t)"
    )
    return con.execute(query, [list(texts)]).fetchall()


READ = [
    ("DATE", "2024-02-29", date(2024, 2, 29)),
    ("DATE", "1950-07-02", date(1950, 7, 2)),
    ("TIMESTAMP", "2022-03-02T23:29:04.000Z", datetime(2022, 3, 2, 23, 29, 4)),
    ("TIMESTAMP", "2022-03-02T23:29:04Z", datetime(2022, 3, 2, 23, 29, 4)),
    ("BIGINT", "0", 0),
    ("BIGINT", "-1760000000000", -1760000000000),
    ("INTEGER", "007", 7),
    ("DOUBLE", "1760000000000.0", 1.76e12),
    ("DOUBLE", "3e25", 3e25),
    ("DOUBLE", "-.5E-1", -0.05),
    ("BOOLEAN", "true", True),
]


@pytest.mark.parametrize(("kind", "text", "value"), READ)
def test_text_in_the_format_of_its_column_is_read(
    con: duckdb.DuckDBPyConnection, kind: str, text: str, value: object
) -> None:
    assert read(con, kind, text, None) == [(value, False), (None, False)]


BENT = {
    "DATE": (
        "12/11/24", "6/12/23", "5/13/24", "05/13/2024", "13.5.2024", "2024/05/13", "2024-5-13",
        "24-05-13", "0024-05-13", "0012-11-24", "2024-02-30", "2024-13-01", "2024-05", "2024",
        "20240513", "2024-05-13 00:00:00", "2024-05-13T00:00:00Z", "2024-05-13+14:00",
        "2024-05-13 (?)", "May 13, 2024", "45425", "infinity", "epoch", "today",
        "-2024-05-13", "2024-05-13 BC", "٢٠٢٤-٠٥-١٣", "9999-12-31", "12024-05-13",
    ),
    "TIMESTAMP": (
        "2022-03-02T23:29:04+05:30", "2022-03-02T23:29:04.000", "2022-03-02 23:29:04Z",
        "2022-03-02T23:29:04 Asia/Kolkata", "2022-03-02", "2022-03-02T23:29Z", "1646263744",
        "2022-03-02T25:29:04Z", "2022-03-02T24:00:00Z", "03/02/22 23:29:04", "22-03-02T23:29:04Z",
        "2022-03-02T23:29:60Z", "2022-03-02T23:29:04.000z", "infinity",
    ),
    "BIGINT": (
        "1,760", "1 760", "1.760", "1_760", "1e3", "1E3", "12.0", "12.5", "0x10", "+5", "12 votes",
        "~12", "twelve", "99999999999999999999", "--1", "١٢", "true", "1'760",
    ),
    "INTEGER": ("3000000000", "1e2", "2.0", "1_0"),
    "DOUBLE": (
        "1,760,000,000,000", "~3e25", "3e25 FLOP", "1e999", "inf", "nan", "-inf", "1_000.5",
        "1 000", "1.760.000", "0,5", "<5", "3×10^25", "1.2.3", "12%", "$5", "e5", ".", "(5)",
    ),
    "BOOLEAN": ("yes", "1", "TRUE", "t", "False", "0"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BENT)
def test_text_in_another_format_is_unusable(con: duckdb.DuckDBPyConnection, kind: str) -> None:
    found = read(con, kind, *BENT[kind])
    taken = [text for text, each in zip(BENT[kind], found, strict=True) if each != (None, True)]
    assert taken == []


@PROPERTY
@given(st.lists(st.text(alphabet="0123456789-/.:,eETZ+ _", max_size=24), min_size=1, max_size=30))
def test_texts_that_are_read_have_one_spelling_per_value(texts: list[str]) -> None:
    with duckdb.connect() as con:
        for text, (value, is_unusable) in zip(texts, read(con, "DATE", *texts), strict=True):
            assert value is None or str(value) == text
            assert is_unusable == (value is None)
        for text, (value, _) in zip(texts, read(con, "BIGINT", *texts), strict=True):
            assert value is None or value == int(text)


def test_every_format_is_used_by_a_contract() -> None:
    used = {c.written for each in contracts().values() for c in each.columns.values()} - {None}
    assert used == set(FORMATS)


def test_dates_of_sources_name_their_format() -> None:
    unnamed = [
        f"{each.table}.{name}"
        for each in contracts().values()
        for name, column in each.columns.items()
        if column.source_names and column.type == "DATE" and not column.format
    ]
    assert unnamed == []
