"""core.hub_models."""

from __future__ import annotations

import polars as pl

from transforms.hub.definitions import LLM_VLM_TASKS
from warehouse.contracts.table import contract


def hub_models(raw_hub_known_models: pl.LazyFrame) -> pl.LazyFrame:
    """One row per id: the newest observed value of each attribute, first and last day seen.

    An attribute that a snapshot does not record keeps its last recorded value. An id that passed to
    another object is one row, under the key of the object seen last.
    """
    columns = [c for c in contract("core.hub_models").columns if c != "is_llm_vlm"]
    newest = [c for c in columns if c != "model_id_hf" and not c.endswith("_seen_date")]
    is_shared = pl.len().over("model_id_hf") > 1
    shared = (
        raw_hub_known_models.filter(is_shared)
        .sort("model_id_hf", "last_seen_date", "first_seen_date", "model_key")
        .group_by("model_id_hf", maintain_order=True)
        .agg(
            *(pl.col(c).drop_nulls().last() for c in newest),
            pl.col("first_seen_date").min(),
            pl.col("last_seen_date").max(),
        )
    )
    alone = raw_hub_known_models.filter(~is_shared)
    return pl.concat([alone.select(columns), shared.select(columns)]).with_columns(
        pl.col("pipeline_tag").is_in(list(LLM_VLM_TASKS)).alias("is_llm_vlm"),
    )
