"""OpenRouter's permanent ids of models: `<publisher>/<model>[-<date>][:<variant>]`.

Dates have five spellings: 20250219, 2025-04-14, 08-2024, 04-28 and four digits. Four digits are a
month and a day (0324) or a year and a month (2507). What has no year gets the last one in which
the date is not after the model's first day in the rankings. That is unknown for models of the
rankings' first day: they can be years older.
"""

from __future__ import annotations

import polars as pl

OTHER = "other"  # the sum of all models that are not listed
# Models of undisclosed labs.
CLOAKED = r"^(?:stealth/.+|openrouter/.+-(?:alpha|beta))(?::.*)?$"
_SPELLINGS = {
    "yyyymmdd": r"-(?P<y>20\d\d)(?P<m>\d\d)(?P<d>\d\d)$",
    "yyyy-mm-dd": r"-(?P<y>20\d\d)-(?P<m>\d\d)-(?P<d>\d\d)$",
    "mm-yyyy": r"-(?P<m>\d\d)-(?P<y>20\d\d)$",
    "mm-dd": r"-(?P<m>\d\d)-(?P<d>\d\d)$",
    "yymm": r"-(?P<y>2\d)(?P<m>0[1-9]|1[0-2])$",
    "mmdd": r"-(?P<m>\d\d)(?P<d>\d\d)$",
}
WITHOUT_YEAR = ("mm-dd", "mmdd")
SLUG = pl.col("model_permaslug")


def kind() -> pl.Expr:
    """`other`, `cloaked` or `model`."""
    is_cloaked = SLUG.str.contains(CLOAKED)
    return (
        pl.when(SLUG == OTHER)
        .then(pl.lit(OTHER))
        .when(is_cloaked)
        .then(pl.lit("cloaked"))
        .otherwise(pl.lit("model"))
    )


def with_parts(models: pl.LazyFrame) -> pl.LazyFrame:
    """Adds `publisher`, `model_slug` (without variant) and `variant`; null for `other`."""
    is_other = SLUG == OTHER
    parts = {"publisher": r"^([^/]+)/", "model_slug": r"^([^:]+)", "variant": r":(.*)$"}
    return models.with_columns(
        pl.when(~is_other).then(SLUG.str.extract(pattern)).alias(name)
        for name, pattern in parts.items()
    )


def with_date(models: pl.LazyFrame) -> pl.LazyFrame:
    """Adds `slug_date`, its spelling, and the reason why a date in a name cannot be read.

    Reads `model_slug`, `first_day` (of the model in the rankings) and `is_from_start` (whether that
    is the rankings' first day). A date without a day is the first of its month.
    """
    spelling = pl.coalesce(
        pl.when(pl.col("model_slug").str.contains(pattern.replace("?P<", "?<"))).then(pl.lit(name))
        for name, pattern in _SPELLINGS.items()
    )
    date = pl.coalesce(
        pl.when(pl.col("slug_date_spelling") == name).then(_read(name, pattern))
        for name, pattern in _SPELLINGS.items()
    )
    has_no_year = pl.col("slug_date_spelling").is_in(WITHOUT_YEAR)
    is_written = pl.col("slug_date_spelling").is_not_null()
    refusal = (
        pl.when(has_no_year & pl.col("slug_date").is_not_null() & pl.col("is_from_start"))
        .then(pl.lit("year_unknown"))
        .when(is_written & pl.col("slug_date").is_null())
        .then(pl.lit("not_a_date"))
    )
    return (
        models.with_columns(spelling.alias("slug_date_spelling"))
        .with_columns(date.alias("slug_date"))
        .with_columns(refusal.alias("slug_date_refusal"))
        .with_columns(
            pl.when(pl.col("slug_date_refusal").is_null()).then("slug_date").alias("slug_date")
        )
    )


def _read(spelling: str, pattern: str) -> pl.Expr:
    """The date of a name in one spelling; null if there is no such day."""
    found = pl.col("model_slug").str.extract_groups(pattern.replace("?P<", "?<"))
    month = found.struct.field("m").cast(pl.Int32)
    day = found.struct.field("d").cast(pl.Int32) if "<d>" in pattern else pl.lit(1)
    if spelling in WITHOUT_YEAR:
        return _last_before(month, day)
    year = found.struct.field("y").cast(pl.Int32)
    return _date(pl.when(year < 100).then(year + 2000).otherwise(year), month, day)


def _last_before(month: pl.Expr, day: pl.Expr) -> pl.Expr:
    """The last such day that is not after the model's first day in the rankings."""
    first = pl.col("first_day")
    here = _date(first.dt.year(), month, day)
    return pl.when(here <= first).then(here).otherwise(_date(first.dt.year() - 1, month, day))


def _date(year: pl.Expr, month: pl.Expr, day: pl.Expr) -> pl.Expr:
    text = pl.format(
        "{}-{}-{}", year, month.cast(pl.String).str.zfill(2), day.cast(pl.String).str.zfill(2)
    )
    return text.str.to_date("%Y-%m-%d", strict=False)
