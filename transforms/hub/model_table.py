"""The Hub's part of mart.models: the newest listing, and the lineage of its models."""

from __future__ import annotations

import polars as pl

COUNTERS = ("downloads_30d", "downloads_all_time", "likes")
ABOUT = (
    *("author", "created_at", "pipeline_tag", "is_llm_vlm", "parameters_total", "gated"),
    "lineage_recorded",
)


def listed_models(
    hub_daily_counters: pl.LazyFrame,
    hub_models: pl.LazyFrame,
    model_identities: pl.LazyFrame,
    rated: pl.LazyFrame,
) -> pl.LazyFrame:
    """The models of the newest listing, and those of `rated` (by `model_id`) that it lacks.

    Columns: `model_id_hf` (null if no snapshot of the Hub lists the model), `model_id` (null unless
    reviewed), the counters with `hub_as_of_date`, the attributes ABOUT, and `counters_missing`.
    """
    newest = hub_daily_counters.filter(pl.col("as_of_date") == pl.col("as_of_date").max())
    counted = newest.select("model_id_hf", *COUNTERS, hub_as_of_date="as_of_date")
    reviewed = model_identities.filter((pl.col("system") == "hub") & (pl.col("rule") == "alias"))
    ids = reviewed.select("model_id", model_id_hf="name")
    attributes = hub_models.select("model_id_hf", *ABOUT, hub_license="license")
    listed = (
        counted.join(attributes, on="model_id_hf")
        .join(ids, on="model_id_hf", how="left")
        .with_columns(counters_missing=pl.lit(None, pl.String))
    )
    last = _last_seen(ids.join(rated, on="model_id", how="semi"), hub_models)
    is_unknown = pl.col("model_id_hf").is_null()
    reason = pl.when(is_unknown).then(pl.lit("not_on_hub")).otherwise(pl.lit("not_listed"))
    unlisted = (
        rated.select("model_id")
        .join(listed.filter(pl.col("model_id").is_not_null()), on="model_id", how="anti")
        .join(last.join(attributes, on="model_id_hf"), on="model_id", how="left")
        .with_columns(reason.alias("counters_missing"))
    )
    return pl.concat([listed, unlisted], how="diagonal")


def _last_seen(ids: pl.LazyFrame, hub_models: pl.LazyFrame) -> pl.LazyFrame:
    """The repository of each model that was listed last."""
    seen = hub_models.select("model_id_hf", "last_seen_date")
    return (
        ids.join(seen, on="model_id_hf")
        .sort("last_seen_date", "model_id_hf")
        .unique("model_id", keep="last", maintain_order=True)
        .select("model_id", "model_id_hf")
    )


def with_lineage(
    listed: pl.LazyFrame, hub_base_models: pl.LazyFrame, hub_model_roots: pl.LazyFrame
) -> pl.LazyFrame:
    """Adds the first parent and the main root of every model, and what derives from it.

    Of several parents the first by name is named, of several roots the one with the largest part.
    """
    joined = (
        listed.join(_parents(hub_base_models), on="model_id_hf", how="left")
        .join(_main_roots(hub_model_roots), on="model_id_hf", how="left")
        .join(_derivatives(listed, hub_base_models), on="model_id_hf", how="left")
    )
    on_hub = pl.col("model_id_hf").is_not_null()
    is_recorded = pl.col("lineage_recorded").fill_null(value=False) | (
        pl.col("base_model_id_hf").is_not_null()
    )
    return joined.with_columns(
        pl.when(on_hub & is_recorded).then(pl.col("n_base_models").fill_null(0)),
        pl.when(on_hub).then(pl.col("n_derivatives").fill_null(0)),
        pl.when(~on_hub)
        .then(pl.lit("not_on_hub"))
        .when(~is_recorded)
        .then(pl.lit("not_recorded"))
        .alias("lineage_missing"),
    )


def _parents(hub_base_models: pl.LazyFrame) -> pl.LazyFrame:
    return (
        hub_base_models.sort("model_id_hf", "base_model_id_hf")
        .group_by("model_id_hf")
        .agg(
            pl.col("base_model_id_hf", "relation").first(),
            pl.len().cast(pl.Int32).alias("n_base_models"),
        )
    )


def _main_roots(hub_model_roots: pl.LazyFrame) -> pl.LazyFrame:
    away = hub_model_roots.filter(pl.col("depth") > 0)
    return (
        away.sort("weight", "root_model_id_hf", descending=[True, False])
        .group_by("model_id_hf")
        .agg(pl.col("root_model_id_hf").first())
    )


def _derivatives(listed: pl.LazyFrame, hub_base_models: pl.LazyFrame) -> pl.LazyFrame:
    """`n_derivatives`: the models of the listing that name `model_id_hf` as a parent."""
    here = listed.filter(pl.col("counters_missing").is_null()).select("model_id_hf")
    return (
        hub_base_models.join(here, on="model_id_hf", how="semi")
        .group_by("base_model_id_hf")
        .agg(pl.len().cast(pl.Int32).alias("n_derivatives"))
        .rename({"base_model_id_hf": "model_id_hf"})
    )
