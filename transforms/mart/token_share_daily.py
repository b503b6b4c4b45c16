"""mart.token_share_daily."""

from __future__ import annotations

import polars as pl

from transforms.numeric.exact_sums import how_many, total
from transforms.registry.bitemporal import holds_on
from transforms.registry.permaslugs import OTHER
from warehouse.contracts.table import contract

UNEXAMINED = "unexamined"
DOUBT = {
    "cloaked": "Cloaked models of undisclosed labs",
    UNEXAMINED: "Publishers not examined yet",
    OTHER: "Models that are not listed",
}
LEVELS = {"country": "country_code", "lab": "lab_id"}
_PART = ["day", "level"]


def token_share_daily(
    openrouter_tokens: pl.LazyFrame, labs: pl.LazyFrame, countries: pl.LazyFrame
) -> pl.LazyFrame:
    """One row per day, level and holder: a country or lab, or a part of doubt.

    The holder of a model's tokens is its publisher's. Cloaked models, publishers that are not in
    the registry, and all models that are not listed are of unknown holders.
    """
    held = pl.concat([_held(openrouter_tokens, level, of) for level, of in LEVELS.items()])
    counted = held.group_by(*_PART, "holder", "is_doubt").agg(
        total(pl.col("tokens")).alias("tokens"),
        how_many(pl.col("kind") != OTHER).alias("n_models"),
        how_many(pl.col("kind") == OTHER).alias("n_other"),
    )
    doubt = pl.col("tokens").filter(pl.col("is_doubt"))
    summed = counted.with_columns(
        total(pl.col("tokens")).over(_PART).alias("tokens_total"),
        total(doubt).over(_PART).alias("tokens_in_doubt"),
        (pl.col("n_other").max().over(_PART) > 0).alias("has_other"),
    )
    return (
        _named(_shared(summed), labs, countries)
        .filter(pl.col("tokens_total") > 0)
        .select(*contract("mart.token_share_daily").columns)
    )


def _held(tokens: pl.LazyFrame, level: str, of: str) -> pl.LazyFrame:
    """Every model with its holder at a level."""
    is_known = pl.col("lab_id").is_not_null()
    doubt = pl.when(pl.col("kind") == "model").then(pl.lit(UNEXAMINED)).otherwise(pl.col("kind"))
    return tokens.select(
        *("day", "kind", "tokens"),
        pl.lit(level).alias("level"),
        pl.when(is_known).then(pl.col(of)).otherwise(doubt).alias("holder"),
        (~is_known).alias("is_doubt"),
    )


def _shared(summed: pl.LazyFrame) -> pl.LazyFrame:
    """Adds the share, and its bounds: none or all of the tokens in doubt are the holder's own."""
    share = pl.col("tokens") / pl.col("tokens_total")
    with_doubt = (pl.col("tokens") + pl.col("tokens_in_doubt")) / pl.col("tokens_total")
    is_known = ~pl.col("is_doubt")
    return summed.with_columns(
        share.alias("share"),
        pl.when(is_known).then(share).alias("share_lower"),
        pl.when(is_known).then(with_doubt).alias("share_upper"),
    )


def _named(shares: pl.LazyFrame, labs: pl.LazyFrame, countries: pl.LazyFrame) -> pl.LazyFrame:
    """Adds `holder_name`: of the country, of the lab on the day, or what the part of doubt is."""
    of_country = countries.select(holder="country_code", country_name="country_name")
    of_lab = (
        shares.filter((pl.col("level") == "lab") & ~pl.col("is_doubt"))
        .select("day", "holder")
        .join(labs.select("valid_from", "valid_to", "lab_name", holder="lab_id"), on="holder")
        .filter(holds_on(pl.col("day")))
        .select("day", "holder", "lab_name")
    )
    is_country = pl.col("level") == "country"
    name = (
        pl.when(pl.col("is_doubt"))
        .then(pl.col("holder").replace_strict(DOUBT, default=None))
        .when(is_country)
        .then(pl.col("country_name"))
        .otherwise(pl.col("lab_name"))
    )
    return (
        shares.join(of_country, on="holder", how="left")
        .join(of_lab, on=["day", "holder"], how="left")
        .with_columns(name.alias("holder_name"))
    )
