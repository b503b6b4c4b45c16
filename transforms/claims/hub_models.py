"""Tests of single models on the Hub: when they were created, and their rank."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.claims.requests import NEEDED, for_tests, lines, to_answers

FLOOR = date(2022, 3, 2)  # the Hub gave this day to all older repositories
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
    as missing only if the listing is (nearly) the whole Hub. An exact name is also missing if its
    repository was created at another time.
    """
    wanted = for_tests(requests, "repositories_created")
    repositories = named(wanted, hub_models)
    found = repositories.filter(within() & _has_license())
    counts = found.group_by("request").agg(
        pl.col("name").n_unique().alias("n"), pl.col("last_seen_date").max().alias("seen")
    )
    others = repositories.filter(pl.col("exact").fill_null(value=False) & ~within())
    missing = others.group_by("request").agg(pl.col("name").n_unique().alias("n_missing"))
    n, is_whole = pl.col("n").fill_null(0), proves_absence()
    n_named = lines("names").list.len() - pl.col("n_missing").fill_null(0)
    known = (n + pl.col("n_missing").fill_null(0)) / lines("names").list.len()
    return to_answers(
        wanted.join(newest_listing(hub_listing_coverage), how="cross")
        .join(counts, on="request", how="left")
        .join(missing, on="request", how="left")
        .with_columns(
            n.alias("value"),
            pl.when(is_whole).then(n).otherwise(n_named).alias("high"),
            pl.coalesce("seen", "listing_day").alias("observed_on"),
            pl.when(is_whole).then(1.0).otherwise(known).alias("coverage_population"),
            is_whole=pl.lit(None),  # absence is in the bounds
            bounds_hold=pl.lit(True),
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
    found = named(wanted, listed).filter(within())
    counts = found.group_by("request").agg(pl.col("name").n_unique().alias("n"))
    n, n_named = pl.col("n").fill_null(0), lines("names").list.len()
    return to_answers(
        wanted.join(newest.select(day.alias("observed_on")).unique(), how="cross")
        .join(counts, on="request", how="left")
        .with_columns(
            n.alias("value"),
            n_named.alias("high"),
            (n / n_named).alias("coverage_population"),
            bounds_hold=pl.lit(True),
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
    n, is_whole = pl.col("n").fill_null(0), proves_absence()
    return to_answers(
        wanted.join(newest_listing(hub_listing_coverage), how="cross")
        .join(counts, on="request", how="left")
        .with_columns(
            n.alias("value"),
            pl.when(is_whole).then(n).otherwise(_NO_BOUND).alias("high"),
            pl.col("listing_day").alias("observed_on"),
            pl.col("listed_share").alias("coverage_population"),
            (~is_whole).alias("bounds_hold"),  # what was found was created
        )
    )


def proves_absence() -> pl.Expr:
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


def named(wanted: pl.LazyFrame, hub_models: pl.LazyFrame) -> pl.LazyFrame:
    """One row per request, name and repository that the name covers, ignoring case.

    `x/Y` covers that repository and its versions, where no letter or digit follows, and only that
    repository if the request is exact. `x/Y*` covers every repository that begins so.
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
    is_other = follows.str.len_chars() > 0
    is_version = pl.col("is_open") | ~follows.str.contains(r"^[a-z0-9]$")
    is_version &= ~(pl.col("exact").fill_null(value=False) & is_other)
    return each.join(_by_namespace(hub_models), on="namespace").filter(
        key.str.starts_with(pl.col("begins")) & is_version
    )
