"""Tests of single models: their size, and one counter of one repository."""

from __future__ import annotations

import polars as pl

from transforms.claims.completeness import COUNTERS
from transforms.claims.requests import for_tests, nearest, to_answers


def parameter_ratio(
    requests: pl.LazyFrame, hub_models: pl.LazyFrame, notable_models: pl.LazyFrame
) -> pl.LazyFrame:
    """Answers: parameters of one model divided by those of another, from the Hub or from Epoch."""
    wanted = for_tests(requests, "parameter_ratio")
    known = _sizes(hub_models, notable_models)
    return to_answers(
        wanted.join(known, left_on=["system", "subject"], right_on=["system", "model"])
        .join(known, left_on=["system", "other"], right_on=["system", "model"], suffix="_other")
        .with_columns(
            (pl.col("size") / pl.col("size_other")).alias("value"),
            pl.max_horizontal("seen", "seen_other").alias("observed_on"),
            coverage_population=pl.lit(1.0),
        )
    )


def model_parameters(requests: pl.LazyFrame, hub_models: pl.LazyFrame) -> pl.LazyFrame:
    """Answers: parameters of one repository, as last seen on the Hub."""
    sizes = hub_models.select(
        pl.col("model_id_hf").alias("subject"),
        pl.col("parameters_total").alias("value"),
        pl.col("last_seen_date").alias("observed_on"),
    ).drop_nulls()
    return to_answers(
        for_tests(requests, "model_parameters")
        .join(sizes, on="subject")
        .with_columns(coverage_population=pl.lit(1.0))
    )


def _sizes(hub_models: pl.LazyFrame, notable_models: pl.LazyFrame) -> pl.LazyFrame:
    """One row per system and model: its parameters (`size`) and the day that they were `seen`."""
    on_hub = hub_models.select(
        pl.lit("hub").alias("system"),
        pl.col("model_id_hf").alias("model"),
        pl.col("parameters_total").cast(pl.Float64).alias("size"),
        pl.col("last_seen_date").alias("seen"),
    )
    by_epoch = notable_models.sort("vintage_date", "line").select(
        pl.lit("epoch").alias("system"),
        pl.col("model_name_epoch").alias("model"),
        pl.col("parameters").alias("size"),
        pl.col("vintage_date").alias("seen"),
    )
    return (
        pl.concat([on_hub, by_epoch])
        .drop_nulls()
        .group_by("system", "model")
        .agg(pl.col("size", "seen").sort_by("seen").last())
    )


def hub_counter(requests: pl.LazyFrame, hub_daily_counters: pl.LazyFrame) -> pl.LazyFrame:
    """Answers: a counter of one repository on the nearest day on which it was recorded."""
    wanted = for_tests(requests, "hub_counter")
    counters = (
        hub_daily_counters.select("as_of_date", "model_id_hf", *COUNTERS)
        .join(
            wanted.select(pl.col("subject").alias("model_id_hf")).unique(),
            on="model_id_hf",
            how="semi",
        )
        .unpivot(
            COUNTERS,
            index=["as_of_date", "model_id_hf"],
            variable_name="metric",
            value_name="count",
        )
        .drop_nulls("count")
        .rename({"as_of_date": "observed_on", "model_id_hf": "subject"})
    )
    return to_answers(
        nearest(wanted, counters, ["subject", "metric"]).with_columns(
            pl.col("count").alias("value"), coverage_population=pl.lit(1.0)
        )
    )
