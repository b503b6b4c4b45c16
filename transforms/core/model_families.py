"""core.model_families."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.registry.bitemporal import as_known
from transforms.registry.family_rules import best_matches, matches


def model_families(
    hub_models: pl.LazyFrame,
    hub_model_roots: pl.LazyFrame,
    arena_ratings: pl.LazyFrame,
    notable_models: pl.LazyFrame,
    raw_registry_family_rules: pl.LazyFrame,
    known_at: date,
) -> pl.LazyFrame:
    """One row per system and model with a family, by the first rule that its name matches.

    Hub: the listed models and the roots that only a lineage names. Only the name counts here; the
    shares credit a derived model to the family of its roots. A model that rules of two families
    match with equal priority has no family, and `rule` names both matches.
    """
    rules = as_known(raw_registry_family_rules, known_at).collect()
    roots = hub_model_roots.select(pl.col("root_model_id_hf").alias("model_name"))
    listed = hub_models.select(pl.col("model_id_hf").alias("model_name"))
    found = pl.concat(
        [
            matches("hub", pl.concat([listed, roots]), rules),
            matches("lmarena", arena_ratings.select(model_name="model_name_arena"), rules),
            matches("epoch", notable_models.select(model_name="model_name_epoch"), rules),
        ]
    )
    return best_matches(found)
