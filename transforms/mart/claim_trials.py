"""mart.claim_trials."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.claims.requests import TRIAL, to_requests
from transforms.claims.verdicts import with_outcomes
from warehouse.contracts.table import contract


def claim_trials(
    raw_claim_trials: pl.LazyFrame,
    claim_answers_hub_shares: pl.LazyFrame,
    claim_answers_windows: pl.LazyFrame,
    claim_answers_hub_models: pl.LazyFrame,
    claim_answers_derivatives: pl.LazyFrame,
    claim_answers_trending: pl.LazyFrame,
    claim_answers_arena: pl.LazyFrame,
    claim_answers_epoch: pl.LazyFrame,
    claim_answers_ai_index: pl.LazyFrame,
    claim_answers_published: pl.LazyFrame,
    as_of: date,
) -> pl.LazyFrame:
    """One row per statement, moment, definition and quantity: the value, and whether it holds.

    Moments: the stated day (or the observation nearest to it) and the newest observation.
    """
    answers = pl.concat(
        [
            *(claim_answers_hub_shares, claim_answers_windows, claim_answers_hub_models),
            *(claim_answers_derivatives, claim_answers_trending, claim_answers_arena),
            *(claim_answers_epoch, claim_answers_ai_index, claim_answers_published),
        ]
    )
    requests = to_requests(raw_claim_trials, as_of)
    judged = with_outcomes(requests.join(answers, on=TRIAL, how="left"))
    return judged.with_columns(
        pl.col("day").alias("target_date"),
        (pl.col("observed_on") - pl.col("day")).dt.total_days().cast(pl.Int32).alias("days_off"),
        _evidence().alias("evidence"),
    ).select(*contract("mart.claim_trials").columns)


def _evidence() -> pl.Expr:
    """The kind of check: a look-up in the publisher's own file proves only the citation."""
    return (
        pl.when(pl.col("value").is_null() & pl.col("holds").is_null())
        .then(pl.lit("none"))
        .when(pl.col("test") == "ai_index_value")
        .then(pl.lit("publishers_file"))
        .when(pl.col("test") == "published_lead")
        .then(pl.lit("published_table"))
        .otherwise(pl.lit("recomputed"))
    )
