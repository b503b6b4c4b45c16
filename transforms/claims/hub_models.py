"""Tests of single models on the Hub: when created, how large, how high, on which base."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.claims.requests import NEEDED, answers, lines, nearest, of
from transforms.numeric.exact_sums import running

FLOOR = date(2022, 3, 2)  # older repositories were stamped with this day: it is no creation
COUNTERS = ("downloads_30d", "downloads_all_time", "likes", "trending_score")
_NO_BOUND = float("inf")


def newest_listing(listed: pl.LazyFrame) -> pl.LazyFrame:
    """One row: the newest day of a listing, how much of the Hub it holds, whether it is whole."""
    return (
        listed.sort("observed_on")
        .last()
        .select(pl.col("observed_on").alias("listing_day"), "listed", "is_whole")
    )


def repositories_created(
    requests: pl.LazyFrame, hub_models: pl.LazyFrame, listed: pl.LazyFrame
) -> pl.LazyFrame:
    """Answers: how many of the named repositories were created in the period.

    One that was found is proof, whatever else the listing lacks. That one was not found says
    something only if the listing is (nearly) the whole Hub.
    """
    wanted = of(requests, "repositories_created")
    found = _named(wanted, hub_models).filter(within() & _has_license())
    counts = found.group_by("request").agg(
        pl.col("name").n_unique().alias("n"), pl.col("last_seen_date").max().alias("seen")
    )
    asked_for = lines("names").list.len()
    n, is_whole = pl.col("n").fill_null(0), _tells_absence()
    return answers(
        wanted.join(newest_listing(listed), how="cross")
        .join(counts, on="request", how="left")
        .with_columns(
            n.alias("value"),
            n.alias("low"),
            pl.when(is_whole).then(n).otherwise(asked_for).alias("high"),
            pl.coalesce("seen", "listing_day").alias("observed_on"),
            pl.when(is_whole).then(1.0).otherwise(n / asked_for).alias("coverage_population"),
            is_whole=pl.lit(None),  # what was found is proof, and absence is in the bounds
        )
    )


def datasets_created(requests: pl.LazyFrame, raw_hub_datasets: pl.LazyFrame) -> pl.LazyFrame:
    """Answers: how many of the named data sets were created in the period, by the newest listing.

    One that was found is proof; how many data sets the Hub has nobody has told us, so that absence
    proves nothing.
    """
    wanted = of(requests, "datasets_created")
    day = pl.col("snapshot_date")
    newest = raw_hub_datasets.filter(day == day.max())
    listed = newest.select(pl.col("dataset_id_hf").alias("model_id_hf"), "created_at")
    found = _named(wanted, listed).filter(within())
    counts = found.group_by("request").agg(pl.col("name").n_unique().alias("n"))
    n, asked_for = pl.col("n").fill_null(0), lines("names").list.len()
    return answers(
        wanted.join(newest.select(day.alias("observed_on")).unique(), how="cross")
        .join(counts, on="request", how="left")
        .with_columns(
            n.alias("value"),
            n.alias("low"),
            asked_for.alias("high"),
            (n / asked_for).alias("coverage_population"),
        )
    )


def models_created(
    requests: pl.LazyFrame, hub_models: pl.LazyFrame, listed: pl.LazyFrame
) -> pl.LazyFrame:
    """Answers: how many models a namespace created in the period; without bound on a panel."""
    wanted = of(requests, "models_created")
    counts = (
        wanted.with_columns(pl.col("subject").str.to_lowercase().alias("namespace"))
        .join(_by_namespace(hub_models), on="namespace")
        .filter(within() & ((pl.col("population") == "all") | pl.col("is_llm_vlm")))
        .group_by("request")
        .agg(pl.len().alias("n"))
    )
    n, is_whole = pl.col("n").fill_null(0), _tells_absence()
    return answers(
        wanted.join(newest_listing(listed), how="cross")
        .join(counts, on="request", how="left")
        .with_columns(
            n.alias("value"),
            n.alias("low"),
            pl.when(is_whole).then(n).otherwise(_NO_BOUND).alias("high"),
            pl.col("listing_day").alias("observed_on"),
            pl.col("listed").alias("coverage_population"),
        )
    )


def model_rank(
    requests: pl.LazyFrame, hub_daily_counters: pl.LazyFrame, listed: pl.LazyFrame
) -> pl.LazyFrame:
    """Answers: the best place of the named repositories by a counter, on one day's listing.

    On a panel no more than a lower bound: who is not in it may stand above.
    """
    wanted = of(requests, "model_rank")
    observed = hub_daily_counters.rename({"as_of_date": "observed_on"})
    named = _named(wanted, observed.select("observed_on", "model_id_hf", *COUNTERS)).cache()
    placed = [
        _placed(wanted.filter(pl.col("metric") == counter), observed, named, counter)
        for counter in COUNTERS
    ]
    is_whole = _tells_absence().fill_null(value=False)
    return answers(
        pl.concat(placed)
        .join(listed, on="observed_on", how="left")
        .with_columns(
            pl.when(is_whole).then("value").otherwise(_NO_BOUND).alias("high"),
            pl.col("listed").fill_null(0.0).alias("coverage_population"),
        )
    )


def _placed(
    wanted: pl.LazyFrame, observed: pl.LazyFrame, named: pl.LazyFrame, counter: str
) -> pl.LazyFrame:
    """`request`, `observed_on` and `value`: the best rank of the request's repositories.

    The place of a count is one more than there are greater ones that day.
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
    """Answers: parameters of one model by those of another, by the files or as Epoch has it."""
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
    wanted = of(requests, "parameter_ratio")
    named = pl.concat([wanted.select("subject"), wanted.select(subject="other")]).unique()
    known = (
        sizes.join(named, left_on="model", right_on="subject", how="semi")
        .group_by("system", "model")
        .agg(pl.col("size", "seen").sort_by("seen").last())
    )
    return answers(
        wanted.join(known, left_on=["system", "subject"], right_on=["system", "model"])
        .join(known, left_on=["system", "other"], right_on=["system", "model"], suffix="_other")
        .with_columns(
            (pl.col("size") / pl.col("size_other")).alias("value"),
            pl.max_horizontal("seen", "seen_other").alias("observed_on"),
            coverage_population=pl.lit(1.0),
        )
    )


def _tells_absence() -> pl.Expr:
    """Whether what the listing does not hold is not on the Hub."""
    return (pl.col("listed") >= NEEDED) & pl.col("is_whole")


def within() -> pl.Expr:
    """Whether it was created in the period of the request, and not on the floor."""
    created = pl.col("created_at").dt.date()
    return created.is_between("period_from", "period_to") & (created > FLOOR)


def _has_license() -> pl.Expr:
    """Whether the license is one of those asked for, if any are."""
    return lines("licenses").is_null() | lines("licenses").list.contains(pl.col("license"))


def _by_namespace(hub_models: pl.LazyFrame) -> pl.LazyFrame:
    return hub_models.with_columns(
        pl.col("model_id_hf").str.extract(r"^([^/]+)/").str.to_lowercase().alias("namespace")
    )


def _named(wanted: pl.LazyFrame, hub_models: pl.LazyFrame) -> pl.LazyFrame:
    """One row per request, name and repository that it stands for.

    `x/Y` is that repository and its versions: what follows is no letter or digit. `x/Y*` is
    whatever begins so. Case does not count.
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
