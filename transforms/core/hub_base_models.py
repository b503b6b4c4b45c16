"""core.hub_base_models."""

from __future__ import annotations

import polars as pl

RELATIONS = ("finetune", "adapter", "quantized", "merge")
_TAG = r'"base_model:((?:[^"\\]|\\.)+)"'
_ID = r'"id"\s*:\s*"([^"\\]+)"'


def hub_base_models(raw_hub_models: pl.LazyFrame) -> pl.LazyFrame:
    """One row per model and declared parent, from the newest snapshot that declares any.

    The parsed field `baseModels` is believed before the tags, which say the same twice
    (`base_model:X`, `base_model:<relation>:X`). A model that names itself is no edge. Ids that
    differ by case alone are one parent.
    """
    both = pl.concat([_from_field(raw_hub_models), _from_tags(raw_hub_models)])
    newest = both.with_columns(pl.col("snapshot_date").max().over("model_id_hf").alias("newest"))
    return (
        newest.filter(
            (pl.col("snapshot_date") == pl.col("newest"))
            & (pl.col("base_model_id_hf").str.to_lowercase() != pl.col("key"))
        )
        .with_columns(pl.col("base_model_id_hf").str.to_lowercase().alias("base_key"))
        .sort("model_id_hf", "base_key", "declared_by", "relation", nulls_last=True)
        .unique(["model_id_hf", "base_key"], keep="first", maintain_order=True)
        .select("model_id_hf", "base_model_id_hf", "relation", "declared_by")
    )


def _columns(relation: pl.Expr, declared_by: str) -> list[pl.Expr]:
    return [
        pl.col("snapshot_date"),
        pl.col("model_id_hf"),
        pl.col("model_id_hf").str.to_lowercase().alias("key"),
        pl.col("base_model_id_hf"),
        relation.alias("relation"),
        pl.lit(declared_by).alias("declared_by"),
    ]


def _from_field(listing: pl.LazyFrame) -> pl.LazyFrame:
    """Edges of `{"relation": ..., "models": [{"id": ...}, ...]}`."""
    relation = pl.col("base_models_json").str.extract(r'"relation"\s*:\s*"([a-z]+)"')
    return (
        listing.filter(pl.col("base_models_json").is_not_null())
        .with_columns(pl.col("base_models_json").str.extract_all(_ID).alias("base_model_id_hf"))
        .explode("base_model_id_hf")
        .with_columns(pl.col("base_model_id_hf").str.extract(_ID))
        .filter(pl.col("base_model_id_hf").is_not_null())
        .select(_columns(relation, "base_models"))
    )


def _from_tags(listing: pl.LazyFrame) -> pl.LazyFrame:
    """Edges of the tags `base_model:X` and `base_model:<relation>:X`."""
    tag = pl.col("tag").str.extract(_TAG)
    named = tag.str.extract(rf"^({'|'.join(RELATIONS)}):")
    return (
        listing.filter(pl.col("tags_json").str.contains('"base_model:', literal=True))
        .with_columns(pl.col("tags_json").str.extract_all(_TAG).alias("tag"))
        .explode("tag")
        .with_columns(
            tag.str.replace(rf"^(?:{'|'.join(RELATIONS)}):", "").alias("base_model_id_hf"),
            named.alias("named_relation"),
        )
        .select(_columns(pl.col("named_relation"), "tags"))
    )
