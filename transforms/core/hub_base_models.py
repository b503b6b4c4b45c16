"""core.hub_base_models."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.knowledge import as_known

RELATIONS = ("finetune", "adapter", "quantized", "merge")
_TAG = r'"base_model:((?:[^"\\]|\\.)+)"'
_ID = r'"id"\s*:\s*"([^"\\]+)"'


def hub_base_models(
    raw_hub_known_models: pl.LazyFrame,
    raw_registry_model_renames: pl.LazyFrame,
    raw_registry_lineage_exceptions: pl.LazyFrame,
    hub_renames: pl.LazyFrame,
    known_at: date,
) -> pl.LazyFrame:
    """One row per model and parent, from the newest snapshot that declares any.

    The parsed field `baseModels` is believed before the tags, which say the same twice
    (`base_model:X`, `base_model:<relation>:X`). A parent that has moved is taken under its present
    id. Reviewed exceptions add and drop parents, as known on `known_at`. A model that names itself
    is no edge; ids that differ by case alone are one parent.
    """
    listing = raw_hub_known_models.rename(
        {"lineage_date": "snapshot_date", "base_model_tags_json": "tags_json"}
    )
    both = pl.concat([_from_field(listing), _from_tags(listing)])
    newest = both.filter(
        pl.col("snapshot_date") == pl.col("snapshot_date").max().over("model_id_hf")
    ).drop("snapshot_date")
    reviewed = _reviewed(newest, as_known(raw_registry_lineage_exceptions, known_at), listing)
    renames = as_known(raw_registry_model_renames, known_at)
    resolved = _by_object(_by_namespace(reviewed, renames), hub_renames)
    key = pl.col("base_model_id_hf").str.to_lowercase()
    return (
        resolved.with_columns(key.alias("base_key"))
        .filter(pl.col("base_key") != pl.col("model_id_hf").str.to_lowercase())
        .sort("model_id_hf", "base_key", "declared_by", "relation", nulls_last=True)
        .unique(["model_id_hf", "base_key"], keep="first", maintain_order=True)
        .select(
            "model_id_hf",
            "base_model_id_hf",
            "declared_base_model_id_hf",
            "relation",
            "declared_by",
        )
    )


def _columns(relation: pl.Expr, declared_by: str) -> list[pl.Expr]:
    return [
        pl.col("snapshot_date"),
        pl.col("model_id_hf"),
        pl.col("declared_base_model_id_hf"),
        relation.alias("relation"),
        pl.lit(declared_by).alias("declared_by"),
    ]


def _from_field(listing: pl.LazyFrame) -> pl.LazyFrame:
    """Edges of `{"relation": ..., "models": [{"id": ...}, ...]}`."""
    relation = pl.col("base_models_json").str.extract(r'"relation"\s*:\s*"([a-z]+)"')
    ids = pl.col("base_models_json").str.extract_all(_ID)
    return (
        listing.filter(pl.col("base_models_json").is_not_null())
        .with_columns(ids.alias("declared_base_model_id_hf"))
        .explode("declared_base_model_id_hf")
        .with_columns(pl.col("declared_base_model_id_hf").str.extract(_ID))
        .filter(pl.col("declared_base_model_id_hf").is_not_null())
        .select(_columns(relation, "base_models"))
    )


def _from_tags(listing: pl.LazyFrame) -> pl.LazyFrame:
    """Edges of the tags `base_model:X` and `base_model:<relation>:X`."""
    tag, named = pl.col("tag").str.extract(_TAG), rf"^({'|'.join(RELATIONS)}):"
    return (
        listing.filter(pl.col("tags_json").str.contains('"base_model:', literal=True))
        .with_columns(pl.col("tags_json").str.extract_all(_TAG).alias("tag"))
        .explode("tag")
        .with_columns(
            tag.str.replace(named, "").alias("declared_base_model_id_hf"),
            tag.str.extract(named).alias("named_relation"),
        )
        .select(_columns(pl.col("named_relation"), "tags"))
    )


def _reviewed(edges: pl.LazyFrame, exceptions: pl.LazyFrame, listing: pl.LazyFrame) -> pl.LazyFrame:
    """Without the parents that review drops, with those it adds to models that are listed."""
    parent = "declared_base_model_id_hf"
    rows = exceptions.rename({"base_model_id_hf": parent})
    folded = [pl.col("model_id_hf").str.to_lowercase(), pl.col(parent).str.to_lowercase()]
    kept = edges.join(rows.filter(pl.col("action") == "drop"), on=folded, how="anti")
    wanted = rows.filter(pl.col("action") == "add")
    # The few are looked for among the many, so that no table of the many is made.
    listed = listing.select("model_id_hf").join(wanted, on="model_id_hf", how="semi").unique()
    added = wanted.join(listed, on="model_id_hf", how="semi").select(
        "model_id_hf", parent, "relation", pl.lit("registry").alias("declared_by")
    )
    return pl.concat([kept, added])


def _by_namespace(edges: pl.LazyFrame, renames: pl.LazyFrame) -> pl.LazyFrame:
    """Adds `base_model_id_hf`: the declared id with a moved namespace put right."""
    declared = pl.col("declared_base_model_id_hf")
    parts = edges.with_columns(
        declared.str.extract(r"^([^/]+)/").str.to_lowercase().alias("old"),
        declared.str.extract(r"([^/]+)$").alias("name"),
    )
    spaces = renames.filter(pl.col("old_namespace").is_not_null()).select(
        pl.col("old_namespace").str.to_lowercase().alias("old"), "new_namespace"
    )
    moved = pl.concat_str("new_namespace", pl.lit("/"), "name")
    return (
        parts.join(spaces, on="old", how="left")
        .join(_legacy(parts, renames), on="declared_base_model_id_hf", how="left")
        .with_columns(pl.coalesce(moved, "legacy_id", declared).alias("base_model_id_hf"))
        .drop("old", "name", "new_namespace", "legacy_id")
    )


def _legacy(parts: pl.LazyFrame, renames: pl.LazyFrame) -> pl.LazyFrame:
    """Present id of every declared parent without namespace, by the longest prefix that fits."""
    prefixes = renames.filter(pl.col("old_name_prefix").is_not_null()).select(
        "old_name_prefix", pl.col("new_namespace").alias("home")
    )
    return (
        parts.filter(pl.col("old").is_null())
        .select("declared_base_model_id_hf", "name")
        .unique()
        .join(prefixes, how="cross")
        .filter(pl.col("name").str.starts_with(pl.col("old_name_prefix")))
        .sort("name", pl.col("old_name_prefix").str.len_chars())
        .unique("declared_base_model_id_hf", keep="last", maintain_order=True)
        .select(
            "declared_base_model_id_hf",
            pl.concat_str("home", pl.lit("/"), "name").alias("legacy_id"),
        )
    )


def _by_object(edges: pl.LazyFrame, hub_renames: pl.LazyFrame) -> pl.LazyFrame:
    """Parents that the listing has seen under a later id."""
    moved = hub_renames.select(
        pl.col("old_model_id_hf").str.to_lowercase().alias("old_key"), "new_model_id_hf"
    ).unique("old_key", keep="any")
    return (
        edges.with_columns(pl.col("base_model_id_hf").str.to_lowercase().alias("old_key"))
        .join(moved, on="old_key", how="left")
        .with_columns(pl.coalesce("new_model_id_hf", "base_model_id_hf").alias("base_model_id_hf"))
        .drop("old_key", "new_model_id_hf")
    )
