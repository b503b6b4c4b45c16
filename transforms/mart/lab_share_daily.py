"""mart.lab_share_daily."""

from __future__ import annotations

import polars as pl

from transforms.hub.definitions import DEFINITION, UNEXAMINED
from transforms.hub.panels import PANEL, with_panel
from transforms.hub.shares import denominators, numerators, with_shares
from transforms.registry.attribution import NOT_EXAMINED
from transforms.registry.bitemporal import holds_on


def lab_share_daily(
    hub_credits: pl.LazyFrame, hub_panels: pl.LazyFrame, labs: pl.LazyFrame
) -> pl.LazyFrame:
    """One row per day, population, metric, window, attribution and lab; fractional credit.

    Namespaces that nobody examined stand together under `unexamined`.
    """
    credited = hub_credits.with_columns(pl.col("lab_id").fill_null(UNEXAMINED))
    sums = numerators(credited, "lab_id").filter(pl.col("credit") == "fractional")
    return (
        with_panel(with_shares(sums, denominators(hub_credits)), hub_panels)
        .join(_named(sums, labs), on=["lab_id", "as_of_date"], how="left")
        .select(
            *DEFINITION,
            "lab_id",
            pl.col("lab_name").fill_null("Not examined yet"),
            pl.col("country_code").fill_null(NOT_EXAMINED),
            (pl.col("lab_id") != UNEXAMINED).alias("is_examined"),
            "share",
            "lineage_coverage",
            "share_missing",
            "numerator",
            "denominator",
            "n_models",
            *PANEL,
        )
    )


def _named(sums: pl.LazyFrame, labs: pl.LazyFrame) -> pl.LazyFrame:
    """Name and country of each lab on each day."""
    return (
        sums.select("lab_id", "as_of_date")
        .unique()
        .join(labs, on="lab_id")
        .filter(holds_on(pl.col("as_of_date")))
        .select("lab_id", "as_of_date", "lab_name", "country_code")
    )
