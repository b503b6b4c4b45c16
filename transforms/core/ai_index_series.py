"""core.ai_index_series."""

from __future__ import annotations

import polars as pl

from transforms.ai_index.cells import number, period, year
from transforms.registry.names import folded
from warehouse.contracts.table import contract


class CellError(ValueError):
    """A cell of a mapped figure that is not of the form which the source card declares."""


def ai_index_series(
    raw_ai_index_rows: pl.LazyFrame,
    raw_ai_index_figures: pl.LazyFrame,
    raw_ai_index_subjects: pl.LazyFrame,
    raw_ai_index_revisions: pl.LazyFrame,
    raw_ai_index_corrections: pl.LazyFrame,
    raw_registry_countries: pl.LazyFrame,
) -> pl.LazyFrame:
    """One row per value of the figures that the card maps, as printed and as revised.

    Second uploads (`fig_x(1).csv`) are left out; so are revisions whose guard no longer holds. A
    cell that is not of its figure's form raises CellError, it is never dropped nor taken for zero.
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


def read_figures(rows: pl.LazyFrame, figures: pl.LazyFrame) -> pl.LazyFrame:
    """Every value cell of every mapped figure, read. Collecting it raises CellError.

    An edition is read like this when it arrives, too. A record of blank cells is none.
    """
    own_file = pl.concat_str(pl.lit("/fig_"), pl.col("figure"), pl.lit(".csv"))
    return (
        rows.filter(pl.col("file_name").str.ends_with(own_file))
        .join(figures, on=["edition", "figure"])
        .with_columns(pl.col("record_json").str.json_decode(pl.List(pl.String)).alias("cells"))
        .filter(pl.col("cells").list.eval(pl.element().str.strip_chars() != "").list.any())
        .with_columns(
            _cell("value_index").alias("value_text"),
            _cell("subject_index").alias("subject"),
            _cell("detail_index").alias("detail"),
            _cell("period_index").alias("period_text"),
            pl.lit(1, pl.Int32).alias("revision"),
        )
        .with_columns(
            number(pl.col("value_text"), pl.col("value_form")).alias("value"),
            pl.coalesce("fixed_period", period(pl.col("period_text"), pl.col("period_form"))).alias(
                "period"
            ),
        )
        .map_batches(_whole, predicate_pushdown=False, projection_pushdown=False)
    )


def _cell(index: str) -> pl.Expr:
    """The cell in a column without space around it; null where it is blank or not there."""
    cell = pl.col("cells").list.get(pl.col(index), null_on_oob=True).str.strip_chars()
    return pl.when(cell != "").then(cell)


def _whole(read: pl.DataFrame) -> pl.DataFrame:
    """The frame itself. Raises CellError naming edition, figure and line of unreadable cells."""
    blank_allowed = pl.col("value_text").is_null() & pl.col("blank").is_not_null()
    faults = {
        "value": pl.col("value").is_null() & ~blank_allowed,
        "period": pl.col("period").is_null(),
        "subject": pl.col("subject").is_null() & pl.col("subject_index").is_not_null(),
        "detail": pl.col("detail").is_null() & pl.col("detail_index").is_not_null(),
    }
    wrong = [
        f"edition {edition}, fig_{figure}.csv, record {line}: no {what} in {record}"
        for what, fault in faults.items()
        for edition, figure, line, record in read.filter(fault)
        .sort("edition", "figure", "line")
        .select("edition", "figure", "line", "record_json")
        .head(5)
        .iter_rows()
    ]
    if wrong:
        adapt = "adapt the figure's forms in warehouse/contracts/sources/ai_index.yml"
        raise CellError("\n".join(["AI Index cells that cannot be read", *wrong, adapt]))
    return read


def _revised(
    revisions: pl.LazyFrame, corrections: pl.LazyFrame, figures: pl.LazyFrame
) -> pl.LazyFrame:
    """Values of later revisions, of the corrections that hold for the files at hand."""
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
    """A value before a blank, the higher revision, the figure of the lower number, then line.

    "1.1.1" stands before "1.1.2": the figure of a single year has the lower number and more areas.
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
