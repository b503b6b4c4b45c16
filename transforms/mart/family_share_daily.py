"""mart.family_share_daily."""

from __future__ import annotations

import polars as pl

from transforms.shares import DEFINITION, credits, denominators, members, numerators

NO_FAMILY = "none"


def family_share_daily(
    hub_daily_counters: pl.LazyFrame,
    hub_models: pl.LazyFrame,
    hub_counter_spikes: pl.LazyFrame,
    hub_model_roots: pl.LazyFrame,
    namespaces: pl.LazyFrame,
    labs: pl.LazyFrame,
    families: pl.LazyFrame,
    model_families: pl.LazyFrame,
) -> pl.LazyFrame:
    """One row per day, population, metric, window, attribution and family; fractional credit.

    publisher: a model counts for its family only where the family's own lab uploaded it. base:
    for the families of its roots, by parts. Models without a family stand under `none`.
    """
    counted = members(hub_daily_counters, hub_models, hub_counter_spikes, namespaces, labs)
    credited = credits(counted, hub_model_roots, namespaces, labs)
    sums = numerators(_with_family(credited, model_families, families), "family_id")
    names = families.select("family_id", "family_name")
    share = pl.col("numerator") / pl.col("denominator")
    return (
        sums.filter(pl.col("credit") == "fractional")
        .join(denominators(counted), on=["as_of_date", "population", "metric", "window"])
        .join(names, on="family_id", how="left")
        .select(
            *DEFINITION,
            "family_id",
            pl.col("family_name").fill_null("No family"),
            share.alias("share"),
            "numerator",
            "denominator",
            "n_models",
            "n_models_population",
        )
    )


def _with_family(
    credited: pl.LazyFrame, model_families: pl.LazyFrame, families: pl.LazyFrame
) -> pl.LazyFrame:
    """Adds `family_id`; the publisher's row of a model names the model itself as its root."""
    known = (
        model_families.filter(pl.col("system") == "hub")
        .join(families.select("family_id", pl.col("lab_id").alias("maker")), on="family_id")
        .select(pl.col("model_name").alias("root_model_id_hf"), "family_id", "maker")
    )
    is_own = (pl.col("lab_id") == pl.col("maker")).fill_null(False)
    counts = (pl.col("attribution") == "base") | is_own
    return credited.join(known, on="root_model_id_hf", how="left").with_columns(
        pl.when(counts).then(pl.col("family_id")).fill_null(NO_FAMILY).alias("family_id")
    )
