"""The model behind a name, for the boards and for core.model_identities."""

from __future__ import annotations

import polars as pl

from transforms.registry.names import folded

BOARDS = "lmarena"  # the system whose names the Space's tables translate


def identified(
    named: pl.LazyFrame, aliases: pl.LazyFrame, space_tables: pl.LazyFrame
) -> pl.LazyFrame:
    """`system`, `name`, `model_id`, `rule` for every distinct system and name of `named`.

    In this order: the reviewed alias of the name, in its spelling or, if all aliases of that name
    agree, in another case; on the boards, the key that the tables of the frozen Space give for a
    display name, and that key's alias; the folded name.
    """
    names = named.select("system", "name").drop_nulls().unique()
    exact = aliases.select("system", "name", exact_id="model_id")
    agreed = _agreed(aliases)
    display = display_keys(space_tables).with_columns(pl.lit(BOARDS).alias("system"))
    own, by_key = pl.coalesce("exact_id", "folded_id"), pl.col("board_key").is_not_null()
    fallback = pl.concat_str("system", pl.lit(":"), pl.coalesce("board_key", "folded"))
    same = pl.col("folded") == pl.col("name")
    return (
        names.with_columns(folded("name").alias("folded"))
        .join(exact, on=["system", "name"], how="left")
        .join(agreed, on=["system", "folded"], how="left")
        .join(display, on=["system", "folded"], how="left")
        .join(
            agreed.rename({"folded": "board_key", "folded_id": "key_id"}),
            on=["system", "board_key"],
            how="left",
        )
        .select(
            "system",
            "name",
            pl.coalesce(own, "key_id", fallback).alias("model_id"),
            pl.when(own.is_not_null())
            .then(pl.lit("alias"))
            .when(by_key)
            .then(pl.lit("display_name"))
            .when(same)
            .then(pl.lit("raw"))
            .otherwise(pl.lit("normal_form"))
            .alias("rule"),
        )
    )


def board_ids(
    names: pl.LazyFrame, aliases: pl.LazyFrame, space_tables: pl.LazyFrame
) -> pl.LazyFrame:
    """`name` and `model_id` of names on the boards; `names` has one column, of any name."""
    (column,) = names.collect_schema().names()
    named = names.select(pl.lit(BOARDS).alias("system"), pl.col(column).alias("name"))
    return identified(named, aliases, space_tables).select(pl.col("name").alias(column), "model_id")


def display_keys(space_tables: pl.LazyFrame) -> pl.LazyFrame:
    """`folded` display name and its `board_key`, from tables of any day, both without case.

    A display name with several keys, or one that is itself a key, is ignored.
    """
    pairs = (
        space_tables.select(folded=folded("model_name"), board_key=folded("model_key"))
        .drop_nulls()
        .unique()
    )
    keys = pairs.select(folded="board_key").unique()
    return (
        pairs.join(keys, on="folded", how="anti")
        .group_by("folded")
        .agg(pl.col("board_key").min(), pl.len().alias("n"))
        .filter(pl.col("n") == 1)
        .drop("n")
    )


def _agreed(aliases: pl.LazyFrame) -> pl.LazyFrame:
    """Aliases whose spellings all name the same model."""
    return (
        aliases.group_by("system", folded("name").alias("folded"))
        .agg(pl.col("model_id").min().alias("folded_id"), pl.col("model_id").n_unique().alias("n"))
        .filter(pl.col("n") == 1)
        .drop("n")
    )
