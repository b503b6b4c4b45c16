"""mart.ai_index_reconciliation."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.ai_index.notable import METHODS, placed
from transforms.numeric.exact_sums import how_many, total
from transforms.registry.bitemporal import as_known
from warehouse.contracts.table import contract

MEASURES = ("notable_models", "notable_models_cumulative")
FAR_DAYS = 60  # further from publication, residuals reflect Epoch's changes, not the method
CELL = ["edition", "measure", "period", "country_code"]


def ai_index_reconciliation(
    ai_index_series: pl.LazyFrame,
    notable_models: pl.LazyFrame,
    notable_model_labs: pl.LazyFrame,
    countries: pl.LazyFrame,
    raw_registry_ai_index_editions: pl.LazyFrame,
    raw_registry_ai_index_residuals: pl.LazyFrame,
    known_at: date,
) -> pl.LazyFrame:
    """One row per edition, measure, period, country and method: printed, derived, residual, why.

    Counts are derived from the vintage nearest to the edition's publication.
    """
    printed = _printed(ai_index_series)
    editions = _editions(printed, notable_models, raw_registry_ai_index_editions, known_at)
    derived = _derived(placed(notable_models, notable_model_labs), printed, editions)
    key = [*CELL, "method"]
    cells = pl.concat([_by_method(printed).select(key), derived.select(key)]).unique()
    counted = pl.col("n_derived").fill_null(0)
    compared = (
        cells.join(printed.drop("year", "first_year"), on=CELL, how="left")
        .join(derived, on=key, how="left")
        .join(editions, on="edition")
        .join(countries.select("country_code", "country_name"), on="country_code", how="left")
        .with_columns(
            pl.when(pl.col("vintage_date").is_not_null()).then(counted).alias("n_derived"),
            (pl.col("method") == pl.col("edition_method"))
            .fill_null(False)
            .alias("is_edition_method"),
            pl.col("period").str.slice(-4).cast(pl.Int32).alias("year"),
        )
        .with_columns((pl.col("n_derived") - pl.col("n_printed")).alias("residual"))
    )
    reviewed = as_known(raw_registry_ai_index_residuals, known_at)
    return _explained(compared, reviewed).select(*contract("mart.ai_index_reconciliation").columns)


def _printed(ai_index_series: pl.LazyFrame) -> pl.LazyFrame:
    """One row per cell that an edition prints, by its preferred figure and revision."""
    years = pl.col("period").str.split("-")
    return (
        ai_index_series.filter(
            pl.col("series").is_in(list(MEASURES))
            & pl.col("country_code").is_not_null()
            & pl.col("value").is_not_null()
            & pl.col("is_preferred")
        )
        .rename({"series": "measure"})
        .select(
            *CELL,
            "figure",
            "revision",
            pl.col("value").cast(pl.Int64).alias("n_printed"),
            years.list.first().cast(pl.Int32).alias("first_year"),
            years.list.last().cast(pl.Int32).alias("year"),
        )
    )


def _editions(
    printed: pl.LazyFrame, notable_models: pl.LazyFrame, reviewed: pl.LazyFrame, known_at: date
) -> pl.LazyFrame:
    """One row per edition that is printed: its method and the vintage nearest to publication."""
    known = as_known(reviewed, known_at).select(
        "edition", "published_on", pl.col("method").alias("edition_method")
    )
    days = (pl.col("vintage_date") - pl.col("published_on")).dt.total_days()
    nearest = (
        known.join(notable_models.select("vintage_date").unique(), how="cross")
        .with_columns(days.alias("vintage_days"))
        .sort("edition", pl.col("vintage_days").abs(), "vintage_date")
        .unique("edition", keep="first", maintain_order=True)
        .select("edition", "vintage_date", "vintage_days")
    )
    return (
        printed.select("edition")
        .unique()
        .join(known.select("edition", "edition_method"), on="edition", how="left")
        .join(nearest, on="edition", how="left")
    )


def _derived(models: pl.LazyFrame, printed: pl.LazyFrame, editions: pl.LazyFrame) -> pl.LazyFrame:
    """Counts for every period that an edition prints of any country, from its vintage."""
    counts = models.group_by("vintage_date", "method", "publication_year", "country_code").agg(
        pl.len().cast(pl.Int64).alias("n_derived")
    )
    periods = printed.select("edition", "measure", "period", "first_year", "year").unique()
    return (
        periods.join(editions.select("edition", "vintage_date"), on="edition")
        .join(counts, on="vintage_date")
        .filter(pl.col("publication_year").is_between(pl.col("first_year"), pl.col("year")))
        .group_by(*CELL, "method")
        .agg(total(pl.col("n_derived")))
    )


def _by_method(printed: pl.LazyFrame) -> pl.LazyFrame:
    return printed.join(pl.LazyFrame({"method": list(METHODS)}), how="cross")


def _explained(compared: pl.LazyFrame, reviewed: pl.LazyFrame) -> pl.LazyFrame:
    """The reason of each row; a review applies to the exact residual that was reviewed.

    With a vintage far from publication it applies only if all reviewed residuals of the edition are
    unchanged.
    """
    of = [*CELL, "revision", "residual"]
    reasons = reviewed.select(
        *CELL,
        "revision",
        pl.col("residual").cast(pl.Int64),
        pl.col("explanation").alias("reason"),
        "note",
        is_edition_method=pl.lit(True),
    )
    is_far = (pl.col("vintage_days").abs() > FAR_DAYS).fill_null(False)
    n_reviewed = reasons.group_by("edition").agg(pl.len().alias("n_reviewed"))
    is_found = pl.col("reason").is_not_null()
    is_untouched = how_many(is_found).over("edition") == pl.col("n_reviewed")
    holds = is_found & (~is_far | is_untouched)
    joined = compared.join(reasons, on=[*of, "is_edition_method"], how="left")
    return joined.join(n_reviewed, on="edition", how="left").with_columns(
        pl.when(pl.col("n_derived").is_null())
        .then(pl.lit("no_vintage"))
        .when(pl.col("n_printed").is_null())
        .then(pl.lit("not_printed"))
        .when(pl.col("residual") == 0)
        .then(pl.lit("exact"))
        .when(holds)
        .then("reason")
        .when(is_far)
        .then(pl.lit("vintage_far"))
        .when(~pl.col("is_edition_method"))
        .then(pl.lit("other_method"))
        .otherwise(pl.lit("unexplained"))
        .alias("explanation"),
        holds.alias("is_reviewed"),
        pl.when(holds).then("note").alias("note"),
    )
