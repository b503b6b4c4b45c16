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


def hub_models(raw_hub_models: pl.LazyFrame) -> pl.LazyFrame:
    """One row per model: the newest observed value of each attribute, first and last day seen.

    An attribute that a snapshot did not record keeps the value of the last one that did.
    """
    license_tag = pl.col("tags_json").str.extract(r'"license:([^"\\]+)"')
    return (
        raw_hub_models.with_columns(license_tag.alias("license"))
        .sort("model_id_hf", "snapshot_date")
        .group_by("model_id_hf", maintain_order=True)
        .agg(
            *(pl.col(c).drop_nulls().last() for c in NEWEST),
            pl.col("snapshot_date").first().alias("first_seen_date"),
            pl.col("snapshot_date").last().alias("last_seen_date"),
        )
        .select(
            "model_id_hf",
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
    )
