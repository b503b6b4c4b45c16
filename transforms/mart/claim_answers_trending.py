"""mart.claim_answers_trending."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.claims.requests import answer_table, to_requests
from transforms.claims.trending import trending


def claim_answers_trending(
    raw_claim_trials: pl.LazyFrame,
    trending_share_daily: pl.LazyFrame,
    hub_trending: pl.LazyFrame,
    hub_models: pl.LazyFrame,
    as_of: date,
) -> pl.LazyFrame:
    """One row per trial of the trending list and moment that observed lists can answer."""
    requests = to_requests(raw_claim_trials, as_of)
    given = trending(requests, trending_share_daily, hub_trending, hub_models)
    return answer_table(requests, [given])
