"""mart.claim_answers_derivatives."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.claims.derivative_counts import derivative_count
from transforms.claims.derivatives import derivative_share
from transforms.claims.requests import answer_table, to_requests


def claim_answers_derivatives(
    raw_claim_trials: pl.LazyFrame,
    hub_models: pl.LazyFrame,
    hub_base_models: pl.LazyFrame,
    hub_model_roots: pl.LazyFrame,
    model_families: pl.LazyFrame,
    namespaces: pl.LazyFrame,
    labs: pl.LazyFrame,
    hub_listing_coverage: pl.LazyFrame,
    as_of: date,
) -> pl.LazyFrame:
    """One row per trial of derivatives on the Hub and moment that a listing can answer."""
    requests = to_requests(raw_claim_trials, as_of)
    lineage = (hub_models, hub_base_models, hub_model_roots)
    names = (namespaces, labs, hub_listing_coverage)
    return answer_table(
        requests,
        [
            derivative_share(requests, *lineage, *names),
            derivative_count(requests, *lineage, model_families, *names),
        ],
    )
