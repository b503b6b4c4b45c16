"""Downloads of each model in a window, from its all-time counters, and their bounds.

A window lasts from the counters of its first day to those of its last day: downloads after `start`,
up to `end_on`. A model created after `start` had no downloads before, so its last counter is all of
its downloads in the window. Of any other model the counter of the first day is subtracted.

`young` are the downloads while a model is at most a year old: up to its 365th day. For a model that
turns a year old within the window they end with the counter of that day; the last day with
counters before it and the first one after it give the bounds.
"""

from __future__ import annotations

from typing import Literal

import polars as pl

from transforms.hub.definitions import YEAR_DAYS

NEAR_DAYS = 7  # largest distance of a counter from the day for which it is used
SPAN = ["window_no", "model_id_hf"]
_DAY = ["counter_source", "as_of_date"]
TURNING = pl.duration(days=YEAR_DAYS - 1)  # from its creation to the last day of a model's year
_SIDES = ("before", "after")  # of the day on which a model turns a year old
# Of the models, from the counters' source where the Hub's listing lacks them.
_OWN = ("author", "created_at", "study_country_codes", "study_base_country_codes")


def all_counters(
    hub_all_time_counters: pl.LazyFrame, hub_daily_counters: pl.LazyFrame
) -> pl.LazyFrame:
    """The all-time counters of every source, our own sweeps included."""
    other = hub_all_time_counters.select(*_DAY, "model_id_hf", "downloads_all_time", *_OWN)
    sweeps = hub_daily_counters.select(
        pl.lit("hub").alias("counter_source"), "as_of_date", "model_id_hf", "downloads_all_time"
    )
    both = pl.concat([other, sweeps], how="diagonal")
    return both.filter(pl.col("downloads_all_time").is_not_null())


def spans(
    windows: pl.LazyFrame, counters: pl.LazyFrame, hub_models: pl.LazyFrame, days: pl.LazyFrame
) -> pl.LazyFrame:
    """One row per window and model with a counter at either end of it.

    `windows`: `window_no`, `counter_source`, `start` (null = from the beginning), `start_on` (the
    day of the first counters; null = none is used), `end_on` and `born_after` (models that are not
    newer are left out of a window without first counters; null = none). `days`: the usable days by
    source.
    `downloads` and `young` are null where a first counter is missing (`lacks_first`) or the last
    one is (`lacks_last`); `_low` and `_high` bound them all the same, but for a missing last one.
    """
    created, start = pl.col("created_at").dt.date(), pl.col("start")
    is_new = pl.when(start.is_null()).then(True).otherwise(created > start)
    # Collected, since Polars would compute them again for each of the branches that read them.
    known = _described(windows, counters, hub_models).collect().lazy()
    dated = _with_both_ends(windows, known).with_columns(
        is_new.alias("is_new"), turns_on=created + TURNING
    )
    return _young(_differences(dated).collect().lazy(), counters, days)


def _described(
    windows: pl.LazyFrame, counters: pl.LazyFrame, hub_models: pl.LazyFrame
) -> pl.LazyFrame:
    """The counters at the ends of windows, with what is known about their models."""
    ends = [
        windows.select("counter_source", pl.col(c).alias("as_of_date"))
        for c in ("start_on", "end_on")
    ]
    about = hub_models.select(
        "model_id_hf", "is_llm_vlm", "lineage_recorded",
        author_listed="author", created_listed="created_at",
    )  # fmt: skip
    author = pl.coalesce("author_listed", "author", pl.col("model_id_hf").str.extract(r"^([^/]+)/"))
    # Before the windows repeat each model.
    return (
        counters.join(pl.concat(ends).unique(), on=_DAY, how="semi")
        .join(about, on="model_id_hf", how="left")
        .with_columns(
            author.alias("author"), created_at=pl.coalesce("created_listed", "created_at")
        )
        .drop("author_listed", "created_listed")
    )


def _with_both_ends(windows: pl.LazyFrame, counters: pl.LazyFrame) -> pl.LazyFrame:
    """First and last counter of every model of each window."""

    def at(day: str, name: str, some: pl.LazyFrame) -> pl.LazyFrame:
        found = some.join(counters, left_on=["counter_source", day], right_on=_DAY)
        return found.rename({"downloads_all_time": name})

    is_started = pl.col("start_on").is_not_null()
    started = windows.filter(is_started)
    first, last = at("start_on", "first", started), at("end_on", "last", started)
    ends = last.join(first.select(*SPAN, "first"), on=SPAN, how="left")
    lost = first.join(last.select(SPAN), on=SPAN, how="anti")
    born, created = pl.col("born_after"), pl.col("created_at").dt.date()
    is_asked = (born.is_null() | (created > born)).fill_null(True)
    unstarted = at("end_on", "last", windows.filter(~is_started)).filter(is_asked)
    return pl.concat([ends, lost, unstarted], how="diagonal")


def _differences(ends: pl.LazyFrame) -> pl.LazyFrame:
    """Adds the downloads in the window, from both counters, and their bounds."""
    first, last = pl.col("first"), pl.col("last")
    is_new = pl.col("is_new").fill_null(False)
    since = pl.when(is_new).then(0).otherwise(first)
    downloads = (last - since).clip(lower_bound=0)
    return ends.with_columns(
        since.alias("since"),
        (since.is_null() & last.is_not_null()).alias("lacks_first"),
        last.is_null().alias("lacks_last"),
        downloads.alias("downloads"),
        downloads.fill_null(0).alias("downloads_low"),
        downloads.fill_null(last.fill_null(0)).alias("downloads_high"),
    )


def _young(spans: pl.LazyFrame, counters: pl.LazyFrame, days: pl.LazyFrame) -> pl.LazyFrame:
    """Adds the downloads in the window of a model at most a year old, and their bounds."""
    turns, zero = pl.col("turns_on"), pl.lit(0, pl.Int64)
    is_over = (turns <= pl.col("start")).fill_null(False)  # a year old before the window begins
    is_within = ~is_over & (turns < pl.col("end_on")).fill_null(False)
    plain = spans.filter(~is_within).with_columns(
        pl.when(is_over).then(zero).when(turns.is_not_null()).then("downloads").alias("young"),
        pl.when(is_over | turns.is_null()).then(zero).otherwise("downloads_low").alias("young_low"),
        pl.when(is_over).then(zero).otherwise("downloads_high").alias("young_high"),
    )
    return pl.concat([plain, _turning(spans.filter(is_within), counters, days)], how="diagonal")


def _turning(spans: pl.LazyFrame, counters: pl.LazyFrame, days: pl.LazyFrame) -> pl.LazyFrame:
    """The models that turn a year old within the window."""
    read = counters.select(*_DAY, "model_id_hf", "downloads_all_time")
    found = _with_counter(_with_counter(spans, days, read, "before"), days, read, "after")
    since, before, after = pl.col("since"), pl.col("before"), pl.col("after")
    # Without a counter at the beginning anything from none to all may be older than the window.
    low = (before - since).clip(lower_bound=0).fill_null(0)
    high = (pl.coalesce(after, "last") - since.fill_null(0)).clip(lower_bound=0)
    # Far from any counter, what was counted before the day is known at least.
    young = (_nearest() - since).clip(lower_bound=0).fill_null(pl.when(low > 0).then(low))
    return found.with_columns(
        young.alias("young"),
        pl.min_horizontal(low, young).alias("young_low"),
        pl.max_horizontal(high, young).fill_null(0).alias("young_high"),
    ).drop("before_on", "after_on", "before", "after")


def _with_counter(
    spans: pl.LazyFrame, days: pl.LazyFrame, read: pl.LazyFrame, name: Literal["before", "after"]
) -> pl.LazyFrame:
    """Adds the counter of the last usable day up to `turns_on`, or of the first one after it."""
    near = days.select("counter_source", pl.col("as_of_date").alias(f"{name}_on"))
    dated = spans.sort("turns_on").join_asof(
        near.sort(f"{name}_on"),
        left_on="turns_on",
        right_on=f"{name}_on",
        by="counter_source",
        strategy="backward" if name == "before" else "forward",
        check_sortedness=False,
    )
    named = read.rename({"as_of_date": f"{name}_on", "downloads_all_time": name})
    return dated.join(named, on=["counter_source", f"{name}_on", "model_id_hf"], how="left")


def _nearest() -> pl.Expr:
    """The counter nearest to `turns_on`, the earlier of two; null if none is near."""
    off = [(pl.col(f"{n}_on") - pl.col("turns_on")).dt.total_days().abs() for n in _SIDES]
    is_there = [
        pl.col(n).is_not_null() & (days <= NEAR_DAYS) for n, days in zip(_SIDES, off, strict=True)
    ]
    is_before = is_there[0] & (~is_there[1].fill_null(False) | (off[0] <= off[1]))
    return pl.when(is_before).then("before").when(is_there[1]).then("after")
