"""core.hub_daily_downloads."""

from __future__ import annotations

import polars as pl

from transforms.hub.definitions import LAUNCH_DAYS
from transforms.numeric.windows import age_in_days
from transforms.registry.attribution import with_lab_and_country
from warehouse.contracts.table import contract

RESET_FACTOR = 10  # an all-time counter below a tenth of its value has started again
LAUNCH_LAG_DAYS = 3
ROW = ["as_of_date", "model_id_hf"]


def hub_daily_downloads(
    raw_hub_counter_steps: pl.LazyFrame,
    hub_counter_days: pl.LazyFrame,
    hub_counter_spikes: pl.LazyFrame,
    hub_models: pl.LazyFrame,
    hub_suspected_doubles: pl.LazyFrame,
    namespaces: pl.LazyFrame,
    labs: pl.LazyFrame,
) -> pl.LazyFrame:
    """One row per day and model whose all-time counter changed or began since the snapshot before.

    The rules add flags and repair nothing: a fall counts as 0 new downloads, with the fall in
    `downloads_clipped`.
    """
    now, before = pl.col("downloads_all_time"), pl.col("downloads_all_time_before")
    moved = _moved(raw_hub_counter_steps, hub_suspected_doubles)
    about = hub_models.select("model_id_hf", "author", "created_at")
    known = moved.join(about, on="model_id_hf", how="left")
    named = with_lab_and_country(
        known, namespaces, labs, system="hub", name="author", day="as_of_date"
    )
    spikes = hub_counter_spikes.select(*ROW, is_spike=pl.lit(True))
    days = hub_counter_days.select("as_of_date", "days", day_outage="counter_outage")
    flagged = named.join(spikes, on=ROW, how="left").join(days, on="as_of_date", how="left")
    change = pl.col("downloads_all_time_change")
    return (
        flagged.with_columns(downloads_all_time_change=now - before)
        .with_columns(
            downloads_new=change.clip(lower_bound=0),
            downloads_clipped=(-change).clip(lower_bound=0),
            missing_reason=_missing_reason(),
            window_residual=_window_residual(),
            counter_outage=_counter_outage(now, before),
            ci_suspect=_ci_suspect(),
            preliminary=pl.when(_age() < LAUNCH_LAG_DAYS).then(pl.lit("launch_lag")),
        )
        .select(*contract("core.hub_daily_downloads").columns)
    )


def _moved(steps: pl.LazyFrame, doubles: pl.LazyFrame) -> pl.LazyFrame:
    """The changed counters, without repositories that another id counts."""
    now, before = pl.col("downloads_all_time"), pl.col("downloads_all_time_before")
    twice = doubles.filter("is_counted_once").select(*ROW)
    return (
        steps.rename({"snapshot_date": "as_of_date"})
        .filter(now.is_not_null() | before.is_not_null(), now.eq_missing(before).not_())
        .join(twice, on=ROW, how="anti")
    )


def _missing_reason() -> pl.Expr:
    return (
        pl.when(pl.col("downloads_all_time_change").is_not_null())
        .then(None)
        .when(pl.col("is_new"))
        .then(pl.lit("first_seen"))
        .when(~pl.col("was_listed"))
        .then(pl.lit("returned"))
        .otherwise(pl.lit("not_recorded"))
    )


def _window_residual() -> pl.Expr:
    """For a rolling 30-day counter D, D(t) - D(t-1) = new(t) - new(t-30); the difference."""
    moved = pl.col("downloads_30d") - pl.col("downloads_30d_before")
    return moved - (
        pl.col("downloads_all_time_change") - pl.col("downloads_all_time_change_30d_ago")
    )


def _counter_outage(now: pl.Expr, before: pl.Expr) -> pl.Expr:
    return (
        pl.when(now * RESET_FACTOR < before)
        .then(pl.lit("reset"))
        .when(now < before)
        .then(pl.lit("fall"))
        .otherwise(pl.col("day_outage"))
    )


def _ci_suspect() -> pl.Expr:
    is_spike = pl.col("is_spike").fill_null(False)
    is_grown = (_age() >= LAUNCH_DAYS).fill_null(True)
    return (
        pl.when(pl.col("kind") == "ci")
        .then(pl.lit("ci_namespace"))
        .when(is_spike & is_grown)
        .then(pl.lit("spike"))
    )


def _age() -> pl.Expr:
    return age_in_days(pl.col("as_of_date"), pl.col("created_at"))
