"""mart.claims."""

from __future__ import annotations

import polars as pl

from transforms.claims.verdicts import (
    COVERAGES,
    by_definition,
    verdicts,
    without_contradicted_guesses,
)
from transforms.claims.wording import found, reason, stated
from warehouse.contracts.table import contract

ROW = ["claim_id", "moment"]
SEEN = ("coverage", *COVERAGES)
_DECIDING = [
    *("label", "relation", "unit", "stated_value", "tolerance", "value", "target_date", "missing"),
    *("observed_on", "coverage_needed", "strict_source"),
    *("value_lower", "value_upper", "bounds_hold", "holds"),
]


def claims(raw_claims: pl.LazyFrame, claim_trials: pl.LazyFrame) -> pl.LazyFrame:
    """One row per statement and moment: the stated and recomputed value, verdict and reason.

    The verdict depends on the trials, and on whether the source defines what it says. Values from a
    source with a strict license are left out (`value_withheld` names the source).
    """
    judged = without_contradicted_guesses(verdicts(by_definition(claim_trials)), raw_claims)
    explained = (
        judged.join(_headline(claim_trials), on=ROW)
        .join(_deciding(claim_trials, judged), on=ROW)
        .join(raw_claims, on="claim_id")
        .with_columns(_reason_code().alias("reason_code"))
        .with_columns(reason().alias("reason"))
    )
    headline = [pl.col(f"headline_{c}").alias(c) for c in ("unit", "stated_value", "tolerance")]
    return explained.with_columns(headline).select(*contract("mart.claims").columns)


def _headline(trials: pl.LazyFrame) -> pl.LazyFrame:
    """The first quantity under the statement's first own definition, and all quantities as text."""
    own = trials.filter("is_own").sort(*ROW, "position")
    first = own.filter(pl.col("definition_id") == pl.col("definition_id").first().over(ROW))
    strict = pl.col("strict_source").drop_nulls().first()
    values = {
        "recomputed_value": pl.col("value").first(),
        "recomputed_lower": pl.col("value_lower").first(),
        "recomputed_upper": pl.col("value_upper").first(),
        "recomputed_text": found().str.join("; "),
    }
    return first.group_by(ROW, maintain_order=True).agg(
        pl.col("unit").first().alias("headline_unit"),
        pl.col("stated_value").first().alias("headline_stated_value"),
        pl.col("tolerance").first().alias("headline_tolerance"),
        stated().str.join("; ").alias("stated_text"),
        strict.alias("value_withheld"),
        *(pl.when(strict.is_null()).then(value).alias(name) for name, value in values.items()),
    )


def _deciding(trials: pl.LazyFrame, judged: pl.LazyFrame) -> pl.LazyFrame:
    """The deciding trial: an own one that fails, else one without an answer, else the first.

    All own trials of a reproduced statement decide, so its coverage is their lowest.
    """
    holds, verdict = pl.col("holds"), pl.col("verdict")
    decides = (
        pl.when(verdict == "reproduced")
        .then(holds)
        .when(~pl.col("is_undefined") & (verdict == "not_testable"))
        .then(holds.is_null())
        .otherwise(~holds)
        .fill_null(False)
    )
    rows = (
        trials.filter("is_own")
        .join(judged.select(*ROW, "verdict", "is_undefined"), on=ROW)
        .filter(decides)
        .sort(*ROW, "position")
    )
    is_all = pl.col("verdict").first() == "reproduced"
    return rows.group_by(ROW, maintain_order=True).agg(
        pl.col(_DECIDING).first(),
        pl.col("definition").first().alias("deciding_definition"),
        *(
            pl.when(is_all).then(pl.col(c).min()).otherwise(pl.col(c).first()).alias(c)
            for c in SEEN
        ),
    )


def _reason_code() -> pl.Expr:
    return (
        pl.when("is_undefined")
        .then(pl.lit("definition_not_stated"))
        .when(pl.col("verdict") == "not_testable")
        .then("missing")
        .when(pl.col("verdict") == "reproduced")
        .then(pl.lit("holds"))
        .when(pl.col("verdict") == "contradicted")
        .then(pl.lit("fails"))
        .otherwise(pl.lit("fails_as_stated"))
    )
