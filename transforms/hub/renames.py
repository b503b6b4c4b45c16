"""Ids that the Hub has moved, from the registry and from objects seen under two ids."""

from __future__ import annotations

import polars as pl

ID, PRESENT = "declared_id", "present_id"


def present_ids(
    ids: pl.LazyFrame, renames: pl.LazyFrame, hub_renames: pl.LazyFrame
) -> pl.LazyFrame:
    """`declared_id` and `present_id` of every id of `ids` (column `declared_id`, each once)."""
    return _by_object(_by_namespace(ids, renames), hub_renames)


def that_may_have_moved(
    ids: pl.LazyFrame, renames: pl.LazyFrame, hub_renames: pl.LazyFrame
) -> pl.LazyFrame:
    """The few of many ids (column `declared_id`) to which a rename may apply, each once."""
    spaces = renames.select(old=pl.col("old_namespace").str.to_lowercase()).drop_nulls().unique()
    olds = hub_renames.select(old=pl.col("old_model_id_hf").str.to_lowercase()).unique()
    few = [
        ids.join(spaces, left_on=_namespace(ID), right_on="old", how="semi"),
        ids.join(olds, left_on=pl.col(ID).str.to_lowercase(), right_on="old", how="semi"),
        ids.filter(~pl.col(ID).str.contains("/", literal=True)),
    ]
    return pl.concat(few).unique()


def _namespace(name: str) -> pl.Expr:
    return pl.col(name).str.extract(r"^([^/]+)/").str.to_lowercase()


def _by_namespace(ids: pl.LazyFrame, renames: pl.LazyFrame) -> pl.LazyFrame:
    """With a moved namespace, or that of a legacy name without one, put right."""
    parts = ids.with_columns(
        _namespace(ID).alias("old"), pl.col(ID).str.extract(r"([^/]+)$", 1).alias("name")
    )
    spaces = renames.filter(pl.col("old_namespace").is_not_null()).select(
        pl.col("old_namespace").str.to_lowercase().alias("old"), "new_namespace"
    )
    moved = pl.concat_str("new_namespace", pl.lit("/"), "name")
    return (
        parts.join(spaces, on="old", how="left")
        .join(_legacy(parts, renames), on=ID, how="left")
        .select(ID, pl.coalesce(moved, "legacy_id", ID).alias(PRESENT))
    )


def _legacy(parts: pl.LazyFrame, renames: pl.LazyFrame) -> pl.LazyFrame:
    """Present id of every id without namespace, by the longest prefix that fits."""
    prefixes = renames.filter(pl.col("old_name_prefix").is_not_null()).select(
        "old_name_prefix", pl.col("new_namespace").alias("home")
    )
    return (
        parts.filter(pl.col("old").is_null())
        .select(ID, "name")
        .unique()
        .join(prefixes, how="cross")
        .filter(pl.col("name").str.starts_with(pl.col("old_name_prefix")))
        .sort("name", pl.col("old_name_prefix").str.len_chars(), "home")
        .unique(ID, keep="last", maintain_order=True)
        .select(ID, pl.concat_str("home", pl.lit("/"), "name").alias("legacy_id"))
    )


def _by_object(ids: pl.LazyFrame, hub_renames: pl.LazyFrame) -> pl.LazyFrame:
    """Replaces ids that the listings have seen move by the later one."""
    old_key = pl.col("old_model_id_hf").str.to_lowercase().alias("old_key")
    moved = hub_renames.group_by(old_key).agg(pl.col("new_model_id_hf").min())
    return ids.join(
        moved, left_on=pl.col(PRESENT).str.to_lowercase(), right_on="old_key", how="left"
    ).select(ID, pl.coalesce("new_model_id_hf", PRESENT).alias(PRESENT))
