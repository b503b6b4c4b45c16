"""mart.hub_lab_totals_daily."""

from __future__ import annotations

import polars as pl

from transforms.hub.definitions import FIRST_PARTY_KINDS
from transforms.hub.panels import with_panel
from transforms.numeric.exact_sums import total
from transforms.registry.attribution import with_lab_and_country
from transforms.registry.bitemporal import holds_on
from warehouse.contracts.table import contract

COUNTERS = ("downloads_30d", "downloads_all_time", "likes")
ROW = ["as_of_date", "basis", "lab_id", "country_code"]


def hub_lab_totals_daily(
    hub_daily_counters: pl.LazyFrame,
    hub_models: pl.LazyFrame,
    hub_panels: pl.LazyFrame,
    raw_hub_namespace_models: pl.LazyFrame,
    namespaces: pl.LazyFrame,
    labs: pl.LazyFrame,
) -> pl.LazyFrame:
    """One row per day and lab: models and counters of its namespaces, by uploader.

    A day has the whole listing or, if that is missing, the listings of the labs' namespaces.
    """
    each = _listed(hub_daily_counters, hub_models, raw_hub_namespace_models)
    placed = with_lab_and_country(
        each, namespaces, labs, system="hub", name="author", day="as_of_date"
    ).filter(pl.col("kind").is_in(FIRST_PARTY_KINDS))
    sums = placed.group_by(ROW).agg(
        pl.len().cast(pl.Int64).alias("n_models"),
        *(pl.when(pl.col(c).count() > 0).then(total(pl.col(c))).alias(c) for c in COUNTERS),
    )
    about = labs.select("lab_id", "lab_name", "country_name", "valid_from", "valid_to")
    named = sums.join(about, on="lab_id").filter(holds_on(pl.col("as_of_date")))
    # A day without a listing of the Hub has the labs' own listings, which are another panel.
    panel = pl.coalesce("panel_id", "basis").alias("panel_id")
    table = contract("mart.hub_lab_totals_daily")
    return with_panel(named, hub_panels).with_columns(panel).select(*table.columns)


def _listed(
    hub_daily_counters: pl.LazyFrame, hub_models: pl.LazyFrame, namespace_models: pl.LazyFrame
) -> pl.LazyFrame:
    """Counters by day and uploader; `basis` says which listing they are from."""
    authors = hub_models.select("model_id_hf", "author")
    whole = hub_daily_counters.join(authors, on="model_id_hf").select(
        "as_of_date", "author", *COUNTERS, basis=pl.lit("whole_listing")
    )
    own = namespace_models.rename({"snapshot_date": "as_of_date"}).select(
        "as_of_date", "author", *COUNTERS, basis=pl.lit("lab_namespaces")
    )
    days = hub_daily_counters.select("as_of_date").unique()
    return pl.concat([whole, own.join(days, on="as_of_date", how="anti")])
