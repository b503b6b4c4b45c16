"""core.notable_model_labs."""

from __future__ import annotations

import polars as pl

from transforms.registry.attribution import NOT_EXAMINED, with_lab_and_country, with_top_lab
from transforms.registry.lists import listed
from transforms.registry.names import folded
from warehouse.contracts.table import contract

RECORD = ["vintage_date", "line"]


def notable_model_labs(
    notable_models: pl.LazyFrame, namespaces: pl.LazyFrame, labs: pl.LazyFrame
) -> pl.LazyFrame:
    """One row per vintage, record and organization, with lab, top owner and their countries.

    Epoch's countries are one list per record. They are not paired with the organizations, since
    they differ in order and number.
    """
    each = _organizations(notable_models, namespaces).with_columns(
        pl.coalesce("publication_date", "vintage_date").alias("day")
    )
    named = with_lab_and_country(
        each, namespaces, labs, system="epoch", name="organization", day="day"
    )
    topped = with_top_lab(named, labs, lab="lab_id", day="day")
    is_known = pl.col("country_code") != NOT_EXAMINED
    epochs = pl.col("country_codes_epoch").str.split(",")
    return topped.with_columns(
        pl.when(is_known)
        .then(epochs.list.contains(pl.col("country_code")))
        .alias("is_country_in_epoch")
    ).select(*contract("core.notable_model_labs").columns)


def _organizations(notable_models: pl.LazyFrame, namespaces: pl.LazyFrame) -> pl.LazyFrame:
    """The organizations of each record in order; a comma may be part of a known name."""
    known = namespaces.filter(pl.col("system") == "epoch").select(folded("namespace").alias("key"))
    cells = notable_models.select(pl.col("organization").alias("cell")).drop_nulls().unique()
    names = listed(cells, known.unique()).with_columns(
        pl.col("position").cast(pl.Int32),
        pl.len().over("cell").cast(pl.Int32).alias("n_organizations"),
    )
    return (
        notable_models.select(
            *RECORD,
            "snapshot_id",
            "publication_date",
            pl.col("country_codes").alias("country_codes_epoch"),
            pl.col("organization").alias("cell"),
        )
        .join(names, on="cell")
        .with_columns((1.0 / pl.col("n_organizations")).alias("weight"))
        .rename({"name": "organization"})
        .drop("cell")
    )
