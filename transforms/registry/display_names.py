"""Names of labs and countries, to stand beside their ids."""

from __future__ import annotations

import polars as pl


def country_names(countries: pl.LazyFrame) -> pl.LazyFrame:
    """`id` and `name` of every country code."""
    return countries.select(id="country_code", name="country_name")


def lab_names(labs: pl.LazyFrame) -> pl.LazyFrame:
    """`id` and newest `name` of every lab."""
    newest = labs.sort("valid_from").group_by("lab_id").agg(pl.col("lab_name").last())
    return newest.select(id="lab_id", name="lab_name")


def with_names(frame: pl.LazyFrame, names: pl.LazyFrame, **ids: str) -> pl.LazyFrame:
    """Adds name columns: `holder_name="holder"` is the name of the id in `holder`, or null."""
    for name, column in ids.items():
        known = names.select(pl.col("id").alias(column), pl.col("name").alias(name))
        frame = frame.join(known, on=column, how="left")
    return frame
