"""The expected history, counted from all snapshots at once: slow but simple."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from warehouse.contracts.table import contract

NEWEST = (
    *("author", "created_at", "pipeline_tag", "library_name", "license", "gated"),
    "parameters_total",
)
TAG = r'"base_model:(?:[^"\\]|\\.)+"'
FROM_HISTORY = {"raw_hub_known_models", "raw_hub_earlier_counters"}


def with_history(raw: dict[str, pl.LazyFrame]) -> dict[str, pl.LazyFrame]:
    """The raw frames with those that the history makes of raw.hub_models, unless given."""
    listing = raw.get("raw_hub_models")
    if listing is None:
        return raw
    made = {
        "raw_hub_known_models": known_models(listing),
        "raw_hub_earlier_counters": earlier_counters(listing),
    }
    return {**made, **raw}


def known_models(raw_hub_models: pl.LazyFrame) -> pl.LazyFrame:
    """raw.hub_known_models: one row per id; ids of one object share a key."""
    tags = pl.col("tags_json").str.extract_all(TAG)
    named = raw_hub_models.with_columns(
        license=pl.col("tags_json").str.extract(r'"license:([^"\\]+)"'),
        base_model_tags_json=pl.when(tags.list.len() > 0).then(
            pl.format("[{}]", tags.list.join(", "))
        ),
        all_tags=pl.col("tags_json").str.json_decode(pl.List(pl.String)),
    ).sort("model_id_hf", "snapshot_date")
    # A list of tags is complete if it has the tags that the Hub adds to every model.
    is_whole = (
        (pl.col("all_tags").list.len() == 0)
        | pl.col("all_tags").list.contains(pl.col("pipeline_tag"))
        | pl.col("all_tags").list.eval(pl.element().str.starts_with("region:")).list.any()
    )
    tags_said = pl.col("base_model_tags_json").is_not_null()
    declares = pl.col("base_models_json").is_not_null() | tags_said | is_whole.fill_null(False)
    lineage = [pl.col("base_models_json"), pl.col("base_model_tags_json")]
    date = pl.col("snapshot_date")
    return (
        named.group_by("model_id_hf", maintain_order=True)
        .agg(
            pl.col("object_id_hf").drop_nulls().last(),
            *(pl.col(c).drop_nulls().last() for c in NEWEST),
            date.min().alias("first_seen_date"),
            date.max().alias("last_seen_date"),
            pl.when(declares.any()).then(True).alias("lineage_recorded"),
            date.filter(declares).last().alias("lineage_date"),
            *(c.filter(declares).last() for c in lineage),
        )
        .with_columns(
            model_key=pl.coalesce("object_id_hf", "model_id_hf").rank("dense").cast(pl.Int32)
        )
        .with_columns(
            is_current=pl.col("model_id_hf")
            == pl.col("model_id_hf")
            .sort_by("last_seen_date", "first_seen_date", "model_id_hf")
            .last()
            .over("model_key")
        )
        .select(*contract("raw.hub_known_models").columns)
    )


def earlier_counters(raw_hub_models: pl.LazyFrame) -> pl.LazyFrame:
    """raw.hub_earlier_counters of every model, suspect or not."""
    counted = raw_hub_models.filter(pl.col("downloads_30d").is_not_null())
    earlier = counted.select(
        "model_id_hf", pl.col("snapshot_date").alias("observed_date"), "downloads_30d"
    )
    age = pl.col("snapshot_date") - pl.col("observed_date")
    return (
        counted.select("snapshot_id", "snapshot_date", "model_id_hf")
        .join(earlier, on="model_id_hf")
        .filter(age.is_between(timedelta(0), timedelta(days=31), closed="right"))
        .select(*contract("raw.hub_earlier_counters").columns)
    )
