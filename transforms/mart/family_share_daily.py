"""mart.family_share_daily."""

from __future__ import annotations

import polars as pl

from transforms.shares import DEFINITION, denominators, numerators

NO_FAMILY = "none"


def family_share_daily(hub_credits: pl.LazyFrame, families: pl.LazyFrame) -> pl.LazyFrame:
    """One row per day, population, metric, window, attribution and family; fractional credit.

    publisher: a model counts for its family only where the family's own lab uploaded it. base:
    for the families of its roots, by parts. Models without a family stand under `none`.
    """
    credited = hub_credits.with_columns(pl.col("family_id").fill_null(NO_FAMILY))
    sums = numerators(credited, "family_id")
    names = families.select("family_id", "family_name")
    share = pl.col("numerator") / pl.col("denominator")
    return (
        sums.filter(pl.col("credit") == "fractional")
        .join(denominators(hub_credits), on=["as_of_date", "population", "metric", "window"])
        .join(names, on="family_id", how="left")
        .select(
            *DEFINITION,
            "family_id",
            pl.col("family_name").fill_null("No family"),
            share.alias("share"),
            "numerator",
            "denominator",
            "n_models",
            "n_models_population",
        )
    )
