"""core.hub_renames."""

from __future__ import annotations

import polars as pl


def hub_renames(raw_hub_known_models: pl.LazyFrame) -> pl.LazyFrame:
    """One row per old id of an object: same object id, another id in a later snapshot.

    An old id that is used again names another object from then on and has no row.
    """
    seen = (
        raw_hub_known_models.filter(pl.col("object_id_hf").is_not_null())
        .select(
            "object_id_hf",
            "model_id_hf",
            pl.col("first_seen_date").alias("first_seen"),
            pl.col("last_seen_date").alias("last_seen"),
        )
        .filter(pl.len().over("object_id_hf") > 1)
    )
    newest = (
        seen.sort("object_id_hf", "last_seen", "first_seen", "model_id_hf")
        .group_by("object_id_hf", maintain_order=True)
        .agg(
            pl.col("model_id_hf").last().alias("new_model_id_hf"),
            pl.col("first_seen").last().alias("renamed_by_date"),
        )
    )
    renamed = (
        seen.join(newest, on="object_id_hf")
        .filter(pl.col("model_id_hf") != pl.col("new_model_id_hf"))
        # an old id of several objects: the last rename counts
        .sort("model_id_hf", "renamed_by_date", "object_id_hf")
        .unique("model_id_hf", keep="last", maintain_order=True)
        .select(
            pl.col("model_id_hf").alias("old_model_id_hf"),
            "new_model_id_hf",
            "object_id_hf",
            "renamed_by_date",
        )
    )
    return renamed.join(
        _used_again(raw_hub_known_models, renamed), on="old_model_id_hf", how="anti"
    )


def _used_again(known: pl.LazyFrame, renamed: pl.LazyFrame) -> pl.LazyFrame:
    """`old_model_id_hf`: ids under which another object was listed after the rename."""
    key = pl.col("old_model_id_hf").str.to_lowercase()
    old = renamed.select(key.alias("key"), "old_model_id_hf", "object_id_hf", "renamed_by_date")
    return (
        known.select(
            pl.col("model_id_hf").str.to_lowercase().alias("key"),
            pl.col("object_id_hf").alias("other_id"),
            "last_seen_date",
        )
        .join(old, on="key")
        .filter(
            pl.col("other_id") != pl.col("object_id_hf"),  # records without an object do not count
            pl.col("last_seen_date") >= pl.col("renamed_by_date"),
        )
        .select("old_model_id_hf")
        .unique()
    )
