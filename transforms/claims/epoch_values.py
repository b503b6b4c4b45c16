"""Test on single figures in Epoch's tables: epoch_value."""

from __future__ import annotations

import polars as pl

from transforms.claims.requests import for_tests, nearest, to_answers

# Several files of a vintage hold a model, and their estimates can differ. The first one is the
# value, all of them give the bounds.
FILES = ("notable_ai_models", "frontier_ai_models", "large_scale_ai_models", "all_ai_models")
CLOUD_COST = '$["Training compute cost (cloud)"]'
KEY = ["observed_on", "field", "model"]


def epoch_value(requests: pl.LazyFrame, raw_epoch_models: pl.LazyFrame) -> pl.LazyFrame:
    """Answers: a model's cost, compute or size as Epoch gives it, or its ratio to another's."""
    wanted = for_tests(requests, "epoch_value")
    figures = _figures(wanted, raw_epoch_models)
    mine = wanted.join(figures, left_on=["field", "subject"], right_on=["field", "model"])
    theirs = figures.select("observed_on", "field", "model", pl.col("value", "low", "high"))
    pairs = mine.join(
        theirs,
        left_on=["observed_on", "field", "other"],
        right_on=KEY,
        how="left",
        suffix="_other",
    ).filter(pl.col("other").is_null() | pl.col("value_other").is_not_null())
    days = pairs.select("request", "observed_on")
    chosen = nearest(wanted, days, ["request"]).select("request", "observed_on")
    value, low, high = (pl.col(c) for c in ("value", "low", "high"))
    return to_answers(
        pairs.join(chosen, on=["request", "observed_on"]).with_columns(
            (value / pl.col("value_other").fill_null(1.0)).alias("value"),
            (low / pl.col("high_other").fill_null(1.0)).alias("low"),
            (high / pl.col("low_other").fill_null(1.0)).alias("high"),
            coverage_population=pl.lit(1.0),
        )
    )


def _figures(wanted: pl.LazyFrame, epoch_models: pl.LazyFrame) -> pl.LazyFrame:
    """`value`, `low` and `high` of each named model by vintage and field, above 0."""
    named = pl.concat([wanted.select("subject"), wanted.select(subject="other")]).drop_nulls()
    models = epoch_models.join(
        named.unique(), left_on="model_name_epoch", right_on="subject", how="semi"
    )
    cloud = pl.col("other_columns_json").str.json_path_match(CLOUD_COST)
    fields = {
        "cost_usd": pl.col("training_compute_cost_usd"),
        "cost_cloud_usd": cloud.cast(pl.Float64, strict=False),
        "compute_flop": pl.col("training_compute_flop"),
        "parameters": pl.col("parameters"),
    }
    each = pl.concat(
        models.select(
            pl.col("snapshot_date").alias("observed_on"),
            pl.lit(name).alias("field"),
            pl.col("model_name_epoch").alias("model"),
            pl.col("file_name").replace_strict(dict(zip(FILES, range(4), strict=True)), default=9),
            value.alias("figure"),
            "line",
        )
        for name, value in fields.items()
    ).filter(pl.col("figure") > 0)
    figure = pl.col("figure")
    return each.group_by(KEY).agg(
        figure.sort_by("file_name", "line").first().alias("value"),
        figure.min().alias("low"),
        figure.max().alias("high"),
    )
