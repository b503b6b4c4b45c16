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
    """One row per system and name, with the model that it stands for
    (`transforms.registry.model_identity`).

    Names of the boards are those of every source, believed or not, so that a retired model has
    its identity too. On no recorded board do two names that differ by case alone stand side by
    side. Punctuation, dates and suffixes stay.
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
