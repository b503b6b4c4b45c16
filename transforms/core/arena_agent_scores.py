"""core.arena_agent_scores."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.arena.scale import BOARD
from transforms.registry.attribution import with_lab_and_country
from transforms.registry.bitemporal import as_known
from transforms.registry.model_identity import board_ids
from warehouse.contracts.table import contract


def arena_agent_scores(
    raw_arena_agent_leaderboards: pl.LazyFrame,
    raw_arena_space_tables: pl.LazyFrame,
    raw_registry_arena_licenses: pl.LazyFrame,
    raw_registry_model_aliases: pl.LazyFrame,
    namespaces: pl.LazyFrame,
    labs: pl.LazyFrame,
    as_of: date,
    known_at: date,
) -> pl.LazyFrame:
    """One row per agent board, category, publish date up to `as_of` and model, with its lab.

    If a board names a model twice, the line with more observations counts. Organizations are as
    published: these boards began after the dataset had lost those of the old models.
    """
    lines = raw_arena_agent_leaderboards.rename(
        {
            "subset": "board",
            "leaderboard_publish_date": "publish_date",
            "model_name": "model_name_arena",
            "rank": "rank_published",
        }
    ).filter(pl.col("publish_date") <= as_of)
    once = lines.sort("observation_count", "line", descending=[True, False], nulls_last=True)
    once = once.unique([*BOARD, "model_name_arena"], keep="first", maintain_order=True)
    aliases = as_known(raw_registry_model_aliases, known_at)
    ids = board_ids(once.select("model_name_arena"), aliases, raw_arena_space_tables)
    licenses = as_known(raw_registry_arena_licenses, known_at).select("license", "is_open_weights")
    placed = with_lab_and_country(
        once.join(ids, on="model_name_arena", how="left").join(licenses, on="license", how="left"),
        namespaces,
        labs,
        system="lmarena",
        name="organization",
        day="publish_date",
    )
    return placed.select(*contract("core.arena_agent_scores").columns)
