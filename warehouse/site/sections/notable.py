"""Notable models by country and year."""

from __future__ import annotations

from typing import Any

import polars as pl

from warehouse.site.release_tables import Tables

COUNTRIES, YEARS = 6, 12


def notable(tables: Tables) -> dict[str, Any]:
    """`years`, `sources`, and source -> country -> models per year; null = not printed.

    Only Epoch's file lists every model, so only there a missing count is 0.
    """
    frame = tables.read("mart.notable_models_by_country")
    if frame.is_empty():
        return {}
    newest = int(frame["year"].max())  # type: ignore[arg-type]
    years = list(range(newest - YEARS + 1, newest + 1))
    frame = frame.filter(pl.col("year").is_in(years))
    codes = (
        frame.filter(~pl.col("country_code").is_in(["ZZ", "XX"]))
        .group_by("country_code")
        .agg(pl.col("n_models").max())
        .sort("n_models", "country_code", descending=[True, False])["country_code"]
        .head(COUNTRIES)
        .to_list()
    )
    at = {
        (s, c, y): n
        for s, y, c, n in frame.select("source", "year", "country_code", "n_models").iter_rows()
    }
    counted = {"epoch", "epoch_registry"}
    sources = frame["source"].unique().sort().to_list()
    return {
        "years": years,
        "sources": sources,
        "vintages": dict(frame.group_by("source").agg(pl.col("vintage_date").max()).iter_rows()),
        "counts": {
            s: {c: [at.get((s, c, y), 0 if s in counted else None) for y in years] for c in codes}
            for s in sources
        },
    }
