"""core.notable_model_labs."""

from __future__ import annotations

import polars as pl

from transforms.attribution import NOT_EXAMINED, with_lab_and_country, with_top_lab
from warehouse.contract import contract

RECORD = ["vintage_date", "line"]
COMMA_OF_A_NAME = "\x1f"  # ", " belongs to a name: "NERSC, Lawrence Berkeley National Laboratory"


def notable_model_labs(
    notable_models: pl.LazyFrame, namespaces: pl.LazyFrame, labs: pl.LazyFrame
) -> pl.LazyFrame:
    """One row per vintage, record and organisation, with lab, last owner and their countries.

    Epoch's countries stand beside as one list of the record: they are never paired with the
    organisations, whose order and number they do not keep (ai_index.md, section 8.2).
    """
    each = _organizations(notable_models).with_columns(
        pl.coalesce("publication_date", "vintage_date").alias("day")
    )
    named = with_lab_and_country(
        each, namespaces, labs, system="epoch", name="organization", day="day"
    )
    topped = with_top_lab(named, labs, lab="lab_id", day="day")
    told = pl.col("country_code") != NOT_EXAMINED
    epochs = pl.col("country_codes_epoch").str.split(",")
    return topped.with_columns(
        pl.when(told)
        .then(epochs.list.contains(pl.col("country_code")))
        .alias("is_country_in_epoch")
    ).select(*contract("core.notable_model_labs").columns)


def _organizations(notable_models: pl.LazyFrame) -> pl.LazyFrame:
    """The list of each record taken apart at commas that no space follows, in its order."""
    pieces = (
        pl.col("organization")
        .str.replace_all(", ", COMMA_OF_A_NAME, literal=True)
        .str.split(",")
        .list.eval(
            pl.element().str.replace_all(COMMA_OF_A_NAME, ", ", literal=True).str.strip_chars()
        )
    )
    whole = pieces.list.eval(pl.element().filter(pl.element() != ""))
    return (
        notable_models.filter(pl.col("organization").is_not_null())
        .select(
            *RECORD,
            "snapshot_id",
            "publication_date",
            pl.col("country_codes").alias("country_codes_epoch"),
            whole.alias("organization"),
        )
        .with_columns(pl.col("organization").list.len().cast(pl.Int32).alias("n_organizations"))
        .filter(pl.col("n_organizations") > 0)
        .with_columns(
            pl.int_ranges(1, pl.col("n_organizations") + 1, dtype=pl.Int32).alias("position"),
            (1.0 / pl.col("n_organizations")).alias("weight"),
        )
        .explode("organization", "position")
    )
