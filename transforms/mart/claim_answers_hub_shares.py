"""mart.claim_answers_hub_shares."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.claims.hub_parts import hub_part
from transforms.claims.hub_shares import hub_shares
from transforms.claims.requests import answer_table, to_requests


def claim_answers_hub_shares(
    raw_claim_trials: pl.LazyFrame,
    country_share_daily: pl.LazyFrame,
    lab_share_daily: pl.LazyFrame,
    family_share_daily: pl.LazyFrame,
    hub_counter_days: pl.LazyFrame,
    hub_listing_coverage: pl.LazyFrame,
    as_of: date,
) -> pl.LazyFrame:
    """One row per trial of a share on the Hub and moment that an observation can answer."""
    requests = to_requests(raw_claim_trials, as_of)
    shares = (country_share_daily, lab_share_daily, family_share_daily)
    given = hub_shares(requests, *shares, hub_counter_days, hub_listing_coverage)
    parts = hub_part(requests, lab_share_daily, hub_listing_coverage)
    return answer_table(requests, [given, parts])
