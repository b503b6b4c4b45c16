"""How long ago another country first reached a country's current level."""

from __future__ import annotations

import polars as pl

from transforms.arena.refused import ranked_boards
from transforms.arena.scale import BOARD, PLACED, with_lowest_record
from transforms.registry.attribution import UNKNOWN

# Ratings of different segments are never compared.
SCALE = ["board", "category", "segment_id"]
LEVELS = ("rating", "rating_lower", "rating_upper")
_OF = [*SCALE, "country_code"]


def lags(arena_ratings: pl.LazyFrame) -> pl.LazyFrame:
    """One row per board, category, publish date and country: its lag behind the first other one.

    The level is the rating of the country's best model. It was reached on the first publish date of
    the same board, category and segment on which the best rating of another country was at least
    as high. For the lower bound of the rating that was earlier (`lag_days_upper`), for the upper
    bound later or not yet (`lag_days_lower`, then 0). The uncertainty of the others' ratings is not
    included. A level reached on the first date of the segment may have been reached before it. ZZ
    and XX are not countries: they have no lag and reach no level first.
    """
    best = _best(arena_ratings).cache()
    dated = best.with_columns(pl.col("publish_date").min().over(SCALE).alias("_start"))
    records = _records(best.filter(~pl.col("country_code").is_in(UNKNOWN)))
    for level in LEVELS:
        dated = _with_reach(dated, records, level)
    since = {
        level: (pl.col("publish_date") - pl.col(f"_{level}_date")).dt.total_days().cast(pl.Int32)
        for level in LEVELS
    }
    catalog = pl.col("has_catalog_rows", *(f"_{level}_catalog" for level in LEVELS))
    is_bounded = pl.col("rating_lower").is_not_null() & pl.col("rating_upper").is_not_null()
    is_near = is_bounded & since["rating_lower"].is_not_null()
    return dated.select(
        *BOARD,
        "country_code",
        since["rating"].alias("lag_days"),
        pl.when(is_near).then(since["rating_upper"].fill_null(0)).alias("lag_days_lower"),
        pl.when(is_near).then(since["rating_lower"]).alias("lag_days_upper"),
        (pl.col("_rating_date") == pl.col("_start")).alias("lag_is_censored"),
        pl.when(is_near)
        .then(pl.col("_rating_lower_date") == pl.col("_start"))
        .alias("lag_upper_is_censored"),
        pl.col("_rating_by").alias("first_reached_by"),
        pl.col("_rating_date").alias("first_reached_date"),
        pl.any_horizontal(catalog.fill_null(False)).any().over(BOARD).alias("has_catalog_rows"),
    )


def _best(arena_ratings: pl.LazyFrame) -> pl.LazyFrame:
    """The best model of each country on each board, with the bounds of its rating."""
    kept = [*BOARD, "country_code", "segment_id", "has_catalog_rows", *PLACED, *LEVELS]
    ordered = ranked_boards(arena_ratings).select(kept).sort(*BOARD, *PLACED, nulls_last=True)
    return ordered.unique([*BOARD, "country_code"], keep="first", maintain_order=True)


def _records(known: pl.LazyFrame) -> pl.LazyFrame:
    """One row per country and record of the others: the dates on which their best rating rose.

    Over these rows ratings rise with the dates, so the first date with at least some level is that
    of the lowest record at or above it.
    """
    days = (
        known.sort(*BOARD, *PLACED, nulls_last=True)
        .group_by(*SCALE, "publish_date", maintain_order=True)
        .agg(
            pl.col("country_code").first().alias("_first"),
            pl.col("rating").first().alias("_first_rating"),
            pl.col("country_code").get(1, null_on_oob=True).alias("_second"),
            pl.col("rating").get(1, null_on_oob=True).alias("_second_rating"),
            pl.col("has_catalog_rows").first().alias("_catalog"),
        )
    )
    is_other = pl.col("_first") != pl.col("country_code")
    others = (
        days.join(known.select(_OF).unique(), on=SCALE)
        .select(
            *_OF,
            pl.col("publish_date").alias("_date"),
            pl.when(is_other).then("_first").otherwise("_second").alias("_by"),
            pl.when(is_other).then("_first_rating").otherwise("_second_rating").alias("_reached"),
            "_catalog",
        )
        .drop_nulls("_reached")
        .sort(*_OF, "_date")
    )
    best_so_far = pl.col("_reached").cum_max().over(_OF)
    is_record = pl.struct(*_OF, "_reached").is_first_distinct()
    return others.filter(pl.col("_reached") == best_so_far).filter(is_record)


def _with_reach(leaders: pl.LazyFrame, records: pl.LazyFrame, level: str) -> pl.LazyFrame:
    """Adds when, by whom and on what kind of board a level was first reached, if by that day."""
    key = [*BOARD, "country_code"]
    wanted = leaders.filter(
        ~pl.col("country_code").is_in(UNKNOWN) & pl.col(level).is_not_null()
    ).select(*key, "segment_id", level)
    found = (
        with_lowest_record(wanted, records, level=level, reached="_reached", by=_OF)
        .filter(pl.col("_date") <= pl.col("publish_date"))
        .select(
            *key,
            pl.col("_date").alias(f"_{level}_date"),
            pl.col("_by").alias(f"_{level}_by"),
            pl.col("_catalog").alias(f"_{level}_catalog"),
        )
    )
    return leaders.join(found, on=key, how="left")
