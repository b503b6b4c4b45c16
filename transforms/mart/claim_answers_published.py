"""mart.claim_answers_published."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.claims.published import published_lead
from transforms.claims.requests import answer_table, to_requests
from transforms.registry.bitemporal import as_known


def claim_answers_published(
    raw_claim_trials: pl.LazyFrame,
    raw_registry_published_figures: pl.LazyFrame,
    as_of: date,
    known_at: date,
) -> pl.LazyFrame:
    """One row per comparison of figures of one published table and moment."""
    requests = to_requests(raw_claim_trials, as_of)
    figures = as_known(raw_registry_published_figures, known_at)
    return answer_table(requests, [published_lead(requests, figures)])
