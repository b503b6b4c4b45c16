"""mart.claim_answers_arena."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.claims.arena_boards import rated_models
from transforms.claims.arena_leads import arena_ahead, arena_first, arena_lead, arena_spread
from transforms.claims.arena_places import arena_count, arena_rank
from transforms.claims.requests import answer_table, for_tests, to_requests


def claim_answers_arena(
    raw_claim_trials: pl.LazyFrame,
    arena_ratings: pl.LazyFrame,
    meta_snapshots: pl.LazyFrame,
    as_of: date,
) -> pl.LazyFrame:
    """One row per trial of a test on LMArena and moment that a board can answer."""
    requests = to_requests(raw_claim_trials, as_of)
    tests = (arena_count, arena_rank, arena_first, arena_lead, arena_spread, arena_ahead)
    wanted = for_tests(requests, *(test.__name__ for test in tests))
    rated = rated_models(wanted, arena_ratings, meta_snapshots)
    return answer_table(requests, (test(wanted, rated) for test in tests))
