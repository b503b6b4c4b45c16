"""Test on the AI Index: ai_index_value. A look-up in the publisher's file, not a computation."""

from __future__ import annotations

import polars as pl

from transforms.claims.requests import for_tests, to_answers

SOURCE = "ai_index"
PERCENT = 0.01


def ai_index_value(
    requests: pl.LazyFrame, ai_index_series: pl.LazyFrame, raw_ai_index_rows: pl.LazyFrame
) -> pl.LazyFrame:
    """Answers: the printed figure, with percentages as parts of one."""
    filed = raw_ai_index_rows.group_by("edition").agg(
        pl.col("snapshot_date").max().alias("observed_on")
    )
    wanted = for_tests(requests, "ai_index_value").drop("unit")
    printed = _printed(ai_index_series)
    mine = _looked_up(wanted, printed, "subject")
    theirs = _looked_up(wanted.filter(pl.col("other").is_not_null()), printed, "other")
    difference = pl.col("printed") - pl.col("printed_other")
    return to_answers(
        mine.join(theirs.select("request", printed_other="printed"), on="request", how="left")
        .filter(pl.col("other").is_null() | pl.col("printed_other").is_not_null())
        .join(filed, on="edition")
        .with_columns(
            pl.coalesce(difference, "printed").alias("value"),
            strict_source=pl.lit(SOURCE),
            coverage_population=pl.lit(1.0),
        )
    )


def _printed(series: pl.LazyFrame) -> pl.LazyFrame:
    is_percent = pl.col("unit") == "percent"
    return (
        series.filter(~pl.col("is_point"))
        .drop_nulls("value")
        .select(
            "edition",
            "series",
            "period",
            pl.col("subject_key").alias("who"),
            pl.col("revision").alias("printed_revision"),
            "is_preferred",
            pl.when(is_percent).then(pl.col("value") * PERCENT).otherwise("value").alias("printed"),
        )
    )


def _looked_up(wanted: pl.LazyFrame, printed: pl.LazyFrame, who: str) -> pl.LazyFrame:
    """The value of the requested revision, or the preferred one."""
    is_requested = pl.col("printed_revision") == pl.col("revision")
    key = ["edition", "series", "period"]
    return (
        wanted.join(printed, left_on=[*key, who], right_on=[*key, "who"])
        .filter(pl.when(pl.col("revision").is_null()).then("is_preferred").otherwise(is_requested))
        .sort("request", "printed")
        .unique("request", keep="first", maintain_order=True)
    )
