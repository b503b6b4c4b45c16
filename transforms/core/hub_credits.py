"""core.hub_credits."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.hub.credits import credited, makers_of
from transforms.hub.definitions import FLAGS, METRICS
from transforms.numeric.exact_sums import total
from warehouse.contracts.table import contract

OWNER = ["lab_id", "country_code", "family_id"]
NAMES = [*OWNER, "named_family_id"]


def hub_credits(
    hub_daily_counters: pl.LazyFrame,
    hub_models: pl.LazyFrame,
    hub_counter_spikes: pl.LazyFrame,
    hub_model_roots: pl.LazyFrame,
    model_families: pl.LazyFrame,
    families: pl.LazyFrame,
    namespaces: pl.LazyFrame,
    labs: pl.LazyFrame,
    hub_panels: pl.LazyFrame,
) -> pl.LazyFrame:
    """One row per day, attribution, owner and set of populations; of shared models, one per root.

    Models of a single owner (by `transforms.hub.credits`) are added up, once for all shares; a
    model with several roots keeps a row for each. A day whose listing has no lineage at all has
    none here, whatever other days or the registry say.
    """
    makers = makers_of(model_families, families).collect().lazy()
    found = credited(
        hub_daily_counters, hub_models, hub_counter_spikes, hub_model_roots, makers,
        namespaces, labs,
    )  # fmt: skip
    silent = _silent_days(hub_panels)
    publisher, by_root, parts = (
        rows.with_columns(pl.col("lineage_recorded") & ~pl.col("as_of_date").is_in(silent))
        for rows in (found.publisher, found.whole, found.parts)
    )
    names = found.models.select("model_no", "model_id_hf")
    parts = parts.join(names, on="model_no").with_columns(
        *(pl.col(metric).is_not_null().cast(pl.Int64).alias(f"n_{metric}") for metric in METRICS),
        pl.col(OWNER).cast(pl.String),
        attribution=pl.lit("base"),
        named_family_id=pl.lit(None, pl.String),
    )
    # Families by name are counted once, in the rows by publisher.
    by_root = by_root.with_columns(named_family_id=pl.lit(None, pl.Categorical))
    whole = [_added_up(publisher, "publisher"), _added_up(by_root, "base")]
    rows = pl.concat([*whole, parts], how="diagonal")
    return rows.select(*contract("core.hub_credits").columns)


def _silent_days(hub_panels: pl.LazyFrame) -> list[date]:
    """The days whose listing says nothing about the parents of any model."""
    return (
        hub_panels.filter(~pl.col("has_lineage"))
        .select("as_of_date")
        .collect()
        .to_series()
        .to_list()
    )


def _added_up(rows: pl.LazyFrame, attribution: str) -> pl.LazyFrame:
    """One row per day, owner and set of populations."""
    sums = rows.group_by("as_of_date", *NAMES, *FLAGS, "lineage_recorded").agg(
        *(total(pl.col(metric)) for metric in METRICS),
        *(pl.col(metric).count().cast(pl.Int64).alias(f"n_{metric}") for metric in METRICS),
    )
    return sums.with_columns(
        pl.col(NAMES).cast(pl.String), attribution=pl.lit(attribution), weight=pl.lit(1.0)
    )
