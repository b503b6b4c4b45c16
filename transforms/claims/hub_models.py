"""Tests of single models on the Hub: when they were created, their rank and their size."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.claims.requests import NEEDED, for_tests, lines, nearest, to_answers
from transforms.numeric.exact_sums import running

FLOOR = date(2022, 3, 2)  # the Hub gave this day to all older repositories
COUNTERS = ("downloads_30d", "downloads_all_time", "likes", "trending_score")
_NO_BOUND = float("inf")


def newest_listing(hub_listing_coverage: pl.LazyFrame) -> pl.LazyFrame:
    """One row: day, coverage and completeness of the newest listing."""
    return (
        hub_listing_coverage.sort("as_of_date")
        .last()
        .select(pl.col("as_of_date").alias("listing_day"), "listed_share", "is_whole")
    )


def repositories_created(
    requests: pl.LazyFrame, hub_models: pl.LazyFrame, hub_listing_coverage: pl.LazyFrame
) -> pl.LazyFrame:
    """Answers: how many of the named repositories were created in the period.

    A repository that was found counts, whatever the listing lacks. One that was not found counts
    as missing only if the listing is (nearly) the whole Hub.
    """
    wanted = for_tests(requests, "repositories_created")
    found = _named(wanted, hub_models).filter(within() & _has_license())
    counts = found.group_by("request").agg(
        pl.col("name").n_unique().alias("n"), pl.col("last_seen_date").max().alias("seen")
    )
    n_named = lines("names").list.len()
    n, is_whole = pl.col("n").fill_null(0), _proves_absence()
    return to_answers(
        wanted.join(newest_listing(hub_listing_coverage), how="cross")
        .join(counts, on="request", how="left")
        .with_columns(
            n.alias("value"),
            pl.when(is_whole).then(n).otherwise(n_named).alias("high"),
            pl.coalesce("seen", "listing_day").alias("observed_on"),
            pl.when(is_whole).then(1.0).otherwise(n / n_named).alias("coverage_population"),
            is_whole=pl.lit(None),  # absence is in the bounds
        )
    )


def datasets_created(requests: pl.LazyFrame, raw_hub_datasets: pl.LazyFrame) -> pl.LazyFrame:
    """Answers: how many of the named datasets were created in the period, by the newest listing.

    A dataset that was found counts. Absence proves nothing, since the number of datasets on the Hub
    is not known.
    """
    wanted = for_tests(requests, "datasets_created")
    day = pl.col("snapshot_date")
    newest = raw_hub_datasets.filter(day == day.max())
    listed = newest.select(pl.col("dataset_id_hf").alias("model_id_hf"), "created_at")
    found = _named(wanted, listed).filter(within())
    counts = found.group_by("request").agg(pl.col("name").n_unique().alias("n"))
    n, n_named = pl.col("n").fill_null(0), lines("names").list.len()
    return to_answers(
        wanted.join(newest.select(day.alias("observed_on")).unique(), how="cross")
        .join(counts, on="request", how="left")
        .with_columns(
            n.alias("value"),
            n_named.alias("high"),
            (n / n_named).alias("coverage_population"),
        )
    )


def models_created(
    requests: pl.LazyFrame, hub_models: pl.LazyFrame, hub_listing_coverage: pl.LazyFrame
) -> pl.LazyFrame:
    """Answers: how many models a namespace created in the period; unbounded on a panel."""
    wanted = for_tests(requests, "models_created")
    counts = (
        wanted.with_columns(pl.col("subject").str.to_lowercase().alias("namespace"))
        .join(_by_namespace(hub_models), on="namespace")
        .filter(within() & ((pl.col("population") == "all") | pl.col("is_llm_vlm")))
        .group_by("request")
        .agg(pl.len().alias("n"))
    )
    n, is_whole = pl.col("n").fill_null(0), _proves_absence()
    return to_answers(
        wanted.join(newest_listing(hub_listing_coverage), how="cross")
        .join(counts, on="request", how="left")
        .with_columns(
            n.alias("value"),
            pl.when(is_whole).then(n).otherwise(_NO_BOUND).alias("high"),
            pl.col("listing_day").alias("observed_on"),
            pl.col("listed_share").alias("coverage_population"),
        )
    )


def model_rank(
    requests: pl.LazyFrame, hub_daily_counters: pl.LazyFrame, hub_listing_coverage: pl.LazyFrame
) -> pl.LazyFrame:
    """Answers: the best place of the named repositories by a counter, on one day's listing.

    On a panel this is a lower bound: models outside it may rank higher.
    """
    wanted = for_tests(requests, "model_rank")
    observed = hub_daily_counters.rename({"as_of_date": "observed_on"})
    named = _named(wanted, observed.select("observed_on", "model_id_hf", *COUNTERS)).cache()
    placed = [
        _placed(wanted.filter(pl.col("metric") == counter), observed, named, counter)
        for counter in COUNTERS
    ]
    is_whole = _proves_absence().fill_null(value=False)
    return to_answers(
        pl.concat(placed)
        .join(hub_listing_coverage, left_on="observed_on", right_on="as_of_date", how="left")
        .with_columns(
            pl.when(is_whole).then("value").otherwise(_NO_BOUND).alias("high"),
            pl.col("listed_share").fill_null(0.0).alias("coverage_population"),
        )
    )


def _placed(
    wanted: pl.LazyFrame, observed: pl.LazyFrame, named: pl.LazyFrame, counter: str
) -> pl.LazyFrame:
    """`request`, `observed_on` and `value`: the best rank of the request's repositories.

    The place of a count is one more than the number of greater counts on that day.
    """
    recorded = observed.select("observed_on", pl.col(counter).alias("count")).drop_nulls()
    days = recorded.select("observed_on").unique()
    dated = nearest(wanted, days, []).select("request", "observed_on")
    n = pl.col("len").cast(pl.Int64)
    places = (
        recorded.join(dated, on="observed_on", how="semi")
        .group_by("observed_on", "count")
        .len()
        .sort("observed_on", "count", descending=True)
        .with_columns((running(n) - n + 1).over("observed_on").alias("place"))
    )
    return (
        named.select("request", "observed_on", pl.col(counter).alias("count"))
        .join(dated, on=["request", "observed_on"], how="semi")
        .join(places, on=["observed_on", "count"])
        .group_by("request", "observed_on")
        .agg(pl.col("place").min().cast(pl.Float64).alias("value"))
    )


def parameter_ratio(
    requests: pl.LazyFrame, hub_models: pl.LazyFrame, notable_models: pl.LazyFrame
) -> pl.LazyFrame:
    """Answers: parameters of one model divided by those of another, from the Hub or from Epoch."""
    sizes = pl.concat(
        [
            hub_models.select(
                pl.lit("hub").alias("system"),
                pl.col("model_id_hf").alias("model"),
                pl.col("parameters_total").cast(pl.Float64).alias("size"),
                pl.col("last_seen_date").alias("seen"),
            ),
            notable_models.sort("vintage_date", "line").select(
                pl.lit("epoch").alias("system"),
                pl.col("model_name_epoch").alias("model"),
                pl.col("parameters").alias("size"),
                pl.col("vintage_date").alias("seen"),
            ),
        ]
    ).drop_nulls()
    wanted = for_tests(requests, "parameter_ratio")
    named = pl.concat([wanted.select("subject"), wanted.select(subject="other")]).unique()
    known = (
        sizes.join(named, left_on="model", right_on="subject", how="semi")
        .group_by("system", "model")
        .agg(pl.col("size", "seen").sort_by("seen").last())
    )
    return to_answers(
        wanted.join(known, left_on=["system", "subject"], right_on=["system", "model"])
        .join(known, left_on=["system", "other"], right_on=["system", "model"], suffix="_other")
        .with_columns(
            (pl.col("size") / pl.col("size_other")).alias("value"),
            pl.max_horizontal("seen", "seen_other").alias("observed_on"),
            coverage_population=pl.lit(1.0),
        )
    )


def _proves_absence() -> pl.Expr:
    """Whether a model that the listing lacks is not on the Hub."""
    return (pl.col("listed_share") >= NEEDED) & pl.col("is_whole")


def within() -> pl.Expr:
    """Whether the model was created in the period of the request, and not on FLOOR."""
    created = pl.col("created_at").dt.date()
    return created.is_between("period_from", "period_to") & (created > FLOOR)


def _has_license() -> pl.Expr:
    """Whether the license is one of the requested ones, if there are any."""
    return lines("licenses").is_null() | lines("licenses").list.contains(pl.col("license"))


def _by_namespace(hub_models: pl.LazyFrame) -> pl.LazyFrame:
    return hub_models.with_columns(
        pl.col("model_id_hf").str.extract(r"^([^/]+)/").str.to_lowercase().alias("namespace")
    )


def _named(wanted: pl.LazyFrame, hub_models: pl.LazyFrame) -> pl.LazyFrame:
    """One row per request, name and repository that the name covers, ignoring case.

    `x/Y` covers that repository and its versions, where no letter or digit follows. `x/Y*` covers
    every repository that begins so.
    """
    name = pl.col("name").str.to_lowercase()
    each = (
        wanted.with_columns(lines("names").alias("name"))
        .explode("name")
        .with_columns(
            name.str.extract(r"^([^/]+)/").alias("namespace"),
            name.str.strip_suffix("*").alias("begins"),
            name.str.ends_with("*").alias("is_open"),
        )
    )
    key = pl.col("model_id_hf").str.to_lowercase()
    follows = key.str.slice(pl.col("begins").str.len_chars(), 1)
    is_version = pl.col("is_open") | ~follows.str.contains(r"^[a-z0-9]$")
    return each.join(_by_namespace(hub_models), on="namespace").filter(
        key.str.starts_with(pl.col("begins")) & is_version
    )
