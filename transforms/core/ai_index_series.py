"""core.ai_index_series."""

from __future__ import annotations

import polars as pl

from warehouse.contract import contract


def ai_index_series(
    raw_ai_index_rows: pl.LazyFrame,
    raw_ai_index_figures: pl.LazyFrame,
    raw_registry_countries: pl.LazyFrame,
) -> pl.LazyFrame:
    """One row per edition, figure, subject and period of the figures that the card maps.

    Second uploads (`fig_x(1).csv`) are left out. A percentage written as `93.75%` is its number;
    a cell that is no number raises, it is never taken for zero.
    """
    own_file = pl.concat_str(pl.lit("/fig_"), pl.col("figure"), pl.lit(".csv"))
    rows = raw_ai_index_rows.filter(pl.col("file_name").str.ends_with(own_file))
    cells = pl.col("record_json").str.json_decode(pl.List(pl.String))
    value = pl.col("cells").list.get(pl.col("value_index")).str.strip_chars().str.strip_suffix("%")
    number = value.str.replace_all(",", "").str.replace("(?i)nan|inf", "no number: $0")
    year = pl.col("period").str.extract(r"(\d{4})(?:Q\d|-\d{2})?$").cast(pl.Int32)
    return (
        rows.join(raw_ai_index_figures, on=["edition", "figure"])
        .with_columns(cells.alias("cells"))
        .with_columns(
            pl.col("cells").list.get(pl.col("subject_index")).str.strip_chars().alias("subject"),
            number.cast(pl.Float64).alias("value"),
            _period().alias("period"),
        )
        .join(_area_codes(raw_registry_countries), on="subject", how="left")
        .with_columns(
            pl.when(pl.col("subject_kind") == "area")
            .then(pl.col("country_code"))
            .alias("country_code"),
            year.alias("year"),
        )
        .select(*contract("core.ai_index_series").columns)
    )


def _area_codes(raw_registry_countries: pl.LazyFrame) -> pl.LazyFrame:
    return raw_registry_countries.select(pl.col("spelling").alias("subject"), "country_code")


def _period() -> pl.Expr:
    """YYYY, YYYY-MM, YYYYQn or YYYY-YYYY, from `2013.0`, `2024-01-01`, `2024-01`, `2025Q1`."""
    cell = pl.col("cells").list.get(pl.col("period_index")).str.strip_chars()
    month = cell.str.extract(r"^(\d{4}-\d{2})(?:-\d{2})?$")
    plain = cell.str.extract(r"^(\d{4}(?:Q[1-4])?)(?:\.0)?$")
    return pl.coalesce("fixed_period", month, plain)
