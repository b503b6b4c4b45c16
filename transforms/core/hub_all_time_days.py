"""core.hub_all_time_days."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.hub.counted_panels import with_download_coverage, with_panel_of_counters
from transforms.numeric.exact_sums import how_many, total
from transforms.registry.bitemporal import as_known
from warehouse.contracts.table import contract

DAY = ["counter_source", "as_of_date"]
FLAGS = {"n_falls": "is_fall", "n_jumps": "is_jump", "n_before_creation": "is_before_creation"}


def hub_all_time_days(
    hub_all_time_counters: pl.LazyFrame,
    hub_daily_counters: pl.LazyFrame,
    hub_counter_days: pl.LazyFrame,
    hub_panels: pl.LazyFrame,
    hub_models: pl.LazyFrame,
    meta_snapshots: pl.LazyFrame,
    raw_registry_hub_sizes: pl.LazyFrame,
    known_at: date,
) -> pl.LazyFrame:
    """One row per source and day with all-time counters: what the day holds, and if it is usable.

    A day that repeats an earlier state, or on which the Hub's counters failed, is no end of a
    window: the first day of a repeated state is.
    """
    days = pl.concat(
        [
            _of_others(hub_all_time_counters),
            _of_sweeps(hub_daily_counters).join(
                _outages(hub_counter_days), on="as_of_date", how="left"
            ),
        ],
        how="diagonal",
    ).filter(pl.col("n_counters") > 0)
    is_usable = pl.col("repeats_date").is_null() & pl.col("counter_outage").is_null()
    placed = with_panel_of_counters(
        days, hub_panels, meta_snapshots, as_known(raw_registry_hub_sizes, known_at)
    )
    covered = with_download_coverage(placed, hub_all_time_counters, hub_daily_counters, hub_models)
    return covered.with_columns(is_usable.alias("is_usable")).select(
        *contract("core.hub_all_time_days").columns
    )


def _sums() -> list[pl.Expr]:
    counter = pl.col("downloads_all_time")
    return [
        pl.len().cast(pl.Int64).alias("n_models"),
        how_many(counter.is_not_null()).alias("n_counters"),
        total(counter).alias("downloads_all_time"),
    ]


def _of_others(counters: pl.LazyFrame) -> pl.LazyFrame:
    named = how_many(pl.col("study_country_codes").is_not_null())
    return counters.group_by(DAY).agg(
        *_sums(),
        *(how_many(pl.col(flag)).alias(name) for name, flag in FLAGS.items()),
        pl.col("repeats_date").first(),
        named.alias("n_annotated"),
    )


def _of_sweeps(counters: pl.LazyFrame) -> pl.LazyFrame:
    """The days of our own sweeps that are loaded; core.hub_daily_downloads has their falls."""
    return counters.group_by("as_of_date").agg(*_sums()).with_columns(counter_source=pl.lit("hub"))


def _outages(hub_counter_days: pl.LazyFrame) -> pl.LazyFrame:
    return hub_counter_days.select("as_of_date", "counter_outage")
