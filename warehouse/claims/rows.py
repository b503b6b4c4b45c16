"""The tables of the claims: raw.claims and raw.claim_trials."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from warehouse.claims.claim import Claim, is_about_the_past_only
from warehouse.claims.read import claims
from warehouse.contracts.table import contract


def claim_rows(given: Sequence[Claim] | None = None) -> pl.DataFrame:
    """raw.claims: one row per statement; by default those of the repository."""
    schema = contract("raw.claims").polars_schema
    rows = [
        {
            "claim_id": c.id,
            "listed_as": ", ".join(c.listed_as) or None,
            **c.model_dump(include=set(schema) - {"claim_id", "listed_as"}),
        }
        for c in (claims() if given is None else given)
    ]
    return pl.DataFrame(rows, schema=schema)


def trial_rows(given: Sequence[Claim] | None = None) -> pl.DataFrame:
    """raw.claim_trials: one row per statement, definition and quantity, with its test."""
    rows = [
        {
            "claim_id": claim.id,
            "definition_id": definition.id,
            "measure_id": measure.id,
            "position": position,
            "definition": definition.says,
            "is_own": definition.is_own,
            "target_date": definition.on or measure.on or claim.as_of,
            "within_days": claim.within_days,
            "stated_value": definition.stated.get(measure.id, measure.stated),
            "only_stated": is_about_the_past_only(definition, measure, test),
            **measure.model_dump(exclude={"id", "stated", "on", "check", "only_stated"}),
            **{k: _flat(v) for k, v in test.model_dump().items()},
        }
        for claim in (claims() if given is None else given)
        for position, (definition, measure, test) in enumerate(claim.trials())
    ]
    return pl.DataFrame(rows, schema=contract("raw.claim_trials").polars_schema)


def _flat(value: object) -> object:
    """Lists as text, one item per line, for BI tools; null if empty."""
    return "\n".join(value) or None if isinstance(value, tuple) else value
