"""The measures of labs (mart.lab_measures): their units, and why a value can be missing."""

from __future__ import annotations

import polars as pl

# Arena boards with a measure; mart.arena_lab_leaders has all boards.
BOARDS = (
    *("text", "text_style_control", "webdev", "vision", "search_style_control"),
    *("text_to_image", "image_edit", "text_to_video", "image_to_video"),
)
OPEN_WEIGHTS = "notable_open_weights_share"
NOTABLE = ("notable_models", "notable_models_12m", OPEN_WEIGHTS)
TOKENS = "openrouter_token_share"
UNITS = {
    "hub_share_publisher": "share",
    "hub_share_base": "share",
    "hub_models": "models",
    "hub_downloads_30d": "downloads in 30 days",
    "hub_downloads_all_time": "downloads",
    "hub_likes": "likes",
    **{f"arena_{board}": "arena points" for board in BOARDS},
    "notable_models": "models",
    "notable_models_12m": "models",
    OPEN_WEIGHTS: "share",
    TOKENS: "share",
}
# By the first word of a measure: nothing was observed, or what was observed lacks the lab.
_NOTHING = {
    **{"hub": "no_observation", "arena": "no_board"},
    **{"notable": "no_vintage", "openrouter": "no_ranking"},
}
_WITHOUT = {
    **{"hub": "no_model", "arena": "not_on_board"},
    **{"notable": "not_listed", "openrouter": "not_ranked"},
}


def all_measures() -> pl.LazyFrame:
    """One row per measure, with its unit."""
    return pl.LazyFrame({"measure": list(UNITS), "unit": list(UNITS.values())})


def missing_reason() -> pl.Expr:
    """Why `value` is null; null where it is not.

    Reads measure, value, observed_on, lineage_coverage and n_known.
    """
    group = pl.col("measure").str.split("_").list.first()
    no_lineage = (pl.col("measure") == "hub_share_base") & (pl.col("lineage_coverage") == 0)
    return (
        pl.when(pl.col("value").is_not_null())
        .then(None)
        .when(no_lineage)
        .then(pl.lit("lineage_not_recorded"))
        .when(pl.col("n_known") == 0)
        .then(pl.lit("access_unknown"))
        .when(pl.col("observed_on").is_null())
        .then(group.replace_strict(_NOTHING))
        .otherwise(group.replace_strict(_WITHOUT))
        .alias("missing_reason")
    )
