"""mart.lab_measures."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.arena.leaders import expected_win_rate
from transforms.arena.refused import ranked_boards
from transforms.arena.scale import PLACED
from transforms.numeric.exact_sums import exactly, how_many, rate
from transforms.registry.bitemporal import holds_on
from transforms.registry.lab_measures import (
    BOARDS,
    NOTABLE,
    OPEN_WEIGHTS,
    TOKENS,
    all_measures,
    missing_reason,
)
from warehouse.contracts.table import contract

# Measures of mart.lab_share_daily: metric, attribution and column.
HUB = {
    "hub_share_publisher": ("downloads_30d", "publisher", "share"),
    "hub_share_base": ("downloads_30d", "base", "share"),
    "hub_models": ("models", "publisher", "numerator"),
    "hub_downloads_30d": ("downloads_30d", "publisher", "numerator"),
    "hub_downloads_all_time": ("downloads_all_time", "publisher", "numerator"),
    "hub_likes": ("likes", "publisher", "numerator"),
}
MEASURE, ROW = ["measure", "observed_on"], ["measure", "observed_on", "lab_id"]
# Values per lab, measure and day of observation, and what is known of that day as a whole.
Part = tuple[pl.LazyFrame, pl.LazyFrame]


def lab_measures(
    lab_share_daily: pl.LazyFrame,
    arena_ratings: pl.LazyFrame,
    notable_models: pl.LazyFrame,
    notable_model_labs: pl.LazyFrame,
    token_share_daily: pl.LazyFrame,
    labs: pl.LazyFrame,
    as_of: date,
) -> pl.LazyFrame:
    """One row per lab, measure and day, for the Hub's days and `as_of`: the newest value up to it.

    A lab has its rows on a day if any measure is known. A missing value is null, with the reason
    beside it.
    """
    observed = lab_share_daily.select("as_of_date").filter(pl.col("as_of_date") <= as_of)
    days = pl.concat([observed, pl.LazyFrame({"as_of_date": [as_of]})]).unique()
    parts = (
        _hub(lab_share_daily),
        _arena(arena_ratings),
        _notable(notable_models, notable_model_labs),
        _tokens(token_share_daily),
    )
    values = pl.concat([of_lab for of_lab, _ in parts], how="diagonal")
    about = _newest(days, pl.concat([of_day for _, of_day in parts], how="diagonal"))
    known = about.select("as_of_date", *MEASURE).join(values.select(ROW), on=MEASURE)
    held = (
        known.select("as_of_date", "lab_id")
        .unique()
        .join(labs, on="lab_id")
        .filter(holds_on(pl.col("as_of_date")))
        .select("as_of_date", "lab_id", "lab_name", "country_code", "country_name")
    )
    each = held.join(about, on="as_of_date").join(values, on=ROW, how="left")
    return each.with_columns(
        missing_reason(), pl.col("has_catalog_rows").fill_null(value=False)
    ).select(*contract("mart.lab_measures").columns)


def _newest(days: pl.LazyFrame, about: pl.LazyFrame) -> pl.LazyFrame:
    """Every day and measure, with what is known of the newest observation up to the day."""
    newest = (
        days.join(about.select(MEASURE), how="cross")
        .filter(pl.col("observed_on") <= pl.col("as_of_date"))
        .group_by("as_of_date", "measure")
        .agg(pl.col("observed_on").max())
    )
    return (
        days.join(all_measures(), how="cross")
        .join(newest, on=["as_of_date", "measure"], how="left")
        .join(about, on=MEASURE, how="left")
    )


def _hub(lab_share_daily: pl.LazyFrame) -> Part:
    parts = [_hub_measure(lab_share_daily, name, *of) for name, of in HUB.items()]
    return pl.concat([v for v, _ in parts]), pl.concat([about for _, about in parts])


def _hub_measure(
    lab_share_daily: pl.LazyFrame, measure: str, metric: str, attribution: str, column: str
) -> Part:
    rows = lab_share_daily.filter(
        (pl.col("population") == "all")
        & (pl.col("metric") == metric)
        & (pl.col("attribution") == attribution)
    ).select(
        pl.lit(measure).alias("measure"),
        *("lab_id", "is_examined", "share", "lineage_coverage"),
        pl.col(column).alias("value"),
        observed_on="as_of_date",
    )
    is_known = pl.col("share").is_not_null().any()
    unexamined = pl.col("share").filter(~pl.col("is_examined")).first()
    examined = pl.when(is_known).then((1.0 - unexamined).clip(0, 1).fill_null(1.0))
    about = rows.group_by(MEASURE).agg(
        examined.alias("coverage"), pl.col("lineage_coverage").first()
    )
    values = rows.filter(pl.col("is_examined") & pl.col("value").is_not_null())
    return values.select(*ROW, "value"), about


def _arena(arena_ratings: pl.LazyFrame) -> Part:
    """The best model of each lab on each board; gaps are within one publish date."""
    rated = ranked_boards(
        arena_ratings.filter(pl.col("board").is_in(BOARDS) & (pl.col("category") == "overall"))
    ).with_columns(
        (pl.lit("arena_") + pl.col("board")).alias("measure"),
        pl.col("publish_date").alias("observed_on"),
    )
    gap = pl.col("rating").max().over(MEASURE) - pl.col("rating")
    best = (
        rated.with_columns(gap.alias("gap_to_leader"))
        .filter(pl.col("lab_id").is_not_null())
        .sort(*MEASURE, *PLACED, nulls_last=True)
        .unique(ROW, keep="first", maintain_order=True)
    )
    values = best.select(
        *ROW,
        *("rank_ordinal", "n_tied", "gap_to_leader"),
        expected_win_rate(-pl.col("gap_to_leader")).alias("win_rate"),
        model_name="model_name_arena",
        value="rating",
        value_lower="rating_lower",
        value_upper="rating_upper",
    )
    return values, rated.group_by(MEASURE).agg(pl.col("has_catalog_rows").any())


def _notable(notable_models: pl.LazyFrame, notable_model_labs: pl.LazyFrame) -> Part:
    day = "vintage_date"
    about = ["publication_date", "is_open_weights"]
    counts = (
        notable_model_labs.filter(pl.col("lab_id").is_not_null())
        .select(day, "line", "lab_id")
        .unique()
        .join(notable_models.select(day, "line", *about), on=[day, "line"])
        .group_by(day, "lab_id")
        .agg(
            pl.len().cast(pl.Float64).alias("notable_models"),
            how_many(is_recent(day)).cast(pl.Float64).alias("notable_models_12m"),
            rate(pl.col("is_open_weights")).alias(OPEN_WEIGHTS),
            pl.col("is_open_weights").count().cast(pl.Int64).alias("n_known"),
        )
    )
    values = counts.unpivot(
        on=NOTABLE, index=[day, "lab_id", "n_known"], variable_name="measure", value_name="value"
    ).with_columns(pl.when(pl.col("measure") == OPEN_WEIGHTS).then("n_known").alias("n_known"))
    weight, is_examined = pl.col("weight"), pl.col("lab_id").is_not_null()
    covered = notable_model_labs.group_by(day).agg(
        (exactly(weight.filter(is_examined)) / exactly(weight)).clip(0, 1).alias("coverage")
    )
    vintages = notable_models.select(day).unique().join(covered, on=day, how="left")
    measures = pl.LazyFrame({"measure": list(NOTABLE)})
    return (
        values.rename({day: "observed_on"}),
        vintages.join(measures, how="cross").rename({day: "observed_on"}),
    )


def _tokens(token_share_daily: pl.LazyFrame) -> Part:
    """The share of each lab in OpenRouter's tokens; what is in doubt is not covered."""
    of_lab = token_share_daily.filter(pl.col("level") == "lab").with_columns(
        pl.lit(TOKENS).alias("measure"), observed_on="day"
    )
    values = of_lab.filter(~pl.col("is_doubt")).select(
        *MEASURE,
        lab_id="holder",
        value="share",
        value_lower="share_lower",
        value_upper="share_upper",
    )
    doubt = pl.col("tokens_in_doubt").first() / pl.col("tokens_total").first()
    return values, of_lab.group_by(MEASURE).agg((1.0 - doubt).alias("coverage"))


def is_recent(vintage: str) -> pl.Expr:
    """Whether a model was published in the 12 months up to and including the vintage."""
    published, day = pl.col("publication_date"), pl.col(vintage)
    return (published > day.dt.offset_by("-12mo")) & (published <= day)
