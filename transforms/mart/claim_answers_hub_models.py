"""mart.claim_answers_hub_models."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.claims.hub_models import (
    datasets_created,
    models_created,
    repositories_created,
)
from transforms.claims.hub_top_sets import download_concentration, top_overlap
from transforms.claims.hub_tops import model_rank
from transforms.claims.requests import answer_table, to_requests
from transforms.claims.single_models import hub_counter, model_parameters, parameter_ratio


def claim_answers_hub_models(
    raw_claim_trials: pl.LazyFrame,
    hub_models: pl.LazyFrame,
    hub_daily_counters: pl.LazyFrame,
    raw_hub_datasets: pl.LazyFrame,
    notable_models: pl.LazyFrame,
    hub_listing_coverage: pl.LazyFrame,
    as_of: date,
) -> pl.LazyFrame:
    """One row per trial of single models or datasets and moment that a listing can answer."""
    requests = to_requests(raw_claim_trials, as_of)
    return answer_table(
        requests,
        [
            repositories_created(requests, hub_models, hub_listing_coverage),
            datasets_created(requests, raw_hub_datasets),
            models_created(requests, hub_models, hub_listing_coverage),
            model_rank(requests, hub_daily_counters, hub_listing_coverage),
            top_overlap(requests, hub_daily_counters, hub_listing_coverage),
            download_concentration(requests, hub_daily_counters, hub_listing_coverage),
            parameter_ratio(requests, hub_models, notable_models),
            model_parameters(requests, hub_models),
            hub_counter(requests, hub_daily_counters),
        ],
    )
