"""core.ai_index_series."""

from __future__ import annotations

import polars as pl

from transforms.ai_index.cells import year
from transforms.ai_index.figures import read_figures
from transforms.registry.names import folded
from warehouse.contracts.table import contract


def ai_index_series(
    raw_ai_index_rows: pl.LazyFrame,
    raw_ai_index_figures: pl.LazyFrame,
    raw_ai_index_subjects: pl.LazyFrame,
    raw_ai_index_revisions: pl.LazyFrame,
    raw_ai_index_corrections: pl.LazyFrame,
    raw_registry_countries: pl.LazyFrame,
) -> pl.LazyFrame:
    """One row per value of the figures that the card maps, as printed and as revised.

    Second uploads (`fig_x(1).csv`) and revisions whose guard no longer holds are left out. A cell
    that does not have its figure's form raises CellError; it is never dropped or read as zero.
    """
    printed = read_figures(raw_ai_index_rows, raw_ai_index_figures)
    revised = _revised(raw_ai_index_revisions, raw_ai_index_corrections, raw_ai_index_figures)
    known = [raw_registry_countries.select(_country()), _listed(raw_ai_index_subjects)]
    spellings = pl.concat(known).unique(
        ["subject_kind", "folded"], keep="first", maintain_order=True
    )
    return (
        pl.concat([printed, revised], how="diagonal")
        .with_columns(folded("subject").alias("folded"))
        .join(spellings, on=["subject_kind", "folded"], how="left")
        .with_columns(
            pl.when(pl.col("subject_kind") == "area")
            .then("subject_key")
            .otherwise(pl.coalesce("subject_key", "subject"))
            .alias("subject_key"),
            pl.when(pl.col("value").is_null()).then("blank").alias("missing_reason"),
            year(pl.col("period")).alias("year"),
        )
        .with_columns(_preferred().alias("is_preferred"))
        .select(*contract("core.ai_index_series").columns)
    )


def _revised(
    revisions: pl.LazyFrame, corrections: pl.LazyFrame, figures: pl.LazyFrame
) -> pl.LazyFrame:
    """Values of later revisions, by the corrections that still hold."""
    held = corrections.filter(pl.col("still_holds")).select("correction_id").unique()
    return revisions.join(held, on="correction_id", how="semi").join(
        figures, on=["edition", "figure"]
    )


def _country() -> list[pl.Expr]:
    code = pl.col("country_code")
    kind = pl.lit("area").alias("subject_kind")
    return [kind, folded("spelling").alias("folded"), code.alias("subject_key"), code]


def _listed(subjects: pl.LazyFrame) -> pl.LazyFrame:
    return subjects.select(
        "subject_kind",
        folded("spelling").alias("folded"),
        "subject_key",
        pl.lit(None, pl.String).alias("country_code"),
    )


def _preferred() -> pl.Expr:
    """A value before a blank, then the higher revision, the lower number of the figure, the line.

    1.1.1 comes before 1.1.2: the figure of a single year has the lower number and more areas.
    """
    numbers = pl.col("figure").str.split(".").cast(pl.List(pl.Int32))
    best = pl.struct(
        pl.col("value").is_null(),
        -pl.col("revision"),
        *(numbers.list.get(i, null_on_oob=True).alias(f"part_{i}") for i in range(3)),
        pl.col("line"),
    )
    quantity = ["edition", "series", "detail", pl.coalesce("subject_key", "subject"), "period"]
    return pl.col("is_point") | (best.rank("ordinal").over(quantity) == 1)
