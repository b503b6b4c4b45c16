"""Tests of the first models by counters: top_overlap, download_concentration."""

from __future__ import annotations

import polars as pl

from transforms.claims.completeness import COUNTERS
from transforms.claims.hub_models import named, proves_absence
from transforms.claims.hub_tops import counted_days, floors, places
from transforms.claims.requests import for_tests, nearest, to_answers
from transforms.numeric.exact_sums import exactly, how_many, total

_NO_BOUND = float("inf")
DAY = "observed_on"


def top_overlap(
    requests: pl.LazyFrame, hub_daily_counters: pl.LazyFrame, hub_listing_coverage: pl.LazyFrame
) -> pl.LazyFrame:
    """Answers: how many (named) models are among the first N by both counters on one day.

    A model that a listing of the first models lacks cannot be before its last count.
    """
    wanted = for_tests(requests, "top_overlap")
    observed = hub_daily_counters.rename({"as_of_date": DAY})
    dated = nearest(wanted, _days_with_both(wanted, observed), ["request"]).cache()
    # Few days of many: the whole Hub is ranked on those only.
    needed = observed.join(dated, on=DAY, how="semi")
    last = dated.group_by(DAY).agg(pl.col("top_n").max().alias("last_place"))
    # Collected, since Polars would rank the Hub again for each of the branches that read it.
    placed = (
        _ranked(needed, hub_listing_coverage.rename({"as_of_date": DAY}), last).collect().lazy()
    )
    mine = dated.join(placed, on=["metric", DAY])
    theirs = placed.rename({"metric": "other_metric"})
    pairs = mine.join(theirs, on=["other_metric", DAY, "model_id_hf"], suffix="_other")
    counted = _only_named(wanted, pairs).group_by("request").agg(*_overlaps())
    return to_answers(
        dated.join(counted, on="request", how="left")
        .join(_may_lack(dated, placed), on="request", how="left")
        .with_columns(pl.col("value", "low", "high").fill_null(0.0))
        .join(
            hub_listing_coverage.select(
                pl.col("as_of_date").alias(DAY), "listed_share", "is_whole"
            ),
            on=DAY,
            how="left",
        )
        .pipe(_sets_bounded)
    )


def _days_with_both(wanted: pl.LazyFrame, observed: pl.LazyFrame) -> pl.LazyFrame:
    """`request` and the days on which both of its counters were recorded."""
    days = pl.concat(
        counted_days(observed, counter).with_columns(metric=pl.lit(counter)) for counter in COUNTERS
    )
    return (
        wanted.join(days, on="metric")
        .join(days.rename({"metric": "other_metric"}), on=["other_metric", DAY])
        .select("request", DAY)
    )


def _ranked(observed: pl.LazyFrame, coverage: pl.LazyFrame, last: pl.LazyFrame) -> pl.LazyFrame:
    """One row per day, counter and model: count, place, and the floor of the day's listing.

    Only down to the `last_place` of each day.
    """
    each = []
    for counter in COUNTERS:
        every = places(observed, counter)
        floor = floors(every, coverage, counter)
        counts = every.join(last, on=DAY).filter(pl.col("place") <= pl.col("last_place"))
        count = pl.col(counter).alias("count")
        each.append(
            observed.select(DAY, "model_id_hf", count)
            .drop_nulls()
            .join(counts.select(DAY, "count", "place"), on=[DAY, "count"])
            .join(floor.select(DAY, "floor"), on=DAY, how="left")
            .with_columns(pl.col("count", "floor").cast(pl.Float64), metric=pl.lit(counter))
        )
    return pl.concat(each)


def _only_named(wanted: pl.LazyFrame, pairs: pl.LazyFrame) -> pl.LazyFrame:
    """Without the models that a request with names does not name."""
    asked = wanted.filter(pl.col("names").is_not_null())
    hits = named(asked, pairs.select("model_id_hf").unique()).select("request", "model_id_hf")
    both = pairs.join(hits.unique(), on=["request", "model_id_hf"], how="semi")
    return pl.concat([pairs.filter(pl.col("names").is_null()), both])


def _overlaps() -> list[pl.Expr]:
    """Models in both sets, surely in both, and possibly in both."""
    n = pl.col("top_n")
    listed = (pl.col("place") <= n) & (pl.col("place_other") <= n)
    surely = (pl.col("count") >= pl.col("floor")) & (pl.col("count_other") >= pl.col("floor_other"))
    return [
        how_many(listed).cast(pl.Float64).alias("value"),
        how_many(listed & surely).cast(pl.Float64).alias("low"),
        how_many(listed).cast(pl.Float64).alias("high"),
    ]


def _may_lack(dated: pl.LazyFrame, placed: pl.LazyFrame) -> pl.LazyFrame:
    """Whether an unlisted model may be among the first N, by both counters.

    It has at most the floor, so only if the N-th listed count is not above it.
    """
    n_listed, n = pl.len().cast(pl.Int64), pl.col("top_n").first()
    is_low = pl.col("count").min() <= pl.col("floor").first()
    sides = [
        dated.join(placed.rename({"metric": side}), on=[side, DAY])
        .filter(pl.col("place") <= pl.col("top_n"))
        .group_by("request")
        .agg(
            (is_low | (n_listed < n)).alias("may_lack"),
            pl.col("floor").first().is_not_null().alias("has_depths"),
        )
        for side in ("metric", "other_metric")
    ]
    return pl.concat(sides).group_by("request").agg(pl.col("may_lack", "has_depths").all())


def _sets_bounded(counted: pl.LazyFrame) -> pl.LazyFrame:
    is_whole = proves_absence().fill_null(value=False)
    has_depths = pl.col("has_depths").fill_null(value=False) & ~is_whole
    is_exact = is_whole | (has_depths & ~pl.col("may_lack") & (pl.col("low") == pl.col("high")))
    return counted.with_columns(
        pl.when(is_whole).then("value").when(has_depths).then("low").otherwise(0.0).alias("low"),
        pl.when(is_whole)
        .then("value")
        .when(has_depths & ~pl.col("may_lack"))
        .then("high")
        .otherwise(_NO_BOUND)  # models that share the N-th place are all in
        .alias("high"),
        pl.when(is_exact & has_depths).then(1.0).otherwise("listed_share")
        .alias("coverage_population"),
        has_depths.alias("bounds_hold"),
        is_whole=pl.lit(None),
    )  # fmt: skip


def download_concentration(
    requests: pl.LazyFrame, hub_daily_counters: pl.LazyFrame, hub_listing_coverage: pl.LazyFrame
) -> pl.LazyFrame:
    """Answers: the share of a counter that the first repositories hold, on one day.

    The number of repositories is that of the whole Hub. On a listing of the first N models, each
    of the others has between 0 and the N-th count.
    """
    wanted = for_tests(requests, "download_concentration")
    observed = hub_daily_counters.rename({"as_of_date": DAY})
    coverage = hub_listing_coverage.rename({"as_of_date": DAY})
    each = []
    for counter in ("downloads_30d", "downloads_all_time", "likes"):
        asked = wanted.filter(pl.col("metric") == counter)
        dated = nearest(asked, counted_days(observed, counter), [])
        counts = places(observed.join(dated, on=DAY, how="semi"), counter)
        depth = coverage.with_columns(pl.col(f"top_{counter}").alias("depth"))
        sums = _sums(dated.join(depth, on=DAY), counts)
        floor = floors(counts, coverage, counter).select(DAY, pl.col("floor").cast(pl.Float64))
        each.append(sums.join(floor, on=DAY, how="left"))
    return to_answers(pl.concat(each, how="diagonal").pipe(_concentrated))


def _sums(dated: pl.LazyFrame, counts: pl.LazyFrame) -> pl.LazyFrame:
    """The first `k` counts and all counts of each request's day (`top`, `all`), and how many."""
    hub = pl.max_horizontal("hub_models_total", "n_listed")
    first = pl.when(pl.col("top_n").is_not_null()).then(pl.col("top_n").cast(pl.Int64))
    k = pl.coalesce(first, (pl.col("top_share") * hub).round().cast(pl.Int64)).clip(1)
    listed = counts.group_by(DAY).agg(total(pl.col("n").cast(pl.Int64)).alias("n_listed"))
    inside = (pl.col("k") - pl.col("place") + 1).clip(0).clip(upper_bound=pl.col("n"))
    count = pl.col("count").cast(pl.Float64)
    sized = dated.join(listed, on=DAY).with_columns(hub.alias("n_hub"), k.alias("k"))
    sums = (
        sized.select("request", DAY, "k")
        .join(counts.with_columns(pl.col("n").cast(pl.Int64)), on=DAY)
        .group_by("request")
        .agg(exactly(count * inside).alias("top"), exactly(count * pl.col("n")).alias("all"))
    )
    return sized.join(sums, on="request")


def _concentrated(sums: pl.LazyFrame) -> pl.LazyFrame:
    """The share, and its bounds by what the listing lacks."""
    is_whole = proves_absence().fill_null(value=False)
    top, listed = pl.col("top"), pl.col("all")
    lacking = (pl.col("n_hub") - pl.col("n_listed")).clip(0)
    has_depth = pl.col("floor").is_not_null() & ~is_whole
    is_within = pl.col("k") <= pl.col("depth")
    return sums.filter(listed > 0).with_columns(
        (top / listed).alias("value"),
        pl.when(is_whole).then(top / listed)
        .when(has_depth).then(top / (listed + lacking * pl.col("floor")))
        .otherwise(0.0).alias("low"),
        pl.when(is_whole | (has_depth & is_within)).then(top / listed).otherwise(1.0).alias("high"),
        pl.col("listed_share").alias("coverage_population"),
        has_depth.alias("bounds_hold"),
        is_whole=pl.lit(None),
    )  # fmt: skip
