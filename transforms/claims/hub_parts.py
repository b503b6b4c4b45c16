"""Test of the labs behind a country's share of the Hub: hub_part."""

from __future__ import annotations

import polars as pl

from transforms.claims.requests import for_tests, lines, nearest, part, to_answers
from transforms.numeric.exact_sums import exactly
from transforms.registry.attribution import NOT_EXAMINED

KEY = ["population", "metric", "attribution"]


def hub_part(
    requests: pl.LazyFrame, lab_share_daily: pl.LazyFrame, hub_listing_coverage: pl.LazyFrame
) -> pl.LazyFrame:
    """Answers: the part of a country's downloads, likes or models that the named labs have.

    The unexamined may be the country's, and of the named labs or of others.
    """
    sums = _sums(for_tests(requests, "hub_part"), lab_share_daily)
    named, every, unknown = (pl.col(c) for c in ("named", "all", "unknown"))
    listed = hub_listing_coverage.select(
        pl.col("as_of_date").alias("observed_on"), "listed_share", "is_whole"
    )
    return to_answers(
        sums.filter(every > 0)
        .join(listed, on="observed_on", how="left")
        .with_columns(
            (named / every).alias("value"),
            (named / (every + unknown)).alias("low"),
            ((named + unknown) / (every + unknown)).alias("high"),
            pl.col("listed_share").fill_null(0.0).alias("coverage_population"),
            part(every, every + unknown).alias("coverage_names"),
        )
    )


def _sums(wanted: pl.LazyFrame, lab_share_daily: pl.LazyFrame) -> pl.LazyFrame:
    """Amounts of the named labs, of the whole country and of the unexamined, by request."""
    shares = lab_share_daily.select(
        pl.col("as_of_date").alias("observed_on"),
        pl.col("country_code").alias("country"),
        *("lab_id", "numerator", *KEY),
    )
    dated = nearest(wanted, shares.select(*KEY, "observed_on").unique(), KEY)
    is_mine = pl.col("country") == pl.col("subject")
    is_named = lines("names").list.contains(pl.col("lab_id"))
    amount = pl.col("numerator")
    return (
        dated.select("request", "observed_on", "subject", "names", *KEY)
        .join(shares, on=["observed_on", *KEY])
        .group_by("request", "observed_on")
        .agg(
            exactly(amount.filter(is_mine & is_named)).alias("named"),
            exactly(amount.filter(is_mine)).alias("all"),
            exactly(amount.filter(pl.col("country") == NOT_EXAMINED)).alias("unknown"),
        )
    )
