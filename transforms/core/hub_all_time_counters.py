"""core.hub_all_time_counters."""

from __future__ import annotations

import polars as pl

from transforms.hub.counter_flags import with_flags
from transforms.hub.study_countries import with_study_codes
from warehouse.contracts.table import contract

STUDY = ("org_country", "derived_org_country", "country_group", "derived_country_group", "org_type")


def hub_all_time_counters(
    raw_hub_stats_models: pl.LazyFrame,
    raw_hub_evolution_counters: pl.LazyFrame,
    hub_models: pl.LazyFrame,
    raw_registry_countries: pl.LazyFrame,
) -> pl.LazyFrame:
    """One row per source, day and model, with the counters as published and their flags.

    Nothing is repaired: a counter that falls, jumps or is older than its model keeps its value.
    """
    every = pl.concat(
        [_of_study(raw_hub_evolution_counters), _of_copies(raw_hub_stats_models)], how="diagonal"
    )
    coded = with_study_codes(with_flags(every, hub_models), raw_registry_countries)
    return coded.select(*contract("core.hub_all_time_counters").columns)


def _of_study(raw: pl.LazyFrame) -> pl.LazyFrame:
    """The study's file. Each snapshot holds the whole history, so the newest one counts."""
    newest = raw.filter(pl.col("snapshot_date") == pl.col("snapshot_date").max())
    return newest.select(
        pl.lit("hub_evolution").alias("counter_source"),
        *("as_of_date", "model_id_hf", "author", "created_at", "downloads_all_time", *STUDY),
    )


def _of_copies(raw: pl.LazyFrame) -> pl.LazyFrame:
    """The daily copies of the Hub's listing by a third party."""
    return raw.select(
        pl.lit("hub_stats").alias("counter_source"),
        pl.col("snapshot_date").alias("as_of_date"),
        *("model_id_hf", "author", "created_at", "downloads_all_time"),
    )
