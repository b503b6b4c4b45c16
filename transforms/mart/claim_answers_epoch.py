"""mart.claim_answers_epoch."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.claims.epoch_values import epoch_value
from transforms.claims.frontier import frontier_lag
from transforms.claims.notable import models_published, notable_count
from transforms.claims.requests import answer_table, to_requests
from transforms.registry.bitemporal import as_known


def claim_answers_epoch(
    raw_claim_trials: pl.LazyFrame,
    notable_models: pl.LazyFrame,
    notable_model_labs: pl.LazyFrame,
    raw_epoch_models: pl.LazyFrame,
    raw_epoch_capabilities: pl.LazyFrame,
    raw_registry_countries: pl.LazyFrame,
    raw_registry_epoch_sizes: pl.LazyFrame,
    meta_snapshots: pl.LazyFrame,
    as_of: date,
    known_at: date,
) -> pl.LazyFrame:
    """One row per trial of Epoch's tables and moment that a vintage can answer."""
    requests = to_requests(raw_claim_trials, as_of)
    sizes = (as_known(raw_registry_epoch_sizes, known_at), meta_snapshots)
    return answer_table(
        requests,
        [
            notable_count(requests, notable_models, notable_model_labs, *sizes),
            models_published(requests, notable_models),
            epoch_value(requests, raw_epoch_models),
            frontier_lag(requests, raw_epoch_capabilities, raw_registry_countries, *sizes),
        ],
    )
