"""mart.hub_leader_changes."""

from __future__ import annotations

import polars as pl

from transforms.numeric.confirmed_changes import changes, confirmed
from transforms.numeric.exact_sums import exactly
from transforms.registry.attribution import UNKNOWN
from transforms.registry.display_names import country_names, with_names
from warehouse.contracts.table import contract

# Days of different panels are never compared.
SERIES = ["population", "metric", "metric_window", "attribution", "panel_id"]
N_DAYS = 3  # observed days in a row, without days of counter outages


def hub_leader_changes(
    country_share_daily: pl.LazyFrame, hub_counter_days: pl.LazyFrame, countries: pl.LazyFrame
) -> pl.LazyFrame:
    """One row per population, metric, window, attribution, panel and confirmed change of leader.

    A country leads on a day if its share exceeds every other share by more than everything in
    doubt: ZZ, XX and, by base, the models without a recorded lineage. It becomes the leader when it
    leads on `N_DAYS` days in a row, and remains it until another country does the same. Days of a
    counter outage are skipped. Fractional credit.
    """
    valid = hub_counter_days.filter(pl.col("counter_outage").is_null())
    is_used = (pl.col("credit") == "fractional") & pl.col("share").is_not_null()
    shares = country_share_daily.filter(is_used).join(valid, on="as_of_date", how="semi")
    leads = confirmed(_led(shares), SERIES, "as_of_date", N_DAYS)
    holders = ("holder", "previous_holder", "rival")
    ids = {f"{holder}_name": holder for holder in holders}
    return (
        with_names(changes(leads, SERIES, "as_of_date"), country_names(countries), **ids)
        .rename({"as_of_date": "confirmed_date"})
        .select(*contract("mart.hub_leader_changes").columns)
    )


def _led(shares: pl.LazyFrame) -> pl.LazyFrame:
    """One row per series and day: the first country, the second, the doubt, and who leads."""
    is_known = ~pl.col("country_code").is_in(list(UNKNOWN))
    country, share = pl.col("country_code").filter(is_known), pl.col("share").filter(is_known)
    return (
        shares.sort(
            *SERIES, "as_of_date", "share", "country_code", descending=[False] * 6 + [True, False]
        )
        .group_by(*SERIES, "as_of_date", maintain_order=True)
        .agg(
            country.first().alias("first"),
            share.first().alias("share"),
            country.slice(1, 1).first().alias("rival"),
            share.slice(1, 1).first().fill_null(0.0).alias("rival_share"),
            exactly(pl.col("share").filter(~is_known)).alias("doubt"),
            (1 - pl.col("lineage_coverage").first()).fill_null(0.0).alias("unrecorded"),
        )
        # By base, models without a recorded lineage may have any root.
        .with_columns((pl.col("doubt") + pl.col("unrecorded")).clip(0, 1).alias("doubt"))
        .with_columns((pl.col("share") - pl.col("rival_share")).alias("margin"))
        .with_columns(pl.when(pl.col("margin") > pl.col("doubt")).then("first").alias("holder"))
    )
