"""From a name in a source to a lab, and from a lab to its country on a day."""

from __future__ import annotations

import polars as pl

from transforms.registry.bitemporal import holds_on
from transforms.registry.names import folded

NOT_EXAMINED = "XX"
UNKNOWN = ("ZZ", NOT_EXAMINED)  # examined without a single country, and not examined
MAX_OWNERS = 6  # steps up the line of parents; the registry checks reject loops


def names_of(namespaces: pl.LazyFrame, system: str) -> pl.LazyFrame:
    """The examined names of a system in lower case, each period once for all its spellings."""
    columns = ["namespace_key", "valid_from", "valid_to", "lab_id", "kind"]
    names = namespaces.filter(pl.col("system") == system).select(columns).sort(columns)
    return names.unique(["namespace_key", "valid_from"], keep="first", maintain_order=True)


def with_lab_and_country(
    frame: pl.LazyFrame,
    namespaces: pl.LazyFrame,
    labs: pl.LazyFrame,
    *,
    system: str,
    name: str,
    day: str,
) -> pl.LazyFrame:
    """Adds `lab_id`, `kind` and `country_code` for the name in column `name` on the day `day`.

    Names are compared without case, blanks and format characters. A name that is not in the
    registry gets a null lab and kind and the country XX (not examined yet). The number of rows and
    the other columns do not change.
    """
    keys = frame.select(name, day).unique()
    names = names_of(namespaces, system)
    named = (
        keys.with_columns(_key(name, system).alias("namespace_key"))
        .join(names, on="namespace_key", how="inner")
        .filter(holds_on(pl.col(day)))
        .select(name, day, "lab_id", "kind")
    )
    known = (
        named.join(labs.select("lab_id", "country_code", "valid_from", "valid_to"), on="lab_id")
        .filter(holds_on(pl.col(day)))
        .select(name, day, "lab_id", "kind", "country_code")
    )
    return frame.join(known, on=[name, day], how="left").with_columns(
        pl.col("country_code").fill_null(NOT_EXAMINED)
    )


def _key(name: str, system: str) -> pl.Expr:
    """The key of a name in core.namespaces. The Hub's millions of names are ASCII."""
    return pl.col(name).str.to_lowercase() if system == "hub" else folded(name)


def with_top_lab(frame: pl.LazyFrame, labs: pl.LazyFrame, *, lab: str, day: str) -> pl.LazyFrame:
    """Adds `parent_lab_id`, `top_lab_id` and `top_country_code` of the lab in column `lab`.

    The top lab is the last owner in the line of parents on the day `day`, or the lab itself if it
    has no owner. A line that does not end within MAX_OWNERS steps gives a null owner and XX.
    """
    rows = labs.select(
        pl.col("lab_id").alias("top_lab_id"),
        "parent_lab_id",
        pl.col("country_code").alias("top_country_code"),
        "valid_from",
        "valid_to",
    )

    def as_of_day(walk: pl.LazyFrame) -> pl.LazyFrame:
        """Each lab that the walk has reached, as of the day."""
        return walk.join(rows, on="top_lab_id").filter(holds_on(pl.col(day)))

    begin = frame.filter(pl.col(lab).is_not_null()).select(lab, day).unique()
    begin = walk = begin.with_columns(pl.col(lab).alias("top_lab_id"))
    for _ in range(MAX_OWNERS):
        walk = as_of_day(walk).select(
            lab, day, pl.coalesce("parent_lab_id", "top_lab_id").alias("top_lab_id")
        )
    parents = as_of_day(begin).select(lab, day, "parent_lab_id")
    tops = as_of_day(walk).filter(pl.col("parent_lab_id").is_null())
    return (
        frame.join(parents, on=[lab, day], how="left")
        .join(tops.select(lab, day, "top_lab_id", "top_country_code"), on=[lab, day], how="left")
        .with_columns(pl.col("top_country_code").fill_null(NOT_EXAMINED))
    )
