"""mart.country_share_daily."""

from __future__ import annotations

import polars as pl

from transforms.hub.definitions import DEFINITION
from transforms.hub.panels import with_panel
from transforms.hub.shares import denominators, numerators, with_shares
from transforms.numeric.exact_sums import exactly
from transforms.registry.attribution import UNKNOWN
from warehouse.contracts.table import contract

GROUP = [*DEFINITION, "credit"]


def country_share_daily(
    hub_credits: pl.LazyFrame,
    hub_panels: pl.LazyFrame,
    countries: pl.LazyFrame,
    lab_share_daily: pl.LazyFrame,
) -> pl.LazyFrame:
    """One row per day, population, metric, window, attribution, credit and country.

    Every definition is computed in every run. The bounds give none or all of ZZ and XX to the
    country, and by base also of the models without a recorded lineage.
    """
    shares = _shares(numerators(hub_credits, "country_code"), denominators(hub_credits))
    return (
        with_panel(shares, hub_panels)
        .join(countries, on="country_code", how="left")
        .join(_concentration(lab_share_daily), on=DEFINITION, how="left")
        .select(*contract("mart.country_share_daily").columns)
    )


def _shares(sums: pl.LazyFrame, totals: pl.LazyFrame) -> pl.LazyFrame:
    """Shares, and bounds that give everything in doubt to others or to this country.

    In doubt are ZZ and XX, and by base the models without a recorded lineage, which may have any
    root. With full credit a model with roots in ZZ and in XX counts twice as doubt.
    """
    unknown = pl.col("country_code").is_in(list(UNKNOWN))
    is_base = pl.col("attribution") == "base"
    guessed = pl.when(is_base).then(pl.col("unrecorded")).otherwise(0.0)
    rest = pl.when(is_base).then(pl.col("denominator") - pl.col("recorded")).otherwise(0.0)
    sure = pl.col("numerator") - guessed
    doubt = (exactly(sure.filter(unknown)).over(GROUP) + rest) / pl.col("denominator")
    lower = pl.when(unknown).then(0.0).otherwise(sure / pl.col("denominator"))
    upper = pl.when(unknown).then(doubt).otherwise(sure / pl.col("denominator") + doubt)
    has_share = pl.col("share").is_not_null()
    return (
        with_shares(sums, totals)
        .sort(*GROUP, "country_code")
        .with_columns(
            pl.when(has_share).then(lower).alias("share_lower"),
            pl.when(has_share).then(upper.clip(upper_bound=1.0)).alias("share_upper"),
        )
    )


def _concentration(lab_share_daily: pl.LazyFrame) -> pl.LazyFrame:
    """Herfindahl index and top lab of each definition, over the examined labs.

    Unexamined labs count as infinitely small, so the index is a lower bound.
    """
    return (
        lab_share_daily.filter(pl.col("is_examined") & pl.col("share").is_not_null())
        .sort(*DEFINITION, "share", "lab_id", descending=[False] * 5 + [True, False])
        .group_by(DEFINITION, maintain_order=True)
        .agg(
            exactly(pl.col("share") * pl.col("share")).alias("herfindahl_labs"),
            pl.col("lab_id").first().alias("top_lab_id"),
            pl.col("lab_name").first().alias("top_lab_name"),
            pl.col("share").first().alias("top_lab_share"),
        )
    )
