"""mart.claim_trials."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.claims.ai_index import ai_index_value
from transforms.claims.arena import arena
from transforms.claims.derivatives import derivative_share
from transforms.claims.epoch import frontier_lag, models_published, notable_count
from transforms.claims.hub_models import (
    datasets_created,
    model_rank,
    models_created,
    parameter_ratio,
    repositories_created,
)
from transforms.claims.hub_shares import hub_shares, listing_coverage
from transforms.claims.requests import asked
from transforms.claims.trending import trending
from transforms.claims.verdicts import with_judgement
from transforms.registry.bitemporal import as_known
from warehouse.contracts.table import contract


def claim_trials(
    raw_claim_trials: pl.LazyFrame,
    country_share_daily: pl.LazyFrame,
    lab_share_daily: pl.LazyFrame,
    family_share_daily: pl.LazyFrame,
    trending_share_daily: pl.LazyFrame,
    hub_trending: pl.LazyFrame,
    raw_hub_datasets: pl.LazyFrame,
    hub_models: pl.LazyFrame,
    hub_daily_counters: pl.LazyFrame,
    hub_counter_days: pl.LazyFrame,
    hub_base_models: pl.LazyFrame,
    hub_model_roots: pl.LazyFrame,
    namespaces: pl.LazyFrame,
    labs: pl.LazyFrame,
    arena_ratings: pl.LazyFrame,
    notable_models: pl.LazyFrame,
    notable_model_labs: pl.LazyFrame,
    ai_index_series: pl.LazyFrame,
    raw_ai_index_rows: pl.LazyFrame,
    raw_epoch_capabilities: pl.LazyFrame,
    raw_registry_countries: pl.LazyFrame,
    raw_registry_hub_sizes: pl.LazyFrame,
    raw_registry_epoch_sizes: pl.LazyFrame,
    meta_snapshots: pl.LazyFrame,
    as_of: date,
    known_at: date,
) -> pl.LazyFrame:
    """One row per statement, moment, definition and quantity: what came out, and whether it holds.

    Moments: the stated day (or the observation nearest to it) and the newest observation.
    """
    ask = asked(raw_claim_trials, as_of)
    hub_sizes = as_known(raw_registry_hub_sizes, known_at)
    listed = listing_coverage(country_share_daily, hub_sizes, meta_snapshots)
    epoch = (as_known(raw_registry_epoch_sizes, known_at), meta_snapshots)
    shares = (country_share_daily, lab_share_daily, family_share_daily)
    lineage = (hub_base_models, hub_model_roots, namespaces, labs)
    given = (
        hub_shares(ask, *shares, hub_counter_days, listed),
        repositories_created(ask, hub_models, listed),
        datasets_created(ask, raw_hub_datasets),
        models_created(ask, hub_models, listed),
        model_rank(ask, hub_daily_counters, listed),
        parameter_ratio(ask, hub_models, notable_models),
        derivative_share(ask, hub_models, *lineage, listed),
        trending(ask, trending_share_daily, hub_trending, hub_models),
        arena(ask, arena_ratings, meta_snapshots),
        notable_count(ask, notable_models, notable_model_labs, *epoch),
        models_published(ask, notable_models),
        frontier_lag(ask, raw_epoch_capabilities, raw_registry_countries, *epoch),
        ai_index_value(ask, ai_index_series, raw_ai_index_rows),
    )
    # One after the other: at once each test would hold its own part of the whole Hub.
    answered = [answer.collect().lazy() for answer in given]
    return _judged(ask, pl.concat(answered))


def _judged(requests: pl.LazyFrame, given: pl.LazyFrame) -> pl.LazyFrame:
    judged = with_judgement(requests.join(given, on="request", how="left"))
    return judged.with_columns(
        pl.col("day").alias("target_date"),
        (pl.col("observed_on") - pl.col("day")).dt.total_days().cast(pl.Int32).alias("days_off"),
        _bound("value_lower"),
        _bound("value_upper"),
        _evidence().alias("evidence"),
    ).select(*contract("mart.claim_trials").columns)


def _bound(column: str) -> pl.Expr:
    """A bound for readers: none where there is none, which BI tools cannot take as infinite."""
    return pl.when(pl.col(column).is_finite()).then(column).alias(column)


def _evidence() -> pl.Expr:
    """What kind of check it is: a look-up in the publisher's own file proves the citation alone."""
    return (
        pl.when(pl.col("value").is_null())
        .then(pl.lit("none"))
        .when(pl.col("test") == "ai_index_value")
        .then(pl.lit("publishers_file"))
        .otherwise(pl.lit("recomputed"))
    )
