"""Tests on Epoch's notable models: notable_count, models_published."""

from __future__ import annotations

import polars as pl

from transforms.ai_index.notable import placed
from transforms.claims.completeness import vintages, without_earlier
from transforms.claims.requests import for_tests, lines, nearest, to_answers
from transforms.numeric.exact_sums import how_many
from transforms.registry.attribution import NOT_EXAMINED


def notable_count(
    requests: pl.LazyFrame,
    notable_models: pl.LazyFrame,
    notable_model_labs: pl.LazyFrame,
    sizes: pl.LazyFrame,
    meta_snapshots: pl.LazyFrame,
) -> pl.LazyFrame:
    """Answers: models of a year that count for a country, by the vintage nearest to the day.

    A model counts in full for each distinct country. A record without a country, or one that the
    vintage lacks, may belong to any country. If the vintage of a statement is not known, the counts
    of the vintages before and after the stated day widen the bounds.
    """
    wanted = for_tests(requests, "notable_count")
    days = notable_models.select(pl.col("vintage_date").alias("observed_on"))
    held = vintages(days, sizes, meta_snapshots, "notable_ai_models")
    models = placed(notable_models, notable_model_labs).rename(
        {"vintage_date": "observed_on", "publication_year": "year"}
    )
    chosen = nearest(wanted, days, []).with_columns(is_chosen=pl.lit(True))
    beside = _around(wanted, days.unique()).with_columns(is_chosen=pl.lit(False))
    dated = pl.concat([chosen, beside.select(chosen.collect_schema().names())])
    counts = without_earlier(
        _counts(dated, models).join(held, on="observed_on"), pl.date(pl.col("year"), 1, 1)
    )
    return to_answers(
        counts.sort("request", "observed_on")
        .group_by("request", maintain_order=True)
        .agg(
            pl.col("observed_on", "value", "coverage_names").filter("is_chosen").first(),
            pl.col("held").filter("is_chosen").first().alias("coverage_population"),
            (~pl.col("is_part") | (pl.col("n_missing") > 0)).all().alias("is_whole"),
            pl.col("value").min().alias("low"),
            pl.sum_horizontal("value", "x", "n_missing").max().alias("high"),
            pl.sum_horizontal("value", "x", "z", "n_missing").max().alias("value_upper"),
        )
        .with_columns(coverage_time=pl.lit(1.0))
    )


def _around(wanted: pl.LazyFrame, vintages: pl.LazyFrame) -> pl.LazyFrame:
    """The vintages next to the stated day, before and after it, of requests for both."""
    stated = wanted.filter((pl.col("vintages") == "around") & (pl.col("moment") == "stated"))
    off = (pl.col("observed_on") - pl.col("day")).dt.total_days()
    return (
        stated.join(vintages, how="cross")
        .with_columns(off.alias("off"), (off > 0).alias("is_after"))
        .filter(
            (pl.col("off").abs() <= pl.col("within_days"))
            & (pl.col("observed_on") <= pl.col("clock"))
        )
        .sort("request", pl.col("off").abs())
        .unique(["request", "is_after"], keep="first", maintain_order=True)
    )


def _counts(dated: pl.LazyFrame, models: pl.LazyFrame) -> pl.LazyFrame:
    """Models of each request's year by vintage: the country's, unexamined (x) and ZZ (z)."""
    country = pl.col("country_code")
    return (
        dated.join(models, on=["observed_on", "year", "method"])
        .group_by("request", "observed_on", "is_chosen")
        .agg(
            how_many(country == pl.col("subject")).alias("value"),
            how_many(country == NOT_EXAMINED).alias("x"),
            how_many(country == "ZZ").alias("z"),
            pl.col("line").n_unique().alias("n"),
            pl.col("year").first(),
        )
        .with_columns((1 - pl.col("x") / pl.col("n")).alias("coverage_names"))
    )


def models_published(requests: pl.LazyFrame, notable_models: pl.LazyFrame) -> pl.LazyFrame:
    """Answers: how many of the named models Epoch lists as published in the period.

    One vintage near the day that lists a model is enough. Absence proves nothing, since Epoch lists
    notable models only.
    """
    each = (
        for_tests(requests, "models_published")
        .with_columns(lines("names").alias("name"))
        .explode("name")
    )
    off = (pl.col("vintage_date") - pl.col("day")).dt.total_days().abs()
    is_near = (pl.col("moment") == "newest") | (off <= pl.col("within_days"))
    found = (
        each.join(notable_models, left_on="name", right_on="model_name_epoch")
        .filter(is_near & (pl.col("vintage_date") <= pl.col("clock")))
        .filter(pl.col("publication_date").is_between("period_from", "period_to"))
        .group_by("request")
        .agg(
            pl.col("name").n_unique().alias("value"),
            lines("names").list.len().first().alias("high"),
            pl.col("vintage_date").max().alias("observed_on"),
        )
    )
    found_share = pl.col("value") / pl.col("high")
    return to_answers(
        found.with_columns(found_share.alias("coverage_population"), bounds_hold=pl.lit(True))
    )
