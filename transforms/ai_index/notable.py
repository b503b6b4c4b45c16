"""The countries for which a notable model counts, for reconciliation and claims."""

from __future__ import annotations

import polars as pl

from transforms.registry.attribution import NOT_EXAMINED, UNKNOWN

METHODS = ("parent", "organisation", "epoch")
RECORD = ["vintage_date", "line"]


def placed(notable_models: pl.LazyFrame, notable_model_labs: pl.LazyFrame) -> pl.LazyFrame:
    """One row per dated record, method and distinct country."""
    dated = notable_models.filter(pl.col("publication_year").is_not_null()).select(
        *RECORD, "publication_year", pl.col("country_codes").str.split(",").alias("codes")
    )
    epochs = pl.col("country_codes_epoch").str.split(",")
    labs = {"parent": "top_country_code", "organisation": "country_code"}
    by_registry = [
        notable_model_labs.with_columns(
            pl.when((pl.col("n_organizations") == 1) & pl.col(column).is_in(list(UNKNOWN)))
            .then(pl.coalesce(epochs, pl.concat_list(column)))
            .otherwise(pl.concat_list(column))
            .alias("codes")
        )
        .select(*RECORD, "codes")
        .explode("codes")
        .group_by(RECORD)
        .agg(pl.col("codes").unique())
        .select(*RECORD, "codes", pl.lit(method).alias("method"))
        for method, column in labs.items()
    ]
    by_epoch = dated.select(*RECORD, "codes", pl.lit("epoch").alias("method"))
    codes = pl.concat([*by_registry, by_epoch])
    methods = pl.LazyFrame({"method": list(METHODS)})
    return (
        dated.drop("codes")
        .join(methods, how="cross")
        .join(codes, on=[*RECORD, "method"], how="left")
        .with_columns(pl.col("codes").fill_null([NOT_EXAMINED]).alias("country_code"))
        .explode("country_code")
        .select(*RECORD, "publication_year", "method", "country_code")
    )
