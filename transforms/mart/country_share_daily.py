"""mart.country_share_daily."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from transforms.attribution import NOT_EXAMINED, with_lab_and_country
from transforms.sums import in_order

UNKNOWN = ("ZZ", NOT_EXAMINED)
GROUP = ["as_of_date", "population", "metric", "attribution", "credit"]


def country_share_daily(
    hub_daily_counters: pl.LazyFrame,
    hub_models: pl.LazyFrame,
    hub_model_roots: pl.LazyFrame,
    namespaces: pl.LazyFrame,
    labs: pl.LazyFrame,
    countries: pl.LazyFrame,
) -> pl.LazyFrame:
    """One row per day, population, metric, attribution, credit and country.

    Downloads of a model go to the country of its uploader's lab (publisher) or to those of the
    labs at the roots of its lineage (base), in full to each distinct country or by weight.
    """
    counted = _members(hub_daily_counters, hub_models)
    credits = _credits(counted, hub_model_roots, namespaces, labs)
    populations = [(name, _population(credits, name)) for name in ("all", "llm_vlm", "created_1y")]
    sums = pl.concat([_sums(rows, name) for name, rows in populations])
    totals = pl.concat(
        [_totals(_population(counted, name), name) for name in ("all", "llm_vlm", "created_1y")]
    )
    return (
        _shares(sums, totals)
        .join(countries, on="country_code", how="left")
        .select(
            *GROUP,
            "country_code",
            "country_name",
            "share",
            "share_lower",
            "share_upper",
            "numerator",
            "denominator",
            "n_models",
            "n_models_population",
            "n_models_without_counter",
        )
    )


def _members(counters: pl.LazyFrame, models: pl.LazyFrame) -> pl.LazyFrame:
    """One row per day and model, with what decides on its populations."""
    age = pl.col("as_of_date").cast(pl.Datetime("us")) - pl.col("created_at")
    return counters.join(
        models.select("model_id_hf", "author", "created_at", "is_llm_vlm"), on="model_id_hf"
    ).select(
        "as_of_date",
        "model_id_hf",
        "author",
        "downloads_30d",
        pl.col("is_llm_vlm").fill_null(False).alias("llm_vlm"),
        # the day itself counts whole: a model created on it is in the population
        age.is_between(timedelta(days=-1), timedelta(days=365), closed="right")
        .fill_null(False)
        .alias("created_1y"),
        all=pl.lit(True),
    )


def _population(frame: pl.LazyFrame, name: str) -> pl.LazyFrame:
    return frame.filter(pl.col(name))


def _credits(
    counted: pl.LazyFrame,
    hub_model_roots: pl.LazyFrame,
    namespaces: pl.LazyFrame,
    labs: pl.LazyFrame,
) -> pl.LazyFrame:
    """One row per day, model, attribution and root: its weight and country.

    `is_first` marks one row of each country of the model, for credit in full.
    """
    publisher = counted.with_columns(
        pl.col("author").alias("namespace"), weight=1.0, attribution=pl.lit("publisher")
    )
    root_author = pl.col("root_model_id_hf").str.extract(r"^([^/]+)/")
    base = counted.join(
        hub_model_roots.select(
            "model_id_hf", "weight", root_author.alias("namespace"), attribution=pl.lit("base")
        ),
        on="model_id_hf",
    )
    placed = with_lab_and_country(
        pl.concat([publisher, base.select(publisher.collect_schema().names())]),
        namespaces,
        labs,
        system="hub",
        name="namespace",
        day="as_of_date",
    )
    key = ["as_of_date", "model_id_hf", "attribution", "country_code"]
    return placed.with_columns(pl.struct(key).is_first_distinct().alias("is_first"))


def _sums(rows: pl.LazyFrame, population: str) -> pl.LazyFrame:
    """Downloads credited to each country, in full and by weight."""
    downloads, is_first = pl.col("downloads_30d").cast(pl.Float64), pl.col("is_first")
    return (
        rows.filter(pl.col("downloads_30d").is_not_null())
        .group_by("as_of_date", "attribution", "country_code")
        .agg(
            downloads.filter(is_first).sum().alias("full"),
            in_order(downloads * pl.col("weight")).alias("fractional"),
            is_first.sum().cast(pl.Int64).alias("n_models"),
        )
        .unpivot(
            ["full", "fractional"],
            index=["as_of_date", "attribution", "country_code", "n_models"],
            variable_name="credit",
            value_name="numerator",
        )
        .with_columns(population=pl.lit(population), metric=pl.lit("downloads_30d"))
    )


def _totals(rows: pl.LazyFrame, population: str) -> pl.LazyFrame:
    """Downloads of the population, each model once."""
    counter = pl.col("downloads_30d")
    return rows.group_by("as_of_date").agg(
        counter.sum().cast(pl.Float64).alias("denominator"),
        counter.count().cast(pl.Int64).alias("n_models_population"),
        counter.null_count().cast(pl.Int64).alias("n_models_without_counter"),
        population=pl.lit(population),
    )


def _shares(sums: pl.LazyFrame, totals: pl.LazyFrame) -> pl.LazyFrame:
    """Shares, and bounds that give all of ZZ and XX to others or to this country."""
    unknown = pl.col("country_code").is_in(list(UNKNOWN))
    share = pl.col("numerator") / pl.col("denominator")
    doubt = pl.col("numerator").filter(unknown).sum().over(GROUP) / pl.col("denominator")
    upper = pl.when(unknown).then(pl.col("doubt")).otherwise(pl.col("share") + pl.col("doubt"))
    return (
        sums.join(totals, on=["as_of_date", "population"])
        .filter(pl.col("denominator") > 0)
        .sort(*GROUP, "country_code")
        .with_columns(share.alias("share"), doubt.alias("doubt"))
        .with_columns(
            pl.when(unknown).then(0.0).otherwise(pl.col("share")).alias("share_lower"),
            # in full credit a model with roots in ZZ and in XX is twice in doubt
            upper.clip(upper_bound=1.0).alias("share_upper"),
        )
    )
