"""core.hub_models."""

from __future__ import annotations

import polars as pl

from transforms.attribution import LLM_VLM_TAGS

NEWEST = (
    "object_id_hf",
    "author",
    "created_at",
    "pipeline_tag",
    "library_name",
    "license",
    "gated",
    "parameters_total",
)


def hub_models(raw_hub_known_models: pl.LazyFrame) -> pl.LazyFrame:
    """One row per id: the newest observed value of each attribute, first and last day seen.

    An attribute that a snapshot did not record keeps the value of the last one that did. An id
    that was given away to another object is one row, under the key of the one seen last.
    """
    is_shared = pl.len().over("model_id_hf") > 1
    shared = (
        raw_hub_known_models.filter(is_shared)
        .sort("model_id_hf", "last_seen_date", "first_seen_date", "model_key")
        .group_by("model_id_hf", maintain_order=True)
        .agg(
            *(pl.col(c).drop_nulls().last() for c in ("model_key", *NEWEST)),
            pl.col("first_seen_date").min(),
            pl.col("last_seen_date").max(),
        )
    )
    columns = ["model_id_hf", "model_key", *NEWEST, "first_seen_date", "last_seen_date"]
    alone = raw_hub_known_models.filter(~is_shared)
    return pl.concat([alone.select(columns), shared.select(columns)]).select(
        "model_id_hf",
        "model_key",
        "object_id_hf",
        "author",
        "created_at",
        "first_seen_date",
        "last_seen_date",
        "pipeline_tag",
        "library_name",
        "license",
        "gated",
        "parameters_total",
        pl.col("pipeline_tag").is_in(list(LLM_VLM_TAGS)).alias("is_llm_vlm"),
    )
