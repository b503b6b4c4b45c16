"""mart.trending_share_daily."""

from __future__ import annotations

import polars as pl

from transforms.attribution import with_lab_and_country
from transforms.sums import exactly
from transforms.trending import last_strips

TOPS = (5, 10)


def trending_share_daily(
    hub_trending: pl.LazyFrame,
    hub_model_roots: pl.LazyFrame,
    namespaces: pl.LazyFrame,
    labs: pl.LazyFrame,
    countries: pl.LazyFrame,
) -> pl.LazyFrame:
    """One row per day, top N, attribution and country: places among the trending models.

    By publisher a place belongs to the uploader's country, by base to those of the roots, by
    equal parts. A model that the listing does not hold is its own root. Of a day with several
    strips the last one counts, as in the published figures.
    """
    hub_trending = last_strips(hub_trending)
    placed = with_lab_and_country(
        pl.concat([_by_publisher(hub_trending), _by_base(hub_trending, hub_model_roots)]),
        namespaces,
        labs,
        system="hub",
        name="namespace",
        day="as_of_date",
    )
    tops = [
        placed.filter(pl.col("model_position") <= n).with_columns(top_n=pl.lit(n, pl.Int32))
        for n in TOPS
    ]
    key = ["as_of_date", "top_n", "attribution"]
    return (
        pl.concat(tops)
        .group_by(*key, "country_code")
        .agg(exactly(pl.col("weight")).alias("n_places"))
        .with_columns(exactly(pl.col("n_places")).over(key).round(6).alias("n_places_total"))
        .with_columns((pl.col("n_places") / pl.col("n_places_total")).alias("share"))
        .join(countries, on="country_code", how="left")
        .select(*key, "country_code", "country_name", "n_places", "n_places_total", "share")
    )


def _by_publisher(hub_trending: pl.LazyFrame) -> pl.LazyFrame:
    return hub_trending.select(
        "as_of_date",
        "model_position",
        pl.col("author").alias("namespace"),
        weight=pl.lit(1.0),
        attribution=pl.lit("publisher"),
    )


def _by_base(hub_trending: pl.LazyFrame, hub_model_roots: pl.LazyFrame) -> pl.LazyFrame:
    # Few against millions: their roots are picked out first.
    roots = hub_model_roots.join(hub_trending, on="model_id_hf", how="semi")
    namespace = pl.col("root_model_id_hf").str.extract(r"^([^/]+)/")
    return hub_trending.join(roots, on="model_id_hf", how="left").select(
        "as_of_date",
        "model_position",
        pl.coalesce(namespace, "author").alias("namespace"),
        weight=pl.col("weight").fill_null(1.0),
        attribution=pl.lit("base"),
    )
