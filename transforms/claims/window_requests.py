"""Which counters answer a request about a window: source, first day and last day."""

from __future__ import annotations

import polars as pl

from transforms.claims.requests import for_tests
from transforms.hub.counted_panels import EXCERPT, STUDY, WHOLE
from transforms.hub.windows import NEAR_DAYS

TESTS = ("window_share", "window_amount", "window_lead", "window_rank")
OF_NEW = ("created_in_window", "created_1y")  # populations that need no counter of the first day
SPARE_DAYS = 7  # half a week at either end
WINDOW = ["counter_source", "start", "start_on", "end_on"]
_BEST_FIRST = {WHOLE: 0, STUDY: 1, EXCERPT: 2}


def chosen_windows(requests: pl.LazyFrame, days: pl.LazyFrame) -> pl.LazyFrame:
    """The requests with a window that counters can answer, from the best source.

    Adds the columns of WINDOW, what the day of the last counters holds (`panel`,
    `panel_share_of_downloads`), and the `asked_start` and `asked_end` of the window. The newest
    moment moves the window to the newest day with counters.
    """
    usable = days.filter("is_usable").select(
        "counter_source", "as_of_date", "panel", "panel_share_of_downloads"
    )
    ended = _with_end(_asked(for_tests(requests, *TESTS)), usable)
    started = _with_start(ended, usable)
    is_cumulative = pl.col("asked_start").is_null()
    is_new = pl.col("population").is_in(list(OF_NEW))
    can_answer = is_cumulative | is_new | pl.col("start_on").is_not_null()
    order = pl.col("panel").replace_strict(_BEST_FIRST, return_dtype=pl.Int8)
    off = (pl.col("end_on") - pl.col("asked_end")).dt.total_days().abs()
    return (
        started.filter(can_answer)
        .with_columns(order.alias("order"), off.alias("off"))
        .sort("request", "order", "off", "counter_source")
        .unique("request", keep="first", maintain_order=True)
        .drop("order", "off")
    )


def _asked(wanted: pl.LazyFrame) -> pl.LazyFrame:
    """Adds `asked_start` (null = from the beginning) and `asked_end` as stated."""
    is_newest = pl.col("moment") == "newest"
    stated_end = pl.coalesce("period_to", "target_date")
    start = pl.col("period_from") - pl.duration(days=1)  # its counters are subtracted
    return wanted.with_columns(
        start.alias("asked_start"),
        pl.when(~is_newest).then(stated_end).alias("asked_end"),
        (stated_end - start).alias("length"),
    )


def _with_end(wanted: pl.LazyFrame, usable: pl.LazyFrame) -> pl.LazyFrame:
    """Adds each source that the request allows, with its day nearest to the end of the window.

    A later day is taken only if it is near: its counters are not those of the stated day.
    """
    is_newest = pl.col("moment") == "newest"
    allowed = (pl.col("counters") == "any") | (pl.col("counters") == pl.col("counter_source"))
    off = (pl.col("end_on") - pl.col("asked_end")).dt.total_days()
    is_near = off.is_between(-pl.col("within_days"), pl.min_horizontal("within_days", NEAR_DAYS))
    newest_first = pl.when(is_newest).then(pl.col("end_on").dt.epoch("d")).fill_null(0)
    found = (
        wanted.join(usable.rename({"as_of_date": "end_on"}), how="cross")
        .filter(allowed & (pl.col("end_on") <= pl.col("clock")) & (is_newest | is_near))
        .with_columns(off.abs().alias("off"), newest_first.alias("newest"))
        .sort(
            "request",
            "counter_source",
            "newest",
            "off",
            "end_on",
            descending=[False, False, True, False, False],
        )
        .unique(["request", "counter_source"], keep="first", maintain_order=True)
        .drop("off", "newest")
    )
    moved_start = pl.when(pl.col("asked_start").is_not_null()).then(
        pl.col("end_on") - pl.col("length")
    )
    return found.with_columns(
        pl.when(is_newest).then(moved_start).otherwise("asked_start").alias("asked_start"),
        pl.when(is_newest).then("end_on").otherwise("asked_end").alias("asked_end"),
    )


def _with_start(ended: pl.LazyFrame, usable: pl.LazyFrame) -> pl.LazyFrame:
    """Adds `start_on`, the day of the first counters, and `start`, after which downloads count.

    Models created in the window need no first counter, so theirs begins as asked.
    """
    days = usable.select("counter_source", start_on="as_of_date")
    off = (pl.col("start_on") - pl.col("asked_start")).dt.total_days().abs()
    needs_none = pl.col("population") == "created_in_window"
    nearest = (
        ended.filter(~needs_none)
        .select("request", "counter_source", "asked_start", "end_on", "within_days")
        .join(days, on="counter_source")
        .with_columns(off.alias("off"))
        .filter((pl.col("off") <= pl.col("within_days")) & (pl.col("start_on") < pl.col("end_on")))
        .sort("request", "counter_source", "off", "start_on")
        .unique(["request", "counter_source"], keep="first", maintain_order=True)
        .select("request", "counter_source", "start_on")
    )
    return ended.join(nearest, on=["request", "counter_source"], how="left").with_columns(
        pl.coalesce("start_on", "asked_start").alias("start")
    )


def observed_part() -> pl.Expr:
    """The part of the asked window that the counted one covers; 1 if it is cumulative.

    Counters are weekly, so the counted window may exceed the asked one by SPARE_DAYS.
    """
    asked = (pl.col("asked_end") - pl.col("asked_start")).dt.total_days()
    counted = (pl.col("end_on") - pl.col("start")).dt.total_days()
    common = pl.min_horizontal("asked_end", "end_on") - pl.max_horizontal("asked_start", "start")
    part = common.dt.total_days() / pl.max_horizontal(asked, counted - SPARE_DAYS, 1)
    is_cumulative = pl.col("asked_start").is_null()
    return pl.when(is_cumulative).then(1.0).otherwise(part.clip(0, 1))
