"""mart.claim_answers_ai_index."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.claims.ai_index import ai_index_value
from transforms.claims.requests import answer_table, to_requests


def claim_answers_ai_index(
    raw_claim_trials: pl.LazyFrame,
    ai_index_series: pl.LazyFrame,
    raw_ai_index_rows: pl.LazyFrame,
    as_of: date,
) -> pl.LazyFrame:
    """One row per look-up in the AI Index and moment whose figure is printed."""
    requests = to_requests(raw_claim_trials, as_of)
    return answer_table(requests, [ai_index_value(requests, ai_index_series, raw_ai_index_rows)])
