"""mart.country_share_daily."""

from __future__ import annotations

import polars as pl

from transforms.attribution import UNKNOWN
from transforms.shares import DEFINITION, denominators, numerators
from transforms.sums import exactly

GROUP = [*DEFINITION, "credit"]


def country_share_daily(
    hub_credits: pl.LazyFrame, countries: pl.LazyFrame, lab_share_daily: pl.LazyFrame
) -> pl.LazyFrame:
    """One row per day, population, metric, window, attribution, credit and country.

    Every definition is computed in every run; bounds give none or all of ZZ and XX to the country.
    """
    shares = _shares(numerators(hub_credits, "country_code"), denominators(hub_credits))
    return (
        shares.join(countries, on="country_code", how="left")
        .join(_concentration(lab_share_daily), on=DEFINITION, how="left")
        .select(
            *GROUP,
            "country_code",
            "country_name",
            "share",
            "share_lower",
            "share_upper",
            "numerator",
            "denominator",
            "n_models",
            "n_models_population",
            "n_models_without_counter",
            "herfindahl_labs",
            "top_lab_id",
            "top_lab_share",
        )
    )


def _shares(sums: pl.LazyFrame, totals: pl.LazyFrame) -> pl.LazyFrame:
    """Shares, and bounds that give all of ZZ and XX to others or to this country."""
    unknown = pl.col("country_code").is_in(list(UNKNOWN))
    share = pl.col("numerator") / pl.col("denominator")
    doubt = exactly(pl.col("numerator").filter(unknown)).over(GROUP) / pl.col("denominator")
    upper = pl.when(unknown).then(pl.col("doubt")).otherwise(pl.col("share") + pl.col("doubt"))
    return (
        sums.join(totals, on=["as_of_date", "population", "metric", "window"])
        .sort(*GROUP, "country_code")
        .with_columns(share.alias("share"), doubt.alias("doubt"))
        .with_columns(
            pl.when(unknown).then(0.0).otherwise(pl.col("share")).alias("share_lower"),
            # in full credit a model with roots in ZZ and in XX is twice in doubt
            upper.clip(upper_bound=1.0).alias("share_upper"),
        )
    )


def _concentration(lab_share_daily: pl.LazyFrame) -> pl.LazyFrame:
    """Herfindahl index and top lab of each definition, over the labs that were examined.

    What was not examined counts as many labs of no size, so the index is a lower bound.
    """
    return (
        lab_share_daily.filter(pl.col("is_examined"))
        .sort(*DEFINITION, "share", "lab_id", descending=[False] * 5 + [True, False])
        .group_by(DEFINITION, maintain_order=True)
        .agg(
            exactly(pl.col("share") * pl.col("share")).alias("herfindahl_labs"),
            pl.col("lab_id").first().alias("top_lab_id"),
            pl.col("share").first().alias("top_lab_share"),
        )
    )
