"""mart.country_share_window."""

from __future__ import annotations

import polars as pl

from transforms.hub.counted_panels import EXCERPT
from transforms.hub.window_days import BASES, every_window
from transforms.hub.window_owners import ATTRIBUTIONS
from transforms.hub.window_shares import (
    CUT,
    Counted,
    by_holder,
    chunks,
    in_windows,
    totals,
    with_bounds,
)
from transforms.hub.windows import all_counters
from transforms.numeric.exact_sums import exactly
from transforms.registry.attribution import UNKNOWN
from warehouse.contracts.table import contract

OF_NEW_MODELS = ("created_in_window", "created_1y")  # what one copy of a day can tell
NUMBERS = ("downloads", "share", "share_lower", "share_upper", "n_models")
STUDY = ("study_publisher", "study_base")


def country_share_window(
    hub_all_time_counters: pl.LazyFrame,
    hub_daily_counters: pl.LazyFrame,
    hub_all_time_days: pl.LazyFrame,
    hub_models: pl.LazyFrame,
    hub_model_roots: pl.LazyFrame,
    namespaces: pl.LazyFrame,
    labs: pl.LazyFrame,
    countries: pl.LazyFrame,
    raw_claim_trials: pl.LazyFrame,
) -> pl.LazyFrame:
    """One row per window, source, basis, population, attribution, credit and country.

    The bounds hold for the models that the source has. ZZ, XX and, by base, what has no recorded
    lineage may be anybody's, and so may downloads that no first counter separates from those before
    the window.
    """
    counters = all_counters(hub_all_time_counters, hub_daily_counters)
    counted = Counted(
        counters, hub_all_time_days, hub_models, hub_model_roots, namespaces, labs
    ).held()
    windows = every_window(counted.days, _asked(raw_claim_trials))
    parts = [_shares(chunk, counted).collect() for chunk in chunks(windows, counted.days)]
    shares = pl.concat(parts).lazy() if parts else _shares(windows.lazy(), counted)
    about = windows.lazy().join(
        counted.days.select(
            "counter_source", "panel", "panel_share_of_downloads", end_on="as_of_date"
        ),
        on=["counter_source", "end_on"],
        how="left",
    )
    return _described(shares.join(about, on="window_no"), countries)


def _asked(trials: pl.LazyFrame) -> pl.LazyFrame:
    """The windows that published statements ask for."""
    is_window = pl.col("test").str.starts_with("window_") & pl.col("period_from").is_not_null()
    last = pl.coalesce("period_to", "target_date")
    return (
        trials.filter(is_window & last.is_not_null())
        .select(
            (pl.col("period_from") - pl.duration(days=1)).alias("window_start"),
            last.alias("window_end"),
        )
        .unique()
        .sort("window_start", "window_end")
    )


def _shares(windows: pl.LazyFrame, counted: Counted) -> pl.LazyFrame:
    """Sums, shares and bounds of some windows."""
    models = in_windows(windows, counted)
    of_all = totals(models)
    annotated = models.filter(pl.col("counter_source") == "hub_evolution").collect().lazy()
    parts = [
        _by_country(annotated if a in STUDY else models, of_all, a, counted) for a in ATTRIBUTIONS
    ]
    return pl.concat([part.collect() for part in parts]).lazy()


def _by_country(
    models: pl.LazyFrame, of_all: pl.LazyFrame, attribution: str, counted: Counted
) -> pl.LazyFrame:
    sums = by_holder(models, attribution, "country_code", counted)
    joined = sums.join(of_all, on=["window_no", "population"]).with_columns(missing=0.0)
    bounds = with_bounds(joined, list(UNKNOWN), ("share_lower", "share_upper"))
    recorded = exactly(pl.col("value").filter(pl.col("is_certain")))
    numbers = joined.group_by(*CUT, "holder").agg(
        exactly(pl.col("value")).alias("downloads"),
        exactly(pl.col("n_models")).cast(pl.Int64).alias("n_models"),
        recorded.alias("recorded"),
    )
    of_cut = exactly(pl.col("recorded")).over(CUT) / exactly(pl.col("downloads")).over(CUT)
    return (
        numbers.join(bounds, on=[*CUT, "holder"])
        .join(of_all, on=["window_no", "population"])
        .with_columns(pl.when(pl.lit(attribution == "base")).then(of_cut).alias("lineage_coverage"))
        .filter(pl.col("denominator") > 0, (pl.col("n_models") > 0) | (pl.col("share_upper") > 0))
    )


def _described(shares: pl.LazyFrame, countries: pl.LazyFrame) -> pl.LazyFrame:
    """The columns of the contract, without what a basis or a source does not give."""
    is_given = (pl.col("basis") == BASES[0]) | pl.col("population").is_in(list(OF_NEW_MODELS))
    names = {"holder": "country_code", "start_on": "first_counter_on", "end_on": "last_counter_on"}
    return (
        shares.filter(is_given)
        .with_columns((pl.col("downloads") / pl.col("denominator")).alias("share"))
        .with_columns(_why_missing().alias("share_missing"))
        .rename(names)
        .with_columns(
            (pl.col("panel") != EXCERPT).alias("is_whole"),
            _off("first_counter_on", "window_start").alias("days_off_start"),
            _off("last_counter_on", "window_end").alias("days_off_end"),
        )
        .with_columns(*_only_known())
        .join(countries, on="country_code", how="left")
        .select(*contract("mart.country_share_window").columns)
    )


def _why_missing() -> pl.Expr:
    """Why a cut has no shares; null if it has.

    The shares are of the models whose counters are known. If one of them lies outside its bounds,
    which hold for all models, then the known ones do not stand for the rest.
    """
    slack = 1e-9
    is_outside = (pl.col("share") < pl.col("share_lower") - slack) | (
        pl.col("share") > pl.col("share_upper") + slack
    )
    return (
        pl.when((pl.col("lineage_coverage") == 0).fill_null(False))
        .then(pl.lit("lineage_not_recorded"))
        .when(is_outside.any().over(CUT))
        .then(pl.lit("counters_missing"))
    )


def _only_known() -> list[pl.Expr]:
    """The numbers that a reason for missing shares leaves; missing counters leave the bounds."""
    why = pl.col("share_missing")
    bounds = why.fill_null("") != "lineage_not_recorded"
    return [
        pl.when(bounds if c in ("share_lower", "share_upper") else why.is_null()).then(c).alias(c)
        for c in NUMBERS
    ]


def _off(day: str, wanted: str) -> pl.Expr:
    return (pl.col(day) - pl.col(wanted)).dt.total_days().cast(pl.Int32)
