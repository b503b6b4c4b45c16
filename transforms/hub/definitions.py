"""Populations, metrics and windows of all shares: the rule behind each id.

`warehouse/contracts/vocabulary.yml` defines the same ids in words. A rule reads the columns of one
day and model as `transforms.hub.credits` joins them.
"""

from __future__ import annotations

import polars as pl

from transforms.numeric.windows import age_in_days, created_within

NEW_DAYS = 30  # of new_models_30d
YEAR_DAYS = 365  # of created_1y
LAUNCH_DAYS = 60  # a young model rises from nothing, which is not a spike
LLM_VLM_TASKS = ("text-generation", "image-text-to-text", "any-to-any")
SPIKE_FACTOR = 10  # a spike is above this many times the model's median of the days before
SPIKE_DAYS = 31
SPIKE_OBSERVATIONS = 3  # of those days that the median needs
FIRST_PARTY_KINDS = ("lab", "academia", "community")  # of namespaces: they make models

_DAY, _CREATED, _KIND = pl.col("as_of_date"), pl.col("created_at"), pl.col("kind")
_IS_LAUNCHED = (age_in_days(_DAY, _CREATED) < LAUNCH_DAYS).fill_null(False)

# Each population but `all` -> whether a model belongs to it.
POPULATION_RULES: dict[str, pl.Expr] = {
    "llm_vlm": pl.col("is_llm_vlm").fill_null(False),
    "created_1y": created_within(_DAY, _CREATED, YEAR_DAYS),
    "first_party": _KIND.is_in(list(FIRST_PARTY_KINDS)).fill_null(False),
    "without_ci": (_KIND != "ci").fill_null(True),
    "without_spikes": pl.col("is_spike").is_null() | _IS_LAUNCHED,
}
FLAGS = tuple(POPULATION_RULES)
POPULATIONS = ("all", *FLAGS)

# Each metric -> what of a model is counted; null where nothing was recorded.
METRIC_RULES: dict[str, pl.Expr] = {
    "downloads_30d": pl.col("downloads_30d"),
    "downloads_all_time": pl.col("downloads_all_time"),
    "likes": pl.col("likes"),
    "models": pl.lit(1, pl.Int64),
    "new_models_30d": pl.when(created_within(_DAY, _CREATED, NEW_DAYS)).then(pl.lit(1, pl.Int64)),
}
METRICS = tuple(METRIC_RULES)
WINDOWS = {
    "downloads_30d": "30d",
    "downloads_all_time": "all_time",
    "likes": "all_time",
    "models": "all_time",
    "new_models_30d": "30d",
}
# Ids of the rows for all models of unexamined namespaces and all models without a family.
UNEXAMINED, NO_FAMILY = "unexamined", "none"
DEFINITION = ["as_of_date", "population", "metric", "metric_window", "attribution"]
