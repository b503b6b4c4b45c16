"""What every share is made of: who counts (populations), what is counted (metrics), who gets it.

A population is a named rule, never a silent filter. All shares of the observatory are sums of
these rows by country, lab or family over the sum of the same population, each model once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import polars as pl

from transforms.attribution import with_lab_and_country
from transforms.sums import in_order

FIRST_PARTY = ("lab", "academia", "community")
LAUNCH_DAYS = 60  # a young model rises from nothing; that is no spike

POPULATIONS = ("all", "llm_vlm", "created_1y", "first_party", "without_ci", "without_spikes")
# Metric -> window: what of the model is counted, and over which time.
METRICS = {
    "downloads_30d": "30d",
    "downloads_all_time": "all_time",
    "likes": "all_time",
    "models": "all_time",
    "new_models_30d": "30d",
}
DEFINITION = ["as_of_date", "population", "metric", "window", "attribution"]


def members(
    counters: pl.LazyFrame,
    models: pl.LazyFrame,
    spikes: pl.LazyFrame,
    namespaces: pl.LazyFrame,
    labs: pl.LazyFrame,
) -> pl.LazyFrame:
    """One row per day and model: author, its metrics and, as flags, its populations."""
    joined = counters.join(
        models.select("model_id_hf", "author", "created_at", "is_llm_vlm"), on="model_id_hf"
    ).join(
        spikes.select("as_of_date", "model_id_hf", is_spike=pl.lit(True)),
        on=["as_of_date", "model_id_hf"],
        how="left",
    )
    named = with_lab_and_country(
        joined, namespaces, labs, system="hub", name="author", day="as_of_date"
    )
    age = pl.col("as_of_date").cast(pl.Datetime("us")) - pl.col("created_at")
    return named.select(
        "as_of_date",
        "model_id_hf",
        "author",
        "downloads_30d",
        "downloads_all_time",
        "likes",
        models=pl.lit(1, pl.Int64),
        new_models_30d=pl.when(_within(age, 30)).then(pl.lit(1, pl.Int64)),
        all=pl.lit(True),
        llm_vlm=pl.col("is_llm_vlm").fill_null(False),
        created_1y=_within(age, 365),
        first_party=pl.col("kind").is_in(list(FIRST_PARTY)).fill_null(False),
        without_ci=(pl.col("kind") != "ci").fill_null(True),
        without_spikes=~(pl.col("is_spike").fill_null(False) & ~_within(age, LAUNCH_DAYS)),
    )


def _within(age: pl.Expr, days: int) -> pl.Expr:
    """Created in the days before; the day itself counts whole. Unknown creation is not within."""
    return age.is_between(timedelta(days=-1), timedelta(days=days), closed="right").fill_null(False)


def credits(
    members: pl.LazyFrame, roots: pl.LazyFrame, namespaces: pl.LazyFrame, labs: pl.LazyFrame
) -> pl.LazyFrame:
    """One row per day, model, attribution and root: lab, country and the part they stand for.

    publisher: the lab of the uploading namespace. base: the labs at the roots of the declared
    lineage, which share by `weight`; the weights of a model sum to 1.
    """
    publisher = members.with_columns(
        root_model_id_hf=pl.col("model_id_hf"),
        namespace=pl.col("author"),
        weight=1.0,
        attribution=pl.lit("publisher"),
    )
    base = members.join(
        roots.select(
            "model_id_hf",
            "root_model_id_hf",
            pl.col("root_model_id_hf").str.extract(r"^([^/]+)/").alias("namespace"),
            "weight",
            attribution=pl.lit("base"),
        ),
        on="model_id_hf",
    )
    columns = publisher.collect_schema().names()
    return with_lab_and_country(
        pl.concat([publisher, base.select(columns)]),
        namespaces,
        labs,
        system="hub",
        name="namespace",
        day="as_of_date",
    )


def numerators(credits: pl.LazyFrame, by: str) -> pl.LazyFrame:
    """One row per definition, credit and `by`: `numerator` and `n_models`.

    full: every distinct value of `by` of a model gets all of it. fractional: equal parts.
    """
    once = pl.struct("as_of_date", "model_id_hf", "attribution", by).is_first_distinct()
    sums = [
        e.alias(f"{population} {metric} {credit}")
        for population in POPULATIONS
        for metric in METRICS
        for credit, e in _sums(population, metric)
    ]
    wide = credits.with_columns(is_first=once).group_by("as_of_date", "attribution", by).agg(sums)
    long = _long(wide, ["as_of_date", "attribution", by])
    counts = long.filter(pl.col("what") == "n_models").rename({"value": "n_models"}).drop("what")
    keys = [*DEFINITION, by]
    return (
        long.filter(pl.col("what") != "n_models")
        .rename({"value": "numerator", "what": "credit"})
        .join(counts, on=keys)
        .filter(pl.col("n_models") > 0)
        .with_columns(pl.col("n_models").cast(pl.Int64))
    )


def _sums(population: str, metric: str) -> list[tuple[str, pl.Expr]]:
    """Whole models add up as integers, exactly and in any order; only parts need an order."""
    value, counts = pl.col(metric), pl.col(population) & pl.col(metric).is_not_null()
    whole = pl.col("weight") == 1.0
    parts = (value * pl.col("weight")).filter(counts & ~whole)
    return [
        ("full", value.filter(counts & pl.col("is_first")).sum().cast(pl.Float64)),
        (
            "fractional",
            value.filter(counts & whole).sum().cast(pl.Float64) + in_order(parts).fill_null(0.0),
        ),
        ("n_models", (counts & pl.col("is_first")).sum().cast(pl.Float64)),
    ]


def denominators(members: pl.LazyFrame) -> pl.LazyFrame:
    """One row per day, population and metric: the sum over its models, each once.

    `n_models_population` of them have the metric, `n_models_without_counter` have not and are in
    no sum.
    """
    sums = [
        e.alias(f"{population} {metric} {what}")
        for population in POPULATIONS
        for metric in METRICS
        for what, e in (
            ("denominator", pl.col(metric).filter(pl.col(population)).sum()),
            ("n_models_population", pl.col(metric).filter(pl.col(population)).count()),
            ("n_models_without_counter", pl.col(metric).filter(pl.col(population)).null_count()),
        )
    ]
    wide = members.group_by("as_of_date").agg(e.cast(pl.Float64) for e in sums)
    long = _long(wide, ["as_of_date"])
    key = ["as_of_date", "population", "metric", "window"]
    parts = [
        long.filter(pl.col("what") == what).rename({"value": what}).drop("what")
        for what in ("denominator", "n_models_population", "n_models_without_counter")
    ]
    return (
        parts[0]
        .join(parts[1], on=key)
        .join(parts[2], on=key)
        .with_columns(pl.col("n_models_population", "n_models_without_counter").cast(pl.Int64))
        .filter(pl.col("denominator") > 0)
    )


def _long(wide: pl.LazyFrame, index: Sequence[str]) -> pl.LazyFrame:
    """Columns named `population metric what` as rows."""
    windows = pl.LazyFrame({"metric": list(METRICS), "window": list(METRICS.values())})
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
