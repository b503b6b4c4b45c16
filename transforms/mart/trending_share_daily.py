"""mart.trending_share_daily."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.hub.trending import TOPS, last_strips
from transforms.numeric.exact_sums import exactly
from transforms.registry.attribution import NOT_EXAMINED, with_lab_and_country
from transforms.registry.bitemporal import as_known, holds_on
from transforms.registry.family_rules import hub_families
from warehouse.contracts.table import contract

_PLACE = ["as_of_date", "model_position", "namespace", "maker", "weight", "attribution", "known_by"]


def trending_share_daily(
    hub_trending: pl.LazyFrame,
    hub_models: pl.LazyFrame,
    hub_model_roots: pl.LazyFrame,
    families: pl.LazyFrame,
    raw_registry_family_rules: pl.LazyFrame,
    namespaces: pl.LazyFrame,
    labs: pl.LazyFrame,
    countries: pl.LazyFrame,
    known_at: date,
) -> pl.LazyFrame:
    """One row per day, top N, attribution and country: places among the trending models.

    By publisher, a place belongs to the uploader's country. By base, it belongs in equal parts to
    the countries of the roots if the lineage is recorded, else to the maker of the family in the
    model's name (`n_places_by_name`), else to XX (`n_places_without_lineage`). The last list of a
    day counts.
    """
    strips = last_strips(hub_trending)
    named = hub_families(
        strips.select(model_name="model_id_hf"), as_known(raw_registry_family_rules, known_at)
    )
    makers = named.join(families.select("family_id", maker="lab_id"), on="family_id").select(
        pl.col("model_name").alias("model_id_hf"), "maker"
    )
    roots = _recorded_roots(strips, hub_models, hub_model_roots)
    places = pl.concat([_by_publisher(strips), _by_base(strips, roots, makers)]).collect().lazy()
    sources = strips.select("as_of_date", "list_source").unique()
    return _counted(_placed(places, namespaces, labs), sources, countries)


def _recorded_roots(
    strips: pl.LazyFrame, hub_models: pl.LazyFrame, hub_model_roots: pl.LazyFrame
) -> pl.LazyFrame:
    """Roots of the trending models whose lineage is recorded, or that have another root."""
    # Few models against millions: select theirs first.
    listed = hub_models.select("model_id_hf", "lineage_recorded").join(
        strips, on="model_id_hf", how="semi"
    )
    roots = hub_model_roots.select("model_id_hf", "root_model_id_hf", "weight").join(
        strips, on="model_id_hf", how="semi"
    )
    is_derived = pl.col("root_model_id_hf") != pl.col("model_id_hf")
    return (
        roots.join(listed, on="model_id_hf")
        .filter(
            (pl.col("lineage_recorded").fill_null(False) | is_derived).any().over("model_id_hf")
        )
        .select("model_id_hf", "weight", pl.col("root_model_id_hf").str.extract(r"^([^/]+)/"))
        .rename({"root_model_id_hf": "namespace"})
    )


def _by_publisher(strips: pl.LazyFrame) -> pl.LazyFrame:
    nothing = pl.lit(None, pl.String)
    return strips.with_columns(
        namespace=pl.col("author"),
        maker=nothing,
        weight=pl.lit(1.0),
        attribution=pl.lit("publisher"),
        known_by=nothing,
    ).select(_PLACE)


def _by_base(strips: pl.LazyFrame, roots: pl.LazyFrame, makers: pl.LazyFrame) -> pl.LazyFrame:
    is_recorded = pl.col("weight").is_not_null()
    known_by = (
        pl.when(is_recorded)
        .then(pl.lit("lineage"))
        .when(pl.col("maker").is_not_null())
        .then(pl.lit("name"))
        .otherwise(pl.lit("nothing"))
    )
    return (
        strips.join(roots, on="model_id_hf", how="left")
        .join(makers, on="model_id_hf", how="left")
        .with_columns(
            known_by.alias("known_by"),
            pl.when(~is_recorded).then(pl.col("maker")).alias("maker"),
            pl.col("weight").fill_null(1.0),
            attribution=pl.lit("base"),
        )
        .select(_PLACE)
    )


def _placed(places: pl.LazyFrame, namespaces: pl.LazyFrame, labs: pl.LazyFrame) -> pl.LazyFrame:
    """Adds the country of each place: of its namespace, or of the maker of its family."""
    by_lab = labs.select("valid_from", "valid_to", maker="lab_id", country_of_maker="country_code")
    makers = (
        places.select("as_of_date", "maker")
        .unique()
        .join(by_lab, on="maker")
        .filter(holds_on(pl.col("as_of_date")))
        .select("as_of_date", "maker", "country_of_maker")
    )
    owned = with_lab_and_country(
        places, namespaces, labs, system="hub", name="namespace", day="as_of_date"
    )
    country = (
        pl.when(pl.col("known_by") == "name")
        .then(pl.col("country_of_maker"))
        .when(pl.col("known_by") == "nothing")
        .then(None)
        .otherwise(pl.col("country_code"))
    )
    return owned.join(makers, on=["as_of_date", "maker"], how="left").with_columns(
        country.fill_null(NOT_EXAMINED).alias("country_code")
    )


def _counted(placed: pl.LazyFrame, sources: pl.LazyFrame, countries: pl.LazyFrame) -> pl.LazyFrame:
    """Places by country, for each top N."""
    tops = [
        placed.filter(pl.col("model_position") <= n).with_columns(top_n=pl.lit(n, pl.Int32))
        for n in TOPS
    ]
    key = ["as_of_date", "top_n", "attribution"]
    weight, known_by = pl.col("weight"), pl.col("known_by")
    is_base = pl.col("attribution") == "base"
    beside = {"n_places_by_name": "name", "n_places_without_lineage": "nothing"}
    return (
        pl.concat(tops)
        .group_by(*key, "country_code")
        .agg(
            exactly(weight).alias("n_places"),
            *(exactly(weight.filter(known_by == value)).alias(c) for c, value in beside.items()),
        )
        .with_columns(
            exactly(pl.col("n_places")).over(key).round(6).alias("n_places_total"),
            *(pl.when(is_base).then(pl.col(c)).alias(c) for c in beside),
        )
        .with_columns((pl.col("n_places") / pl.col("n_places_total")).alias("share"))
        .join(countries, on="country_code", how="left")
        .join(sources, on="as_of_date")
        .select(*contract("mart.trending_share_daily").columns)
    )
