"""mart.ai_index_restated."""

from __future__ import annotations

import polars as pl

from transforms.registry.display_names import country_names, with_names
from warehouse.contracts.table import contract

QUANTITY = ["series", "detail", "subject_key", "period"]
SIDES = ["value", "period", "figure", "revision", "basis"]


def ai_index_restated(ai_index_series: pl.LazyFrame, countries: pl.LazyFrame) -> pl.LazyFrame:
    """One row per quantity and pair of successive editions that print its series.

    Only periods that both editions print are included; a subject that only one of them lists has
    no value for the other. Preferred revisions only, and no scatter plots of unnamed models.
    """
    values = _comparable(ai_index_series)
    pairs = _successive(values)
    earlier, later = (_side(values, pairs, name) for name in ("earlier", "later"))
    keys = [*QUANTITY, "edition_earlier", "edition_later", "subject_kind", "unit", "country_code"]
    shared = ["series", "period", "edition_earlier", "edition_later"]
    both = (
        earlier.join(later, on=keys, how="full", coalesce=True, nulls_equal=True)
        .join(earlier.select(shared).unique(), on=shared, how="semi")
        .join(later.select(shared).unique(), on=shared, how="semi")
        .with_columns(
            (pl.col("value_later") - pl.col("value_earlier")).alias("difference"),
            pl.when(pl.col("value_earlier") != 0)
            .then(pl.col("value_later") / pl.col("value_earlier"))
            .alias("ratio"),
        )
    )
    return with_names(both, country_names(countries), country_name="country_code").select(
        *contract("mart.ai_index_restated").columns
    )


def _comparable(series: pl.LazyFrame) -> pl.LazyFrame:
    """Preferred values in units that are the same in every edition."""
    is_percent = pl.col("unit") == "percent"
    share = pl.col("value") * 0.01  # no division by a number: see `transforms.arena.leaders`
    return series.filter(
        pl.col("is_preferred") & ~pl.col("is_point") & pl.col("value").is_not_null()
    ).with_columns(
        pl.when(is_percent).then(share).otherwise("value").alias("value"),
        pl.when(is_percent).then(pl.lit("share")).otherwise("unit").alias("unit"),
        pl.col("detail").fill_null("all"),
        pl.coalesce("subject_key", "subject", pl.lit("all")).alias("subject_key"),
        # a sum since 2003 ends in 2024 in one edition and in 2025 in the next
        pl.col("period").str.replace(r"^(\d{4})-\d{4}$", "from $1").alias("common_period"),
    )


def _successive(values: pl.LazyFrame) -> pl.LazyFrame:
    """Series with each of its editions and the next one that prints it."""
    return (
        values.select("series", pl.col("edition").alias("edition_earlier"))
        .unique()
        .sort("series", "edition_earlier")
        .with_columns(pl.col("edition_earlier").shift(-1).over("series").alias("edition_later"))
        .drop_nulls()
    )


def _side(values: pl.LazyFrame, pairs: pl.LazyFrame, name: str) -> pl.LazyFrame:
    """The values of the earlier or the later edition of every pair, named so."""
    edition = f"edition_{name}"
    return pairs.join(values, left_on=["series", edition], right_on=["series", "edition"]).select(
        *QUANTITY[:3],
        pl.col("common_period").alias("period"),
        "edition_earlier",
        "edition_later",
        "subject_kind",
        "unit",
        "country_code",
        *(pl.col(c).alias(f"{c}_{name}") for c in SIDES),
    )
