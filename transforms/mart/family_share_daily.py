"""mart.family_share_daily."""

from __future__ import annotations

import polars as pl

from transforms.hub.definitions import NO_FAMILY
from transforms.hub.panels import with_panel
from transforms.hub.shares import denominators, numerators, with_shares
from warehouse.contracts.table import contract


def family_share_daily(
    hub_credits: pl.LazyFrame, hub_panels: pl.LazyFrame, families: pl.LazyFrame
) -> pl.LazyFrame:
    """One row per day, population, metric, window, attribution and family; fractional credit.

    The attributions are defined in warehouse/contracts/vocabulary.yml (family_attribution). Models
    without a family are under `none`.
    """
    by_name = hub_credits.filter(pl.col("attribution") == "publisher").with_columns(
        attribution=pl.lit("name"), family_id=pl.col("named_family_id")
    )
    credited = pl.concat([hub_credits, by_name]).with_columns(
        pl.col("family_id").fill_null(NO_FAMILY)
    )
    sums = numerators(credited, "family_id").filter(pl.col("credit") == "fractional")
    names = families.select("family_id", "family_name")
    return (
        with_panel(with_shares(sums, denominators(hub_credits)), hub_panels)
        .join(names, on="family_id", how="left")
        .with_columns(pl.col("family_name").fill_null("No family"))
        .select(*contract("mart.family_share_daily").columns)
    )
