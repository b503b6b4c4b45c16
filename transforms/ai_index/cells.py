"""Periods and numbers in cells of the AI Index's CSV files, each in its figure's declared form.

A cell in another form becomes null.
"""

from __future__ import annotations

import polars as pl

_THOUSANDS = r"^-?\d{1,3}(?:,\d{3})+(?:\.\d+)?$"
_NUMBER = r"^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$"


def period(text: pl.Expr, form: pl.Expr) -> pl.Expr:
    """YYYY, YYYYQn, YYYY-MM, YYYY-MM-DD or YYYY-YYYY of a cell; null in another form."""
    read = {
        "year": text.str.extract(r"^(\d{4})(?:\.0)?$"),  # some files write 2013.0
        "school_year": _school_year(text),  # 2013-14
        "quarter": text.str.extract(r"^(\d{4}Q[1-4])$"),
        "month": _day(text.str.extract(r"^(\d{4}-\d{2})(?:-01)?$") + "-01", "%Y-%m-%d", "%Y-%m"),
        "month_mdy": _day(text.str.extract(r"^(\d{1,2}/1/\d{2})$"), "%m/%d/%y", "%Y-%m"),
        "month_name": _day(
            "1-" + text.str.extract(r"^([A-Z][a-z]{2}-\d{4})$"), "%d-%b-%Y", "%Y-%m"
        ),
        "date": _day(text.str.extract(r"^(\d{4}-\d{2}-\d{2})$"), "%Y-%m-%d", "%Y-%m-%d"),
        "date_mdy": _day(text.str.extract(r"^(\d{1,2}/\d{1,2}/\d{2})$"), "%m/%d/%y", "%Y-%m-%d"),
    }
    return pl.coalesce(pl.when(form == name).then(value) for name, value in read.items())


def number(text: pl.Expr, form: pl.Expr) -> pl.Expr:
    """The number of a cell: 1,234 or 2e3 as `number`, 93.75% as `percent_text` (93.75)."""
    percent = text.str.extract(r"^(.*)%$")
    bare = pl.when(form == "percent_text").then(percent).otherwise(text)
    plain = (
        pl.when(bare.str.contains(_THOUSANDS)).then(bare.str.replace_all(",", "")).otherwise(bare)
    )
    return pl.when(plain.str.contains(_NUMBER)).then(plain).cast(pl.Float64, strict=False)


def year(period: pl.Expr) -> pl.Expr:
    """Year of a period, the last one of a range."""
    return period.str.extract(r"(\d{4})(?:Q\d|-\d{2}(?:-\d{2})?)?$").cast(pl.Int32)


def _day(text: pl.Expr, read: str, write: str) -> pl.Expr:
    return text.str.to_date(read, strict=False).dt.strftime(write)


def _school_year(text: pl.Expr) -> pl.Expr:
    """2013-14 as 2013-2014; the second year must be the next one."""
    first = text.str.extract(r"^(\d{4})-\d{2}$").cast(pl.Int32)
    following = (first + 1).cast(pl.String)
    ends = text.str.extract(r"-(\d{2})$") == following.str.slice(2)
    return pl.when(ends).then(pl.concat_str(first.cast(pl.String), following, separator="-"))
