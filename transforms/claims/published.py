"""Test on figures of one published table: published_lead. They are compared, not recomputed."""

from __future__ import annotations

import polars as pl

from transforms.claims.requests import for_tests, to_answers

BEST_OF_ALL_OTHERS = "*"


def published_lead(requests: pl.LazyFrame, figures: pl.LazyFrame) -> pl.LazyFrame:
    """Answers: the subject's figure minus, or divided by, another one of the same table."""
    wanted = for_tests(requests, "published_lead").drop("unit")
    table = figures.select(
        *("figure_id", "as_of"), pl.col("subject").alias("row"), pl.col("value").alias("figure")
    )
    rows = wanted.join(table, on="figure_id")
    is_mine = pl.col("row") == pl.col("subject")
    is_theirs = (pl.col("row") == pl.col("other")) | (
        (pl.col("other") == BEST_OF_ALL_OTHERS) & ~is_mine
    )
    figure = pl.col("figure")
    found = rows.group_by("request").agg(
        figure.filter(is_mine).first().alias("mine"),
        figure.filter(is_theirs).max().alias("theirs"),
        pl.col("as_of").first().alias("observed_on"),
        pl.col("scale").first(),
    )
    mine, theirs = pl.col("mine"), pl.col("theirs")
    return to_answers(
        found.drop_nulls(["mine", "theirs"]).with_columns(
            pl.when(pl.col("scale") == "ratio").then(mine / theirs).otherwise(mine - theirs)
            .alias("value"),
            coverage_population=pl.lit(1.0),
        )
    )  # fmt: skip
