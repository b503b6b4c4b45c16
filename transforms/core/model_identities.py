"""core.model_identities."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.registry.bitemporal import as_known
from transforms.registry.model_identity import identified


def model_identities(
    hub_models: pl.LazyFrame,
    arena_observations: pl.LazyFrame,
    arena_agent_scores: pl.LazyFrame,
    notable_models: pl.LazyFrame,
    raw_arena_space_tables: pl.LazyFrame,
    raw_registry_model_aliases: pl.LazyFrame,
    known_at: date,
) -> pl.LazyFrame:
    """One row per system and name, with its model (`transforms.registry.model_identity`).

    The boards' names are those of all sources, chosen or not, so that retired models are included.
    No recorded board has two names that differ only in case. Punctuation, dates and suffixes are
    kept.
    """
    named = pl.concat(
        [
            _names("hub", hub_models, "model_id_hf"),
            _names("lmarena", arena_observations, "model_name_arena"),
            _names("lmarena", arena_agent_scores, "model_name_arena"),
            _names("epoch", notable_models, "model_name_epoch"),
        ]
    )
    aliases = as_known(raw_registry_model_aliases, known_at)
    return identified(named, aliases, raw_arena_space_tables)


def _names(system: str, frame: pl.LazyFrame, column: str) -> pl.LazyFrame:
    return frame.select(pl.lit(system).alias("system"), pl.col(column).alias("name")).unique()
