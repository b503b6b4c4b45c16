"""mart.claim_answers_windows."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.claims.requests import answer_table, to_requests
from transforms.claims.windows import window_answers
from transforms.hub.window_shares import Counted
from transforms.hub.windows import all_counters
from transforms.registry.bitemporal import as_known
from transforms.registry.family_rules import hub_families


def claim_answers_windows(
    raw_claim_trials: pl.LazyFrame,
    hub_all_time_counters: pl.LazyFrame,
    hub_daily_counters: pl.LazyFrame,
    hub_all_time_days: pl.LazyFrame,
    hub_models: pl.LazyFrame,
    hub_model_roots: pl.LazyFrame,
    namespaces: pl.LazyFrame,
    labs: pl.LazyFrame,
    families: pl.LazyFrame,
    raw_registry_family_rules: pl.LazyFrame,
    as_of: date,
    known_at: date,
) -> pl.LazyFrame:
    """One row per trial of a window of downloads and moment that counters can answer."""
    requests = to_requests(raw_claim_trials, as_of)
    counters = all_counters(hub_all_time_counters, hub_daily_counters)
    roots = hub_model_roots.select(pl.col("root_model_id_hf").alias("model_name"))
    names = pl.concat([counters.select(model_name="model_id_hf"), roots])
    own = _of_makers(names, namespaces, families)
    named = hub_families(own, as_known(raw_registry_family_rules, known_at))
    made = named.drop_nulls("family_id").join(
        families.select("family_id", maker="lab_id"), on="family_id"
    )
    counted = Counted(
        counters, hub_all_time_days, hub_models, hub_model_roots, namespaces, labs,
        made.select("model_name", "family_id", "maker").collect().lazy(),
    ).held()  # fmt: skip
    return answer_table(requests, [window_answers(requests, counted)])


def _of_makers(
    names: pl.LazyFrame, namespaces: pl.LazyFrame, families: pl.LazyFrame
) -> pl.LazyFrame:
    """The repositories of labs that make a family: a family is credited with no others."""
    makers = namespaces.filter(pl.col("system") == "hub").join(families, on="lab_id", how="semi")
    namespace = pl.col("model_name").str.extract(r"^([^/]+)/").str.to_lowercase()
    return (
        names.with_columns(namespace.alias("namespace_key"))
        .join(makers, on="namespace_key", how="semi")
        .select("model_name")
    )
