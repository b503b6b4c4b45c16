"""core.openrouter_tokens."""

from __future__ import annotations

import polars as pl

from transforms.registry.attribution import NOT_EXAMINED, with_lab_and_country
from transforms.registry.permaslugs import kind, with_date, with_parts
from warehouse.contracts.table import contract


def openrouter_tokens(
    raw_openrouter_rankings: pl.LazyFrame, namespaces: pl.LazyFrame, labs: pl.LazyFrame
) -> pl.LazyFrame:
    """One row per day and model, from the newest snapshot that has the day."""
    newest = pl.col("snapshot_id") == pl.col("snapshot_id").max().over("day")
    listed = with_parts(raw_openrouter_rankings.filter(newest)).with_columns(kind().alias("kind"))
    dated = listed.join(_dates(listed), on="model_slug", how="left", nulls_equal=True)
    named = with_lab_and_country(
        dated, namespaces, labs, system="openrouter", name="publisher", day="day"
    )
    is_model = pl.col("kind") == "model"
    return named.with_columns(
        pl.when(is_model).then("lab_id").alias("lab_id"),
        pl.when(is_model)
        .then("country_code")
        .otherwise(pl.lit(NOT_EXAMINED))
        .alias("country_code"),
        pl.col("total_tokens").alias("tokens"),
    ).select(*contract("core.openrouter_tokens").columns)


def _dates(listed: pl.LazyFrame) -> pl.LazyFrame:
    """The date in the name of each model, one row per name without variant."""
    models = listed.group_by("model_slug").agg(pl.col("day").min().alias("first_day"))
    start = listed.select(pl.col("day").min().alias("start"))
    dated = with_date(
        models.join(start, how="cross").with_columns(
            (pl.col("first_day") == pl.col("start")).alias("is_from_start")
        )
    )
    return dated.select("model_slug", "slug_date", "slug_date_spelling", "slug_date_refusal")
