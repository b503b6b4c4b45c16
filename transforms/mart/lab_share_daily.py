"""mart.lab_share_daily."""

from __future__ import annotations

import polars as pl

from transforms.hub.definitions import UNEXAMINED
from transforms.hub.panels import with_panel
from transforms.hub.shares import denominators, numerators, with_shares
from transforms.registry.attribution import NOT_EXAMINED
from transforms.registry.bitemporal import holds_on
from transforms.registry.display_names import country_names, with_names
from warehouse.contracts.table import contract


def lab_share_daily(
    hub_credits: pl.LazyFrame,
    hub_panels: pl.LazyFrame,
    labs: pl.LazyFrame,
    countries: pl.LazyFrame,
) -> pl.LazyFrame:
    """One row per day, population, metric, window, attribution and lab; fractional credit.

    All namespaces that have not been examined share the row `unexamined`.
    """
    credited = hub_credits.with_columns(pl.col("lab_id").fill_null(UNEXAMINED))
    sums = numerators(credited, "lab_id").filter(pl.col("credit") == "fractional")
    placed = (
        with_panel(with_shares(sums, denominators(hub_credits)), hub_panels)
        .join(_named(sums, labs), on=["lab_id", "as_of_date"], how="left")
        .with_columns(pl.col("country_code").fill_null(NOT_EXAMINED))
    )
    named = with_names(placed, country_names(countries), country_name="country_code")
    return named.with_columns(
        pl.col("lab_name").fill_null("Not examined yet"),
        (pl.col("lab_id") != UNEXAMINED).alias("is_examined"),
    ).select(*contract("mart.lab_share_daily").columns)


def _named(sums: pl.LazyFrame, labs: pl.LazyFrame) -> pl.LazyFrame:
    """Name and country of each lab on each day."""
    return (
        sums.select("lab_id", "as_of_date")
        .unique()
        .join(labs, on="lab_id")
        .filter(holds_on(pl.col("as_of_date")))
        .select("lab_id", "as_of_date", "lab_name", "country_code")
    )
