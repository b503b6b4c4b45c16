"""Notable models by country and year."""

from __future__ import annotations

from typing import Any

import polars as pl

from warehouse.site.release_tables import Tables

COUNTRIES, YEARS = 6, 12


def notable(tables: Tables) -> dict[str, Any]:
    """`years`, `sources`, and source -> country -> models per year; null = not printed.

    Only Epoch's file lists every model, so only there a missing count is 0, and only since the
    first year with a model. `differences` are the counts that depend on whether Epoch's countries
    or the registry's are used.
    """
    frame = tables.read("mart.notable_models_by_country")
    if frame.is_empty():
        return {}
    newest = int(frame["year"].max())  # type: ignore[arg-type]
    frame = frame.filter(pl.col("year") > newest - YEARS)
    years = list(range(int(frame["year"].min()), newest + 1))  # type: ignore[arg-type]
    codes = (
        frame.filter(~pl.col("country_code").is_in(["ZZ", "XX"]))
        .group_by("country_code")
        .agg(pl.col("n_models").max())
        .sort("n_models", "country_code", descending=[True, False])["country_code"]
        .head(COUNTRIES)
        .to_list()
    )
    sources = frame["source"].unique().sort().to_list()
    return {
        "years": years,
        "sources": sources,
        "vintages": dict(frame.group_by("source").agg(pl.col("vintage_date").max()).iter_rows()),
        "counts": {s: _counts(frame.filter(source=s), codes, years) for s in sources},
        "differences": _differences(frame.filter(pl.col("country_code").is_in(codes))),
    }


def _counts(rows: pl.DataFrame, codes: list[str], years: list[int]) -> dict[str, list[int | None]]:
    """Country -> models of one source per year."""
    at = {(c, y): n for c, y, n in rows.select("country_code", "year", "n_models").iter_rows()}
    is_complete = rows["source"].first() in ("epoch", "epoch_registry")
    first = int(rows["year"].min())  # type: ignore[arg-type]
    missing = {y: 0 if is_complete and y >= first else None for y in years}
    return {c: [at.get((c, y), missing[y]) for y in years] for c in codes}


def _differences(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Years and countries with two counts, newest first, and the organizations that decide."""
    differing = frame.filter(
        (pl.col("source") == "epoch") & (pl.col("n_models") != pl.col("n_models_other"))
    ).sort("year", "country_code", descending=[True, False])
    return differing.select(
        "year",
        pl.col("country_code").alias("id"),
        pl.col("country_name").alias("name"),
        pl.col("n_models").alias("epoch"),
        pl.col("n_models_other").alias("registry"),
        pl.col("differing_organizations").alias("why"),
    ).to_dicts()
