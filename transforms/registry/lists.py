"""Lists of names in a cell, whose separator may also be part of a name."""

from __future__ import annotations

import polars as pl

from transforms.numeric.exact_sums import running
from transforms.registry.names import folded, tidy

LONGEST = 3  # pieces of a name: "Korea, Republic of" has two
# What separates a piece from the one before it: a comma and a blank, a semicolon, or a bare comma.
# The first two may be part of any name, a bare comma only of a known name.
_LOOSE, _SEMICOLON, _BARE = "L", "S", "B"
_START = "\x00"


def listed(cells: pl.LazyFrame, known: pl.LazyFrame) -> pl.LazyFrame:
    """`cell`, `position` (from 1) and `name` of every name in the cells.

    `cells` has one column `cell`, `known` one column `key` of folded names. The longest known name
    is matched first. What remains between two bare commas is a list if every piece of it is a known
    name, else it is a single name: "Hong Kong SAR, China" is never China.
    """
    joined = _longest_first(_pieces(cells), known)
    group = ["cell", "group"]
    is_list = pl.col("is_known").all().over(group)
    before = pl.when(pl.col("kind") == _SEMICOLON).then(pl.lit("; ")).otherwise(pl.lit(", "))
    first = pl.col("at") == pl.col("at").min().over(group)
    written = pl.when(first).then("name").otherwise(before + pl.col("name"))
    lists = joined.filter(is_list).select("cell", "at", "name")
    whole = (
        joined.filter(~is_list)
        .with_columns(written.alias("written"))
        .group_by(group)
        .agg(pl.col("at").min(), pl.col("written").sort_by("at").str.join("").alias("name"))
        .select("cell", "at", "name")
    )
    return (
        pl.concat([lists, whole])
        .sort("cell", "at")
        .select("cell", pl.int_range(1, pl.len() + 1).over("cell").alias("position"), "name")
    )


def _pieces(cells: pl.LazyFrame) -> pl.LazyFrame:
    """Every non-blank piece: `cell`, its place `at`, the `kind` of separator before it, `group`."""
    marked = pl.lit(_BARE) + pl.col("cell").str.replace_all(
        r",[\p{Z}\p{C}]+", f"{_START}{_LOOSE}"
    ).str.replace_all(";", f"{_START}{_SEMICOLON}", literal=True).str.replace_all(
        ",", f"{_START}{_BARE}", literal=True
    )
    return (
        cells.select("cell", marked.str.split(_START).alias("piece"))
        .explode("piece")
        .select(
            "cell",
            tidy(pl.col("piece").str.slice(1)).alias("name"),
            pl.col("piece").str.slice(0, 1).alias("kind"),
            pl.int_range(pl.len()).over("cell").alias("at"),
        )
        .with_columns(
            running((pl.col("kind") == _BARE).cast(pl.Int64))
            .over("cell", order_by="at")
            .alias("group")
        )
        .filter(pl.col("name") != "")
    )


def _longest_first(pieces: pl.LazyFrame, known: pl.LazyFrame) -> pl.LazyFrame:
    """The pieces, joined where they form a longer known name, and `is_known`."""
    spans = pieces.sort("cell", "at")
    for length in range(1, LONGEST + 1):
        text = pl.concat_str(*(_next("name", i) for i in range(length)), separator=", ")
        keys = known.select(
            pl.col("key").alias(f"key_{length}"), pl.lit(True).alias(f"is_{length}")
        )
        spans = (
            spans.with_columns(text.alias(f"name_{length}"))
            .with_columns(folded(f"name_{length}").alias(f"key_{length}"))
            .join(keys.unique(), on=f"key_{length}", how="left")
        )
    spans = spans.sort("cell", "at").with_columns(_is(length) for length in range(1, LONGEST + 1))
    for length in range(LONGEST, 1, -1):  # a bare comma joins only pieces that are not a list
        loose = pl.all_horizontal(_next("kind", i) != _BARE for i in range(1, length))
        apart = pl.all_horizontal(_next("is_1", i) for i in range(length))
        spans = spans.with_columns((_is(length) & (loose | ~apart)).fill_null(False))
    spans = spans.with_columns(
        pl.when("is_3").then(3).when("is_2").then(2).otherwise(1).alias("length")
    )
    inside = _before(1) > 1  # a name that begins inside another one does not count
    spans = spans.with_columns(pl.when(inside).then(1).otherwise("length").alias("length"))
    taken = (_before(1) > 1) | (_before(2) > 2)
    return spans.filter(~taken).select(
        "cell",
        "at",
        "kind",
        "group",
        pl.when(pl.col("length") == 3)
        .then("name_3")
        .when(pl.col("length") == 2)
        .then("name_2")
        .otherwise("name_1")
        .alias("name"),
        (pl.col("is_1") | (pl.col("length") > 1)).alias("is_known"),
    )


def _is(length: int) -> pl.Expr:
    return pl.col(f"is_{length}").fill_null(False)


def _next(column: str, steps: int) -> pl.Expr:
    return pl.col(column).shift(-steps).over("cell", order_by="at")


def _before(steps: int) -> pl.Expr:
    return pl.col("length").shift(steps).over("cell", order_by="at").fill_null(1)
