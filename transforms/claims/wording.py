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
        .when(unit == "dollars")
        .then(pl.format("${} M", (value * 1e-6).round(1)))
        .when(unit == "parameters")
        .then(pl.format("{} B parameters", (value * 1e-9).round(2)))
        .when(unit == "FLOP")
        .then(_scientific(value))
        .when(unit.is_in(["points", "times"]))
        .then(pl.format("{} {}", two, unit))
        .when(unit == "months")
        .then(pl.format("{} months", one))
        .when(unit.is_in(list(COUNTS)))
        .then(whole)
        .otherwise(pl.format("{} {}", whole, unit))
    )


def _scientific(value: pl.Expr) -> pl.Expr:
    """`3.4e24 FLOP`."""
    power = value.log10().floor()
    return pl.format("{}e{} FLOP", (value / 10**power).round(1), power.cast(pl.Int64, strict=False))


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
    """`China: 24.5 %`, or `China: no value`; with the bounds where only they can decide."""
    value = number(pl.col("value"), pl.col("unit"))
    return pl.format("{}: {}", "label", pl.coalesce(_bounded(), value, pl.lit("no value")))


def _bounded() -> pl.Expr:
    """What the bounds say of a value that was observed only in part, if they decide."""
    low, high = (number(pl.col(c), pl.col("unit")) for c in ("value_lower", "value_upper"))
    is_known = (pl.col("coverage") >= pl.col("coverage_needed")) & pl.col("value").is_not_null()
    text = pl.coalesce(
        pl.format("between {} and {}", low, high),
        pl.format("at least {}", low),
        pl.format("at most {}", high),
    )
    exact = pl.when(pl.col("value_lower") == pl.col("value_upper")).then(low)
    whatever = pl.format("{}, whatever was not observed", text)
    decides = pl.col("bounds_hold") & pl.col("holds").is_not_null() & ~is_known
    return pl.when(decides).then(pl.coalesce(exact, whatever))


def shown() -> pl.Expr:
    """The same, without a figure that its source's license withholds."""
    withheld = pl.format("{}: a figure that its source's license withholds", "label")
    return pl.when(pl.col("strict_source").is_null()).then(found()).otherwise(withheld)


def _percent(part: str) -> pl.Expr:
    """A part of one as a percentage, rounded down."""
    return pl.format("{} %", ((1000 * pl.col(part)).floor() * 0.1).round(1))


def _only_part(part: str) -> pl.Expr:
    """`only 12.3 %`; 0 = the size of the part is not known."""
    return (
        pl.when(pl.col(part) <= 0)
        .then(pl.lit("an unknown part"))
        .when(pl.col(part) < 0.001)
        .then(pl.lit("less than 0.1 %"))
        .otherwise(pl.format("only {}", _percent(part)))
    )


def _range() -> pl.Expr:
    """` (from rank 2 to rank 8)`; nothing without both bounds, or if the figure is withheld."""
    low, high = (number(pl.col(c), pl.col("unit")) for c in ("value_lower", "value_upper"))
    is_shown = pl.col("strict_source").is_null()
    return pl.when(is_shown).then(pl.format(" (from {} to {})", low, high)).fill_null("")


def _held() -> pl.Expr:
    """How much of a source was observed, if that is known."""
    known = pl.col("coverage_population") < 1
    held = pl.format(" ({} of its records)", _percent("coverage_population"))
    return pl.when(known).then(held).otherwise(pl.lit("")).fill_null("")


def reason() -> pl.Expr:
    """The reason for the verdict, from the deciding trial and its `reason_code`."""
    seen = shown()
    day = pl.col("observed_on").cast(pl.String)
    against = pl.format("{} ({}{}), stated {}.", seen, day, _which("; {}"), _said())
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


def _which(form: str) -> pl.Expr:
    """The definition of the deciding trial, if the statement has several of its own."""
    is_one_of_many = pl.col("deciding_definition") != pl.col("definition")
    return pl.when(is_one_of_many).then(pl.format(form, "deciding_definition")).fill_null("")


def _not_testable(seen: pl.Expr, day: pl.Expr) -> dict[str, pl.Expr]:
    """What the data lack, by code."""
    needed = _percent("coverage_needed")
    return {
        "definition_not_stated": pl.format(
            "The source does not define it, so none of the tests can contradict it. Tested "
            "without success: {}.", "tried_text",
        ),
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
            "{} in the data of {}, which hold {} of what is counted on the Hub.",
            seen, day, _only_part("coverage_population"),
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
            "{} ({}{}). Today's figure cannot confirm or contradict a figure of a past date.",
            seen, day, _which("; {}"),
        ),
        "names_not_examined": pl.format(
            "{}{}, stated {}: the labs behind {} of the weight were examined; the rest, or models "
            "of no single country, could decide it either way.",
            seen, _which(" ({})"), _said(), _percent("coverage_names"),
        ),
        "weights_not_known": pl.format(
            "{} ({}{}), stated {}: all models of the board were observed, but it is not known of "
            "each whether its weights are open, and those could decide it either way.",
            seen, day, _which("; {}"), _said(),
        ),
        "undecided": pl.format(
            "{}{}{}, stated {}: the data were observed, but their uncertainty allows both results.",
            seen, _range(), _which(" ({})"), _said(),
        ),
    }  # fmt: skip
