"""Whether the observations of a source are complete.

Counts in an excerpt do not bound counts in the whole. A snapshot is incomplete if its sidecar says
so (a sample, or an observation that did not reach its end), if it has fewer records than its
publisher had, or if some of its records were refused.
"""

from __future__ import annotations

import polars as pl

from transforms.claims.requests import part

# Counters of the Hub by which a listing can hold the first N models.
COUNTERS = ("downloads_30d", "downloads_all_time", "likes", "trending_score")


def incomplete_snapshots(meta_snapshots: pl.LazyFrame) -> pl.LazyFrame:
    """`snapshot_id`, `source` and `snapshot_date` of every snapshot known to be incomplete."""
    is_part = pl.col("is_sample") | ~pl.col("is_complete")
    return meta_snapshots.filter(is_part).select(
        "snapshot_id", "source", "snapshot_date", "complete_from"
    )


def vintages(
    days: pl.LazyFrame, sizes: pl.LazyFrame, meta_snapshots: pl.LazyFrame, file_name: str
) -> pl.LazyFrame:
    """One row per vintage of one of Epoch's files; `days` has a row per record (`observed_on`).

    `held`: the part of the published records that the vintage has; `n_missing`: the number that it
    lacks; `is_part`. The reference is the last known size up to the day, or an earlier vintage of
    ours since then that was larger. `held` is null if no size is known. A sample with a value of
    `complete_from` lacks no record from that day on, and its columns are those of these records.
    """
    counted = days.group_by("observed_on").agg(pl.len().cast(pl.Int64).alias("n"))
    known = sizes.filter(pl.col("file_name") == file_name).select("as_of_date", "n_records")
    dated = _with_size(counted, known)
    samples = incomplete_snapshots(meta_snapshots).filter(pl.col("source") == "epoch")
    is_sample = samples.select(
        pl.col("snapshot_date").alias("observed_on"), "complete_from", is_sample=pl.lit(True)
    )
    due = pl.max_horizontal("n_records", "had")
    is_whole_since = pl.col("complete_from").is_not_null()
    lacking = (due - pl.col("n")).clip(lower_bound=0).fill_null(0)
    missing = pl.when(is_whole_since).then(0).otherwise(lacking)
    in_part = pl.col("is_sample").fill_null(value=False) & ~is_whole_since
    return (
        dated.join(_largest_before(dated, counted), on="observed_on")
        .join(is_sample, on="observed_on", how="left")
        .select(
            "observed_on",
            "complete_from",
            pl.when(is_whole_since).then(1.0).otherwise(part(pl.col("n"), due)).alias("held"),
            missing.alias("n_missing"),
            ((missing > 0) | in_part).alias("is_part"),
        )
    )


def without_earlier(held: pl.LazyFrame, start: pl.Expr) -> pl.LazyFrame:
    """The coverage of vintages, joined with requests: a sample has nothing before its first day.

    `start` is the first day that a request reads.
    """
    is_before = (start < pl.col("complete_from")).fill_null(value=False)
    return held.with_columns(
        pl.when(is_before).then(0.0).otherwise("held").alias("held"),
        (pl.col("is_part") | is_before).alias("is_part"),
    )


def _largest_before(dated: pl.LazyFrame, counted: pl.LazyFrame) -> pl.LazyFrame:
    """`had`: the most records of an earlier vintage since the day of the known size."""
    earlier = counted.select(pl.col("observed_on").alias("earlier_on"), pl.col("n").alias("had"))
    since = (pl.col("earlier_on") > pl.col("as_of_date")).fill_null(value=False)
    is_earlier = (pl.col("earlier_on") < pl.col("observed_on")) & since
    pairs = dated.join(earlier, how="cross").group_by("observed_on")
    return pairs.agg(pl.col("had").filter(is_earlier).max())


def _with_size(counted: pl.LazyFrame, known: pl.LazyFrame) -> pl.LazyFrame:
    """Adds the last known size up to each vintage's day, else the first one after it."""
    is_later = pl.col("as_of_date") > pl.col("observed_on")
    off = (pl.col("as_of_date") - pl.col("observed_on")).dt.total_days().abs()
    nearest = (
        counted.join(known, how="cross")
        .with_columns(is_later.alias("is_later"), off.alias("off"))
        .sort("observed_on", "is_later", "off")
        .unique("observed_on", keep="first", maintain_order=True)
        .select("observed_on", "as_of_date", "n_records")
    )
    return counted.join(nearest, on="observed_on", how="left")
