"""Whether what was observed is the whole of what its source has.

Counts of an excerpt say nothing of the whole: what is missing may be anybody's. A source is a part
where its sidecar says so (a sample, an observation that did not reach its end), where it has fewer
records than its publisher had, and where records of it were refused.
"""

from __future__ import annotations

import polars as pl

from transforms.claims.requests import part


def partial(meta_snapshots: pl.LazyFrame) -> pl.LazyFrame:
    """`snapshot_id`, `source` and `snapshot_date` of every snapshot that is known to be a part."""
    is_part = pl.col("is_sample") | ~pl.col("is_complete")
    return meta_snapshots.filter(is_part).select("snapshot_id", "source", "snapshot_date")


def vintages(
    days: pl.LazyFrame, sizes: pl.LazyFrame, meta_snapshots: pl.LazyFrame, file_name: str
) -> pl.LazyFrame:
    """One row per vintage of a file of Epoch, of `days` with a row per record (`observed_on`).

    `held`: the part of the records that it has; `n_missing`: how many it lacks; `is_part`. The
    yardstick is the last known size up to the day, or a vintage of our own that was larger since
    then; where nobody has counted, `held` is null.
    """
    counted = days.group_by("observed_on").agg(pl.len().cast(pl.Int64).alias("n"))
    known = sizes.filter(pl.col("file_name") == file_name).select("as_of_date", "n_records")
    dated = _with_size(counted, known)
    earlier = counted.select(pl.col("observed_on").alias("earlier_on"), pl.col("n").alias("had"))
    since = (pl.col("earlier_on") > pl.col("as_of_date")).fill_null(value=False)
    is_earlier = (pl.col("earlier_on") < pl.col("observed_on")) & since
    had = (
        dated.join(earlier, how="cross")
        .group_by("observed_on")
        .agg(pl.col("had").filter(is_earlier).max())
    )
    samples = partial(meta_snapshots).filter(pl.col("source") == "epoch")
    is_sample = samples.select(pl.col("snapshot_date").alias("observed_on"), is_sample=pl.lit(True))
    due = pl.max_horizontal("n_records", "had")
    missing = (due - pl.col("n")).clip(lower_bound=0).fill_null(0)
    return (
        dated.join(had, on="observed_on")
        .join(is_sample, on="observed_on", how="left")
        .select(
            "observed_on",
            part(pl.col("n"), due).alias("held"),
            missing.alias("n_missing"),
            ((missing > 0) | pl.col("is_sample").fill_null(value=False)).alias("is_part"),
        )
    )


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
