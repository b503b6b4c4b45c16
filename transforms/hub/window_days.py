"""Which windows there are counters for, and the days whose counters they use."""

from __future__ import annotations

import polars as pl

from transforms.hub.counted_panels import WHOLE
from transforms.hub.windows import NEAR_DAYS

LENGTHS = (30, 90, 365)  # of windows that end on a day with counters
YEAR = 365
BASES = ("counter_differences", "counters_of_new_models")
_WINDOW = ["counter_source", "window_start", "window_end"]


def every_window(days: pl.LazyFrame, asked: pl.LazyFrame) -> pl.DataFrame:
    """Trailing windows, calendar quarters and the `asked` ones, each numbered per basis.

    `days` is core.hub_all_time_days, `asked` has `window_start` and `window_end`. A window ends
    where counters are near its last day. Without counters near its first day it counts only the
    models created in it (basis `counters_of_new_models`); a window of a year has both bases.
    """
    usable = days.filter("is_usable").select("counter_source", "as_of_date", "panel")
    usable = usable.collect().lazy()
    wanted = pl.concat([_trailing(usable), _quarters(usable), _of_sources(asked, usable)])
    found = wanted.unique(_WINDOW, keep="first", maintain_order=True)
    ended = with_nearest(found, usable, "window_end", "end_on", pl.lit(NEAR_DAYS))
    length = (pl.col("window_end") - pl.col("window_start")).dt.total_days()
    near = pl.min_horizontal(pl.lit(NEAR_DAYS), length // 10)
    started = with_nearest(
        ended.filter(pl.col("end_on").is_not_null()), usable, "window_start", "start_on", near
    )
    # Of a whole listing, one copy of a day serves windows of a year; shorter ones wait for two.
    sources = usable.select("counter_source", "panel", end_on="as_of_date")
    placed = started.join(sources, on=["counter_source", "end_on"], how="left")
    kept = placed.filter(
        pl.col("start_on").is_not_null() | (pl.col("panel") != WHOLE) | (length >= YEAR)
    ).drop("panel")
    return (
        in_bases(kept, length >= YEAR).sort(*_WINDOW, "basis").with_row_index("window_no").collect()
    )


def in_bases(windows: pl.LazyFrame, has_both: pl.Expr) -> pl.LazyFrame:
    """The windows by basis, with `start`: the day after which their downloads count.

    `born_after` is that of transforms.hub.windows.spans.
    """
    is_started = (pl.col("start_on") < pl.col("end_on")).fill_null(False)
    start = pl.coalesce(pl.when(is_started).then("start_on"), "window_start")
    given = windows.with_columns(
        start.alias("start"), pl.when(is_started).then("start_on").alias("start_on")
    )
    none = pl.lit(None, pl.Date)
    differences = given.filter(is_started).with_columns(basis=pl.lit(BASES[0]))
    of_new = given.filter(~is_started | has_both).with_columns(
        start_on=none, basis=pl.lit(BASES[1])
    )
    # Older models stay, so that both bases have a row for each country.
    return pl.concat([differences, of_new]).with_columns(born_after=none)


def with_nearest(
    windows: pl.LazyFrame, usable: pl.LazyFrame, wanted: str, name: str, near: pl.Expr
) -> pl.LazyFrame:
    """Adds as `name` the usable day of the source nearest to the day in column `wanted`.

    The earlier of two equally near; null if none is within `near` days.
    """
    off = (pl.col(name) - pl.col(wanted)).dt.total_days().abs()
    pairs = windows.select(*_WINDOW).unique()
    nearest = (
        pairs.join(
            usable.select("counter_source", pl.col("as_of_date").alias(name)), on="counter_source"
        )
        .with_columns(off.alias("off"))
        .filter(pl.col("off") <= near)
        .sort(*_WINDOW, "off", name)
        .unique(_WINDOW, keep="first", maintain_order=True)
        .select(*_WINDOW, name)
    )
    return windows.join(nearest, on=_WINDOW, how="left")


def _trailing(usable: pl.LazyFrame) -> pl.LazyFrame:
    """Windows that end on a day with counters: of whole listings the last of each month."""
    last_of_month = pl.col("as_of_date") == pl.col("as_of_date").max().over(
        "counter_source", pl.col("as_of_date").dt.truncate("1mo")
    )
    ends = usable.filter((pl.col("panel") != WHOLE) | last_of_month)
    day = pl.col("as_of_date")
    return pl.concat(
        [
            ends.select(
                "counter_source",
                (day - pl.duration(days=n)).alias("window_start"),
                day.alias("window_end"),
                pl.lit(f"days_{n}").alias("period"),
            )
            for n in LENGTHS
        ]
    )


def _quarters(usable: pl.LazyFrame) -> pl.LazyFrame:
    """The calendar quarters of the days with counters."""
    first = pl.col("as_of_date").dt.truncate("1q")
    quarters = pl.concat(
        [
            usable.select("counter_source", first.alias("first")),
            usable.select("counter_source", first.dt.offset_by("-1q").alias("first")),
        ]
    ).unique()
    day = pl.duration(days=1)
    return quarters.sort("counter_source", "first").select(
        "counter_source",
        (pl.col("first") - day).alias("window_start"),
        (pl.col("first").dt.offset_by("1q") - day).alias("window_end"),
        pl.lit("quarter").alias("period"),
    )


def _of_sources(asked: pl.LazyFrame, usable: pl.LazyFrame) -> pl.LazyFrame:
    sources = usable.select("counter_source").unique()
    return sources.join(asked, how="cross").select(*_WINDOW, pl.lit("claim").alias("period"))
