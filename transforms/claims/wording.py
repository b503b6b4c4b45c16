"""Numbers, relations and reasons in plain English."""

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
COUNTS = ("models", "repositories", "weeks")  # the label says of what


def number(value: pl.Expr, unit: pl.Expr) -> pl.Expr:
    """A value with its unit, as one would say it: 24.5 %, rank 5, 540.0 M downloads."""
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
    """Never 0 or 1 of what is merely very likely."""
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
    """`China: 24.5 %`, or that there is no value."""
    value = number(pl.col("value"), pl.col("unit"))
    return pl.format("{}: {}", "label", value.fill_null("no value"))


def shown() -> pl.Expr:
    """The same, without a figure that its source's terms keep inside."""
    withheld = pl.format("{}: a figure that its source's terms keep inside", "label")
    return pl.when(pl.col("strict_source").is_null()).then(found()).otherwise(withheld)


def _percent(part: str) -> pl.Expr:
    """A part of one as a percentage that never rounds up to what is needed."""
    return pl.format("{} %", ((1000 * pl.col(part)).floor() * 0.1).round(1))


def _held() -> pl.Expr:
    """How much of a source was observed, where that is known."""
    known = pl.col("coverage_population") < 1
    held = pl.format(" ({} of its records)", _percent("coverage_population"))
    return pl.when(known).then(held).otherwise(pl.lit("")).fill_null("")


def reason() -> pl.Expr:
    """Why the verdict is what it is, of the trial that decides, by `reason_code`.

    A figure under strict terms is not told here.
    """
    seen = shown()
    day = pl.col("observed_on").cast(pl.String)
    against = pl.format("{} ({}), stated {}.", seen, day, _said())
    held = {
        "holds": pl.format("{} ({}).", pl.coalesce("recomputed_text", seen), day),
        "fails": pl.format("{} No definition that can be tested gives it.", against),
        "fails_as_stated": pl.format("{} It holds under: {}.", against, "holds_under"),
    }
    needed = {
        code: pl.format("{} Needed: {}", text, "data_needed")
        for code, text in _not_testable(seen, day).items()
    }
    every = {**held, **needed}
    text = pl.coalesce(pl.when(pl.col("reason_code") == c).then(t) for c, t in every.items())
    is_today = (pl.col("moment") == "newest") & (pl.col("verdict") != "not_testable")
    return pl.when(is_today).then(pl.format("Were it said today: {}", text)).otherwise(text)


def _not_testable(seen: pl.Expr, day: pl.Expr) -> dict[str, pl.Expr]:
    """What the data lack, by code."""
    due = _percent("coverage_needed")
    return {
        "outside_sources": pl.lit("No source of the observatory can tell."),
        "no_day": pl.lit("The statement does not say of which day it speaks."),
        "no_observation": pl.format(
            "{}: nothing that can tell was observed around {}.", "label", pl.col("target_date")
        ),
        "window_not_covered": pl.format(
            "{}, but {} of the window was observed, {} is due.",
            seen, _percent("coverage_time"), due,
        ),
        "not_found": pl.format(
            "{}: not all that it names were found as it says, and only a part of the whole was "
            "searched, so that absence says nothing.", seen,
        ),
        "panel_not_population": pl.format(
            "{} in the listing of {}, which holds {} of the Hub's models with the figure: a panel, "
            "not the population.", seen, day, _percent("coverage_population"),
        ),
        "source_not_whole": pl.format(
            "{} ({}), but the source was not observed whole{}: what is missing could change it.",
            seen, day, _held(),
        ),
        "lineage_not_recorded": pl.format(
            "{}: by the roots of the lineage, which was recorded for {} of the weight; {} is due.",
            "label", _percent("coverage_lineage"), due,
        ),
        "of_its_day": pl.format(
            "{} ({}). A figure of its day is neither confirmed nor denied by today's.", seen, day
        ),
        "names_not_examined": pl.format(
            "{}, stated {}: {} of the weight has an examined lab, and the rest or those of no "
            "single country could decide it either way.", seen, _said(), _percent("coverage_names"),
        ),
        "undecided": pl.format(
            "{}, stated {}: what is in doubt could decide it either way.", seen, _said()
        ),
    }  # fmt: skip
