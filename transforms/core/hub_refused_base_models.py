"""core.hub_refused_base_models."""

from __future__ import annotations

import polars as pl

from transforms.hub.lineage import (
    NAME,
    PARENT,
    TEXT,
    from_field,
    from_tags,
    is_odd,
    is_resolved,
    newest_declarations,
)
from transforms.hub.repository_ids import trimmed, why_not


def hub_refused_base_models(
    raw_hub_known_models: pl.LazyFrame, hub_base_models: pl.LazyFrame
) -> pl.LazyFrame:
    """One row per model and declared text that is not a parent, with the reason.

    `not_in_field`: a repository in the tags of a record whose field names others.
    """
    odd = newest_declarations(raw_hub_known_models).filter(is_odd()).collect().lazy()
    beside = odd.filter(is_resolved()).select("model_id_hf").unique()
    texts = pl.concat([from_field(odd), from_tags(odd)]).unique(
        ["model_id_hf", TEXT], keep="first", maintain_order=True
    )
    counted = hub_base_models.select(
        "model_id_hf", key=pl.col("declared_base_model_id_hf").str.to_lowercase()
    )
    named = pl.coalesce(PARENT, trimmed(pl.col(NAME))).str.to_lowercase()
    lost = texts.join(
        counted, left_on=["model_id_hf", named], right_on=["model_id_hf", "key"], how="anti"
    ).join(beside.with_columns(is_beside=pl.lit(True)), on="model_id_hf", how="left")
    refused = lost.filter(pl.col(PARENT).is_null() | pl.col("is_beside"))
    reason = pl.when(pl.col(PARENT).is_null()).then(why_not(pl.col(NAME)))
    return refused.select(
        "model_id_hf",
        TEXT,
        "declared_by",
        reason.otherwise(pl.lit("not_in_field")).alias("reason"),
    )
