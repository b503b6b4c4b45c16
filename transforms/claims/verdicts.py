"""From answers to verdicts: whether a quantity, a definition and a statement hold.

Each result is true, false, or null if the data cannot decide. Bounds that hold for everything that
was not observed decide first. Otherwise it is null if the coverage is too low, whatever the value,
and if the missing part of an incomplete source could change the answer.
"""

from __future__ import annotations

import polars as pl

from transforms.claims.requests import NEEDED
from transforms.claims.wording import shown
from transforms.numeric.exact_sums import how_many

SLACK = 1e-9  # for rounding of floating point
# Too low a coverage of these blocks a verdict; unexamined names are in the bounds instead.
SEEN = ("coverage_time", "coverage_population", "coverage_lineage")
COVERAGES = (*SEEN, "coverage_names")
# Tests on sources that are published as a whole: too low a coverage means an excerpt.
EXCERPTS = (
    *("notable_count", "frontier_lag"),
    *("arena_count", "arena_rank", "arena_first", "arena_lead", "arena_spread"),
    *("trending_days", "trending_weeks"),
)
# Tests whose value changes with every observation; Epoch revises its lists and its index as well.
CHANGING = (
    r"^(hub|window|arena|trending|notable|frontier|download|top)_"
    r"|^(model_rank|derivative_count)$"
)
# Tests of named items: an item that was not found is not disproved.
NAMED = ("repositories_created", "datasets_created", "models_published")


def with_outcomes(trials: pl.LazyFrame) -> pl.LazyFrame:
    """Adds coverage and whether a trial is testable, agrees and holds, else what is `missing`."""
    seen = pl.min_horizontal(pl.col(c).fill_null(1.0) for c in SEEN)
    known = pl.col("value").is_not_null()
    return (
        trials.with_columns(
            pl.when(known).then(seen).otherwise(0.0).alias("coverage"),
            pl.lit(NEEDED).alias("coverage_needed"),
        )
        .with_columns(_is_testable().alias("is_testable"))
        .with_columns(
            _relation(pl.col("value"), pl.col("value")).alias("agrees"),
            pl.when(pl.col("is_testable") & ~_is_of_its_day() & (_is_bounded() | _is_whole()))
            .then(_holds())
            .alias("holds"),
        )
        .with_columns(_missing().alias("missing"))
    )


def _is_bounded() -> pl.Expr:
    """Whether there are bounds that hold whatever was not observed."""
    has_bound = pl.col("value_lower").is_not_null() | pl.col("value_upper").is_not_null()
    return pl.col("bounds_hold").fill_null(value=False) & has_bound


def _is_testable() -> pl.Expr:
    is_covered = pl.col("value").is_not_null() & (pl.col("coverage") >= NEEDED)
    return is_covered | _is_bounded()


def _relation(low: pl.Expr, high: pl.Expr) -> pl.Expr:
    """Whether everything from `low` to `high` has the stated relation to the stated value."""
    stated, tolerance = pl.col("stated_value"), pl.col("tolerance") + SLACK
    relation = pl.col("relation")
    return (
        pl.when(relation == "equals")
        .then(((low - stated).abs() <= tolerance) & ((high - stated).abs() <= tolerance))
        .when(relation.is_in(["at_least", "ahead"]))
        .then(low >= stated - tolerance)
        .when(relation == "at_most")
        .then(high <= stated + tolerance)
        .when(relation == "above")
        .then(low > stated)
        .otherwise(high < stated)
    )


def _excluded() -> pl.Expr:
    """Whether no value between the outer bounds could make it hold."""
    stated, tolerance = pl.col("stated_value"), pl.col("tolerance") + SLACK
    lower, upper, relation = _from("value_lower"), _to("value_upper"), pl.col("relation")
    return (
        pl.when(relation == "equals")
        .then((upper < stated - tolerance) | (lower > stated + tolerance))
        .when(relation == "at_least")
        .then(upper < stated - tolerance)
        .when(relation == "ahead")  # in between neither of the two is ahead
        .then(upper <= 1 - stated + tolerance)
        .when(relation == "at_most")
        .then(lower > stated + tolerance)
        .when(relation == "above")
        .then(upper <= stated)
        .otherwise(lower >= stated)
    )


def _from(bound: str) -> pl.Expr:
    return pl.col(bound).fill_null(float("-inf"))


def _to(bound: str) -> pl.Expr:
    return pl.col(bound).fill_null(float("inf"))


def _holds() -> pl.Expr:
    """True if it holds for all possible values, false if it holds for none."""
    return (
        pl.when(_relation(_from("low"), _to("high")))
        .then(True)
        .when(_excluded())
        .then(False)
        .otherwise(None)
    )


def _is_whole() -> pl.Expr:
    """Whether the missing part of the source cannot change the answer."""
    return pl.col("is_whole").fill_null(value=True)


def _is_of_its_day() -> pl.Expr:
    """Whether it is a figure of a past day, which today's value can match only by coincidence."""
    is_figure = (pl.col("relation") == "equals") & pl.col("test").str.contains(CHANGING)
    return (pl.col("moment") == "newest") & is_figure


def _missing() -> pl.Expr:
    """Why a trial has no answer; null if it has one."""
    too_little = {c: pl.col(c).fill_null(1.0) < NEEDED for c in SEEN}
    named = pl.col("test").is_in(list(NAMED))
    return (
        pl.when(pl.col("holds").is_not_null())
        .then(None)
        .when(pl.col("test") == "outside")
        .then(pl.lit("outside_sources"))
        .when(pl.col("day").is_null())
        .then(pl.lit("no_day"))
        .when(pl.col("value").is_null() & too_little["coverage_lineage"])
        .then(pl.lit("lineage_not_recorded"))
        .when(pl.col("value").is_null())
        .then(pl.lit("no_observation"))
        .when(too_little["coverage_time"])
        .then(pl.lit("window_not_covered"))
        .when(too_little["coverage_population"] & named)
        .then(pl.lit("not_found"))
        .when(too_little["coverage_population"] & ~pl.col("test").is_in(list(EXCERPTS)))
        .then(pl.lit("panel_not_population"))
        .when(too_little["coverage_population"] | ~_is_whole())
        .then(pl.lit("source_not_whole"))
        .when(too_little["coverage_lineage"])
        .then(pl.lit("lineage_not_recorded"))
        .when(_is_of_its_day())
        .then(pl.lit("of_its_day"))
        .when(pl.col("coverage_names") < 1)
        .then(pl.lit("names_not_examined"))
        .when(_depends_on_weights())
        .then(pl.lit("weights_not_known"))
        .otherwise(pl.lit("undecided"))
    )


def _depends_on_weights() -> pl.Expr:
    """Whether models whose weights may or may not be open make the answer a range."""
    is_asked = (pl.col("by") == "access") | (pl.col("access") == "open")
    is_range = pl.col("value_lower") != pl.col("value_upper")
    on_board = pl.col("test").str.starts_with("arena_")
    return (on_board & is_asked & is_range.fill_null(value=True)).fill_null(value=False)


def by_definition(trials: pl.LazyFrame) -> pl.LazyFrame:
    """One row per claim, moment and definition: whether all its quantities hold.

    A quantity that fails decides, even if others have no answer.
    """
    holds = pl.col("holds")
    is_look_up = (pl.col("evidence") == "publishers_file").any()
    return trials.group_by("claim_id", "moment", "definition_id").agg(
        pl.when((holds == False).any())  # noqa: E712 - null is neither
        .then(False)
        .when(holds.is_null().any())
        .then(None)
        .otherwise(True)
        .alias("holds"),
        pl.col("definition", "is_own").first(),
        pl.col("position").min(),
        is_look_up.alias("is_look_up"),
        shown().sort_by("position").str.join(", ").alias("found_text"),
        (pl.col("value").is_not_null() | _is_bounded()).any().alias("has_value"),
    )


def verdicts(definitions: pl.LazyFrame) -> pl.LazyFrame:
    """One row per claim and moment: the verdict, and under which definitions it holds.

    reproduced: it holds under all of its own definitions. differs_by_definition: it fails under one
    of them and holds under some definition. contradicted: it fails under all of its own and holds
    under none. Everything else is not_testable. A look-up in the publisher's own file is not a
    definition: it shows whether the citation is right (`is_printed`).
    """
    holds = pl.col("holds").filter(~pl.col("is_look_up"))
    said = pl.format("{}: {}", "definition", "found_text")
    return (
        definitions.sort("claim_id", "moment", "position")
        .group_by("claim_id", "moment", maintain_order=True)
        .agg(
            _verdict(holds).alias("verdict"),
            _all_own_fail(holds).alias("all_own_fail"),
            pl.col("holds").filter("is_look_up").first().alias("is_printed"),
            pl.col("definition")
            .filter(~pl.col("is_look_up"))
            .filter(holds.fill_null(False))
            .str.join("; ")
            .alias("holds_under"),
            pl.col("definition").filter("is_own").str.join("; or: ").alias("definition"),
            said.filter("is_own").str.join("; ").alias("tried_text"),
            said.filter(~pl.col("is_own") & ~pl.col("is_look_up") & pl.col("has_value"))
            .str.join("; ")
            .alias("others_text"),
            how_many(~pl.col("is_look_up")).cast(pl.Int32).alias("n_definitions"),
            how_many(holds.is_not_null()).cast(pl.Int32).alias("n_testable"),
            how_many(holds.fill_null(False)).cast(pl.Int32).alias("n_holding"),
        )
        .with_columns(
            pl.when(pl.col(c) != "").then(c).alias(c) for c in ("holds_under", "others_text")
        )
    )


def without_contradicted_guesses(judged: pl.LazyFrame, raw_claims: pl.LazyFrame) -> pl.LazyFrame:
    """Verdicts in which a statement that its source does not define is never refuted.

    If all of our readings fail (`is_undefined`), the statement may mean something else.
    """
    is_open = pl.col("meaning") == "open"
    fails = is_open & pl.col("all_own_fail")
    return (
        judged.join(raw_claims.select("claim_id", "meaning"), on="claim_id")
        .with_columns(fails.alias("is_undefined"))
        .with_columns(
            pl.when("is_undefined")
            .then(pl.lit("not_testable"))
            .otherwise("verdict")
            .alias("verdict")
        )
        .drop("meaning")
    )


def _fails(holds: pl.Expr) -> pl.Expr:
    """Whether each of the statement's own definitions fails."""
    own = pl.col("is_own").filter(~pl.col("is_look_up"))
    return (holds == False).fill_null(False).filter(own)  # noqa: E712


def _all_own_fail(holds: pl.Expr) -> pl.Expr:
    return _fails(holds).all()


def _verdict(holds: pl.Expr) -> pl.Expr:
    own = pl.col("is_own").filter(~pl.col("is_look_up"))
    fails = _fails(holds)
    any_holds = holds.fill_null(False).any()
    return (
        pl.when(holds.filter(own).fill_null(False).all())
        .then(pl.lit("reproduced"))
        .when(fails.any() & any_holds)
        .then(pl.lit("differs_by_definition"))
        .when(fails.all() & ~any_holds)
        .then(pl.lit("contradicted"))
        .otherwise(pl.lit("not_testable"))
    )
