"""Reads the value cells of the AI Index's mapped figures."""

from __future__ import annotations

import polars as pl

from transforms.ai_index.cells import number, period


class CellError(ValueError):
    """A cell of a mapped figure that does not have the form declared in the source card."""


def read_figures(rows: pl.LazyFrame, figures: pl.LazyFrame) -> pl.LazyFrame:
    """Every value cell of every mapped figure. Collecting it raises CellError.

    The download of an edition is checked by the same reading. Records of blank cells are skipped.
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
    """The cell in a column without space around it; null if it is blank or missing."""
    cell = pl.col("cells").list.get(pl.col(index), null_on_oob=True).str.strip_chars()
    return pl.when(cell != "").then(cell)


def _whole(read: pl.DataFrame) -> pl.DataFrame:
    """The unchanged frame. Raises CellError naming edition, figure and line of unreadable cells."""
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
