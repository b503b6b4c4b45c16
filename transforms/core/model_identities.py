"""core.model_identities."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.knowledge import as_known


def model_identities(
    hub_models: pl.LazyFrame,
    arena_ratings: pl.LazyFrame,
    notable_models: pl.LazyFrame,
    raw_registry_model_aliases: pl.LazyFrame,
    known_at: date,
) -> pl.LazyFrame:
    """One row per system and name, with the model that it stands for.

    A reviewed alias holds for its exact spelling, and for other spellings in upper and lower case
    as long as all aliases of that name agree. The only other form that joins names is the one
    without case and without blanks around it, within one system: on no recorded board do two
    names that differ by case alone stand side by side. Punctuation, dates and suffixes stay.
    """
    aliases = as_known(raw_registry_model_aliases, known_at)
    exact = aliases.select("system", "name", pl.col("model_id").alias("exact_id"))
    key = pl.col("name").str.strip_chars().str.to_lowercase()
    named = pl.concat(
        [
            _names("hub", hub_models, "model_id_hf"),
            _names("lmarena", arena_ratings, "model_name_arena"),
            _names("epoch", notable_models, "model_name_epoch"),
        ]
    ).with_columns(key.alias("key"))
    alias_id = pl.coalesce("exact_id", "folded_id")
    own_rule = pl.when(pl.col("key") == pl.col("name")).then(pl.lit("raw"))
    return (
        named.join(exact, on=["system", "name"], how="left")
        .join(_folded(aliases.with_columns(key.alias("key"))), on=["system", "key"], how="left")
        .select(
            "system",
            "name",
            pl.coalesce(alias_id, pl.concat_str("system", pl.lit(":"), "key")).alias("model_id"),
            pl.when(alias_id.is_not_null())
            .then(pl.lit("alias"))
            .otherwise(own_rule.otherwise(pl.lit("normal_form")))
            .alias("rule"),
        )
    )


def _names(system: str, frame: pl.LazyFrame, column: str) -> pl.LazyFrame:
    return (
        frame.select(pl.lit(system).alias("system"), pl.col(column).alias("name"))
        .drop_nulls()
        .unique()
    )


def _folded(aliases: pl.LazyFrame) -> pl.LazyFrame:
    """Aliases whose spellings all say the same model."""
    return (
        aliases.group_by("system", "key")
        .agg(pl.col("model_id").min().alias("folded_id"), pl.col("model_id").n_unique().alias("n"))
        .filter(pl.col("n") == 1)
        .drop("n")
    )
