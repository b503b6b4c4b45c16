"""Texts of the ledger: numbers, relations and reasons in English."""

from __future__ import annotations

import polars as pl

RELATIONS = {
    "equals": "",
    "at_least": "at least ",
    "at_most": "at most ",
    "above": "above ",
    "below": "below ",
    "ahead": "at least ",
}
COUNTS = ("models", "repositories", "weeks")  # the label names what is counted


def number(value: pl.Expr, unit: pl.Expr) -> pl.Expr:
    """A value with its unit: 24.5 %, rank 5, 540.0 M downloads."""
    whole = value.round(0).cast(pl.Int64, strict=False).cast(pl.String)
    one, two = value.round(1).cast(pl.String), value.round(2).cast(pl.String)
    return (
        pl.when(unit.is_in(["share", "ratio"]))
        .then(pl.format("{} %", (100 * value).round(2)))
        .when(unit == "percent")
        .then(pl.format("{} %", two))
        .when(unit == "probability")
        .then(_chance(value))
        .when(unit == "rank")
        .then(pl.format("rank {}", whole))
        .when(unit == "downloads")
        .then(pl.format("{} M downloads", (value * 1e-6).round(1)))
        .when(unit == "months")
        .then(pl.format("{} months", one))
        .when(unit.is_in(list(COUNTS)))
        .then(whole)
        .otherwise(pl.format("{} {}", whole, unit))
    )


def _chance(value: pl.Expr) -> pl.Expr:
    """A probability, never rounded to 0 or 1."""
    return (
        pl.when((value < 0.001) & (value > 0))
        .then(pl.lit("below 0.001"))
        .when((value > 0.999) & (value < 1))
        .then(pl.lit("above 0.999"))
        .otherwise(value.round(3).cast(pl.String))
    )


def stated() -> pl.Expr:
    """`China: 17.1 %`, `Best open model: at most rank 1`."""
    return pl.format("{}: {}", "label", _said())


def _said() -> pl.Expr:
    said = number(pl.col("stated_value"), pl.col("unit"))
    return pl.format("{}{}", pl.col("relation").replace_strict(RELATIONS), said)


def found() -> pl.Expr:
    """`China: 24.5 %`, or `China: no value`."""
    value = number(pl.col("value"), pl.col("unit"))
    return pl.format("{}: {}", "label", value.fill_null("no value"))


def shown() -> pl.Expr:
    """The same, without a figure that its source's license withholds."""
    withheld = pl.format("{}: a figure that its source's license withholds", "label")
    return pl.when(pl.col("strict_source").is_null()).then(found()).otherwise(withheld)


def _percent(part: str) -> pl.Expr:
    """A part of one as a percentage, rounded down."""
    return pl.format("{} %", ((1000 * pl.col(part)).floor() * 0.1).round(1))


def _held() -> pl.Expr:
    """How much of a source was observed, if that is known."""
    known = pl.col("coverage_population") < 1
    held = pl.format(" ({} of its records)", _percent("coverage_population"))
    return pl.when(known).then(held).otherwise(pl.lit("")).fill_null("")


def reason() -> pl.Expr:
    """The reason for the verdict, from the deciding trial and its `reason_code`."""
    seen = shown()
    day = pl.col("observed_on").cast(pl.String)
    against = pl.format("{} ({}), stated {}.", seen, day, _said())
    decided = {
        "holds": pl.format("{} ({}).", pl.coalesce("recomputed_text", seen), day),
        "fails": pl.format("{} No testable definition gives the stated value.", against),
        "fails_as_stated": pl.format("{} It holds under: {}.", against, "holds_under"),
    }
    open_ones = {
        code: pl.format("{} Needed: {}", text, "data_needed")
        for code, text in _not_testable(seen, day).items()
    }
    every = {**decided, **open_ones}
    text = pl.coalesce(pl.when(pl.col("reason_code") == c).then(t) for c, t in every.items())
    is_today = (pl.col("moment") == "newest") & (pl.col("verdict") != "not_testable")
    return pl.when(is_today).then(pl.format("As of today: {}", text)).otherwise(text)


def _not_testable(seen: pl.Expr, day: pl.Expr) -> dict[str, pl.Expr]:
    """What the data lack, by code."""
    needed = _percent("coverage_needed")
    return {
        "outside_sources": pl.lit("None of the observatory's sources covers this."),
        "no_day": pl.lit("The statement does not name a date."),
        "no_observation": pl.format(
            "{}: no usable observation around {}.", "label", pl.col("target_date")
        ),
        "window_not_covered": pl.format(
            "{}, but only {} of the window was observed ({} is needed).",
            seen, _percent("coverage_time"), needed,
        ),
        "not_found": pl.format(
            "{}: not all named items were found, and only part of the source was searched, so "
            "their absence is not proven.", seen,
        ),
        "panel_not_population": pl.format(
            "{} in the listing of {}, which holds only {} of the Hub's models with this figure.",
            seen, day, _percent("coverage_population"),
        ),
        "source_not_whole": pl.format(
            "{} ({}), but the source was not observed completely{}, and the missing part could "
            "change the result.", seen, day, _held(),
        ),
        "lineage_not_recorded": pl.format(
            "{}, by the roots of the lineage: the lineage is recorded for only {} of the weight "
            "({} is needed).", "label", _percent("coverage_lineage"), needed,
        ),
        **_undecided(seen, day),
    }  # fmt: skip


def _undecided(seen: pl.Expr, day: pl.Expr) -> dict[str, pl.Expr]:
    """Why data of enough coverage do not decide, by code."""
    return {
        "of_its_day": pl.format(
            "{} ({}). Today's figure cannot confirm or contradict a figure of a past date.",
            seen, day,
        ),
        "names_not_examined": pl.format(
            "{}, stated {}: the labs behind {} of the weight were examined; the rest, or models of "
            "no single country, could decide it either way.",
            seen, _said(), _percent("coverage_names"),
        ),
        "undecided": pl.format(
            "{}, stated {}: the uncertainty of the data allows both results.", seen, _said()
        ),
    }  # fmt: skip
