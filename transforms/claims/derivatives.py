"""Test of the models that derivatives on the Hub are made from: derivative_share."""

from __future__ import annotations

import polars as pl

from transforms.claims.hub_models import newest_listing, within
from transforms.claims.requests import for_tests, to_answers
from transforms.numeric.exact_sums import exactly, how_many, total
from transforms.registry.attribution import NOT_EXAMINED, with_lab_and_country


def derivative_share(
    requests: pl.LazyFrame,
    hub_models: pl.LazyFrame,
    hub_base_models: pl.LazyFrame,
    hub_model_roots: pl.LazyFrame,
    namespaces: pl.LazyFrame,
    labs: pl.LazyFrame,
    hub_listing_coverage: pl.LazyFrame,
) -> pl.LazyFrame:
    """Answers: the share of a country's models among the roots of a period's derivatives."""
    wanted = for_tests(requests, "derivative_share")
    created = hub_models.select("model_id_hf", "created_at")
    derived = _derived(wanted, created, hub_base_models, hub_model_roots)
    placed = with_lab_and_country(
        derived, namespaces, labs, system="hub", name="namespace", day="created_on"
    )
    weight, country = pl.col("weight"), pl.col("country_code")
    sums = placed.group_by("request").agg(
        exactly(weight.filter(country == pl.col("subject"))).alias("a"),
        exactly(weight.filter(country == NOT_EXAMINED)).alias("x"),
        exactly(weight.filter(country == "ZZ")).alias("z"),
        exactly(weight).alias("all"),
    )
    a, x, z = (pl.col(c) / pl.col("all") for c in "axz")
    return to_answers(
        wanted.join(newest_listing(hub_listing_coverage), how="cross")
        .join(sums, on="request")
        .join(_recorded(wanted, hub_models), on="request", how="left")
        .with_columns(
            a.alias("value"),
            (a + x).alias("high"),
            (a + x + z).alias("value_upper"),
            pl.col("listing_day").alias("observed_on"),
            pl.col("listed_share").alias("coverage_population"),
            (1 - x).alias("coverage_names"),
        )
    )


def _recorded(wanted: pl.LazyFrame, hub_models: pl.LazyFrame) -> pl.LazyFrame:
    """`coverage_lineage`: the part of the models of a request's period with a recorded lineage."""
    days = hub_models.group_by(
        pl.col("created_at").dt.date().cast(pl.Datetime("us")).alias("created_at")
    ).agg(pl.len().alias("n"), how_many(pl.col("lineage_recorded")).alias("recorded"))
    counts = days.join(wanted, how="cross").filter(within()).group_by("request")
    return counts.agg(
        (total(pl.col("recorded")) / total(pl.col("n").cast(pl.Int64))).alias("coverage_lineage")
    )


def _derived(
    wanted: pl.LazyFrame, created: pl.LazyFrame, base_models: pl.LazyFrame, roots: pl.LazyFrame
) -> pl.LazyFrame:
    """One row per request, derivative of its period, and root: weight, namespace of the root."""
    return (
        base_models.select("model_id_hf", pl.col("relation").alias("derivative"))
        .unique()
        .join(created, on="model_id_hf")
        .join(wanted, on="derivative")
        .filter(within())
        .join(roots.select("model_id_hf", "root_model_id_hf", "weight"), on="model_id_hf")
        .select(
            "request",
            "subject",
            "weight",
            pl.col("root_model_id_hf").str.extract(r"^([^/]+)/").alias("namespace"),
            pl.col("created_at").dt.date().alias("created_on"),
        )
    )
