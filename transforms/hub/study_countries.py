"""The countries that the study of the file hub_evolution gives to publishers and base models."""

from __future__ import annotations

import polars as pl

from transforms.registry.attribution import NOT_EXAMINED
from transforms.registry.countries import codes_of

# Words of the study for those without a country: unaffiliated persons, and international projects.
WITHOUT_COUNTRY = ("user", "users", "international", "online", "international/online")
_CODES = {
    "study_country_codes": ("org_country", "country_group"),
    "study_base_country_codes": ("derived_org_country", "derived_country_group"),
}


def with_study_codes(counters: pl.LazyFrame, registry_countries: pl.LazyFrame) -> pl.LazyFrame:
    """Adds the country codes of the study's names, with commas; null where it gives none.

    ZZ = the study says that there is no country; XX = its name of a country is not known here.
    """
    for column, (country, group) in _CODES.items():
        name = pl.coalesce(_given(country), _given(group))
        named = counters.with_columns(name.alias("_name"))
        codes = codes_of(named.select("_name"), registry_countries).select(
            "_name", pl.col("country_codes").alias("_codes")
        )
        counters = (
            named.join(codes, on="_name", how="left")
            .with_columns(_code(pl.col("_name"), pl.col("_codes")).alias(column))
            .drop("_name", "_codes")
        )
    return counters


def _given(column: str) -> pl.Expr:
    text = pl.col(column).str.strip_chars()
    return pl.when(text != "").then(text)


def _code(name: pl.Expr, codes: pl.Expr) -> pl.Expr:
    without = name.str.to_lowercase().str.replace_all(" ", "").is_in(list(WITHOUT_COUNTRY))
    return (
        pl.when(without)
        .then(pl.lit("ZZ"))
        .when(name.is_not_null())
        .then(codes.fill_null(NOT_EXAMINED))
    )
