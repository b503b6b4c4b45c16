"""Numerators, denominators and shares, from core.hub_credits.

Every share is the sum of a metric by country, lab or family, divided by the sum of that metric over
the same population, where each model counts once.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from transforms.hub.definitions import DEFINITION, METRICS, POPULATIONS, WINDOWS
from transforms.numeric.exact_sums import exactly, total


def numerators(credits: pl.LazyFrame, by: str) -> pl.LazyFrame:
    """One row per definition, credit and `by`: `numerator`, `unrecorded` and `n_models`.

    full: each distinct value of `by` of a model gets all of it. fractional: equal parts.
    `unrecorded` is the part of the numerator whose models have no recorded lineage.
    """
    shared = pl.col("model_id_hf").is_not_null()
    once = pl.struct("as_of_date", "model_id_hf", "attribution", by).is_first_distinct()
    sums = [
        e.alias(f"{population} {metric} {credit}")
        for population in POPULATIONS
        for metric in METRICS
        for credit, e in _sums(population, metric)
    ]
    wide = (
        credits.with_columns(all=pl.lit(True), is_shared=shared, is_first=once | ~shared)
        .group_by("as_of_date", "attribution", by)
        .agg(sums)
    )
    long = _long(wide, ["as_of_date", "attribution", by])
    beside = ("n_models", "unrecorded")
    counts, unrecorded = (
        long.filter(pl.col("what") == name).rename({"value": name}).drop("what") for name in beside
    )
    keys = [*DEFINITION, by]
    return (
        long.filter(~pl.col("what").is_in(beside))
        .rename({"value": "numerator", "what": "credit"})
        .join(counts, on=keys)
        .join(unrecorded, on=keys)
        .filter(pl.col("n_models") > 0)
        .with_columns(pl.col("n_models").cast(pl.Int64))
    )


def _sums(population: str, metric: str) -> list[tuple[str, pl.Expr]]:
    """Models of a single owner are summed as integers, shared models by parts."""
    value, inside, shared = pl.col(metric), pl.col(population), pl.col("is_shared")
    parts = (value * pl.col("weight")).filter(inside & shared)
    own = total(value.filter(inside & ~shared)).cast(pl.Float64)
    once = inside & pl.col("is_first")
    return [
        ("full", total(value.filter(once)).cast(pl.Float64)),
        ("fractional", own + exactly(parts)),
        ("n_models", total(pl.col(f"n_{metric}").filter(once)).cast(pl.Float64)),
        # Without a recorded lineage a model is its own root, so it is never shared.
        ("unrecorded", total(value.filter(inside & ~pl.col("lineage_recorded"))).cast(pl.Float64)),
    ]


def denominators(credits: pl.LazyFrame) -> pl.LazyFrame:
    """One row per day, population and metric: the sum over its models, each once.

    `n_models_population` models have the metric; `n_models_without_counter` lack it and are in no
    sum. `recorded` is the part of the sum whose models have a recorded lineage. The attribution by
    publisher has every model exactly once.
    """
    sums = [
        total(e.filter(pl.col(population))).alias(f"{population} {metric} {what}")
        for population in POPULATIONS
        for metric in METRICS
        for what, e in (
            ("denominator", pl.col(metric)),
            ("recorded", pl.when("lineage_recorded").then(metric)),
            ("n_models_population", pl.col(f"n_{metric}")),
            ("n_models_without_counter", pl.col("n_models") - pl.col(f"n_{metric}")),
        )
    ]
    each = credits.filter(pl.col("attribution") == "publisher").with_columns(all=pl.lit(True))
    wide = each.group_by("as_of_date").agg(e.cast(pl.Float64) for e in sums)
    long = _long(wide, ["as_of_date"])
    key = ["as_of_date", "population", "metric", "metric_window"]
    counts = ["n_models_population", "n_models_without_counter"]
    first, *others = (
        long.filter(pl.col("what") == what).rename({"value": what}).drop("what")
        for what in ("denominator", "recorded", *counts)
    )
    for other in others:
        first = first.join(other, on=key)
    return first.with_columns(pl.col(counts).cast(pl.Int64)).filter(pl.col("denominator") > 0)


def with_shares(sums: pl.LazyFrame, totals: pl.LazyFrame) -> pl.LazyFrame:
    """Joins numerators and denominators; adds `share`, `lineage_coverage` and `share_missing`.

    `lineage_coverage`, by base, is the part of the denominator whose models have a recorded
    lineage. If it is 0, share, numerator and number of models are null, and `share_missing` says
    why.
    """
    is_base = pl.col("attribution") == "base"
    coverage = pl.when(is_base).then(pl.col("recorded") / pl.col("denominator"))
    is_known = pl.col("share_missing").is_null()
    return (
        sums.join(totals, on=["as_of_date", "population", "metric", "metric_window"])
        .with_columns(coverage.alias("lineage_coverage"))
        .with_columns(
            pl.when(pl.col("lineage_coverage") == 0)
            .then(pl.lit("lineage_not_recorded"))
            .alias("share_missing")
        )
        .with_columns(
            pl.when(is_known).then(c).alias(c) for c in ("numerator", "unrecorded", "n_models")
        )
        .with_columns((pl.col("numerator") / pl.col("denominator")).alias("share"))
    )


def _long(wide: pl.LazyFrame, index: Sequence[str]) -> pl.LazyFrame:
    """Columns named `population metric what` as rows."""
    windows = pl.LazyFrame({"metric": list(WINDOWS), "metric_window": list(WINDOWS.values())})
    named = pl.col("variable").str.split_exact(" ", 2).struct
    return (
        wide.unpivot(index=index)
        .with_columns(
            named.field("field_0").alias("population"),
            named.field("field_1").alias("metric"),
            named.field("field_2").alias("what"),
        )
        .drop("variable")
        .join(windows, on="metric")
    )
