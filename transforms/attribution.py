"""From a name in a source to a lab, and from a lab to its country on a day."""

from __future__ import annotations

import polars as pl

NOT_EXAMINED = "XX"
LLM_VLM_TAGS = ("text-generation", "image-text-to-text", "any-to-any")


def labs_by_name(namespaces: pl.LazyFrame, system: str) -> pl.LazyFrame:
    """One row per name of a system in lower case: `namespace_key`, `lab_id`."""
    return (
        namespaces.filter(pl.col("system") == system)
        .select("namespace_key", "lab_id")
        .unique("namespace_key", keep="any")
    )


def with_lab_and_country(
    frame: pl.LazyFrame,
    namespaces: pl.LazyFrame,
    labs: pl.LazyFrame,
    *,
    system: str,
    name: str,
    day: str,
) -> pl.LazyFrame:
    """Adds `lab_id` and `country_code` for the name in column `name` on the day in column `day`.

    Names are compared without regard to case. A name that the registry does not hold gets a null
    lab and the country XX, not examined yet. Row count and other columns stay.
    """
    keys = frame.select(name, day).unique()
    known = (
        keys.with_columns(pl.col(name).str.to_lowercase().alias("namespace_key"))
        .join(labs_by_name(namespaces, system), on="namespace_key", how="inner")
        .join(labs.select("lab_id", "country_code", "valid_from", "valid_to"), on="lab_id")
        .filter(
            (pl.col("valid_from") <= pl.col(day))
            & (pl.col("valid_to").is_null() | (pl.col(day) < pl.col("valid_to")))
        )
        .select(name, day, "lab_id", "country_code")
    )
    return frame.join(known, on=[name, day], how="left").with_columns(
        pl.col("country_code").fill_null(NOT_EXAMINED)
    )
