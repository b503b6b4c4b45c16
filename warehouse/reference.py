"""Reference data of the project itself: registry, country spellings, the AI Index figure map.

Each goes into a raw table, so that transforms read it like any other input.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pycountry

from warehouse.cards import cards
from warehouse.contract import contract
from warehouse.database import insert_frame
from warehouse.registry_check import check_cells, check_lineage, check_records, check_registry
from warehouse.registry_models_check import check_families, check_model_aliases

REGISTRY = Path(__file__).parent / "registry"


def read_registry(name: str, table: str) -> pl.DataFrame:
    """One registry CSV with exactly its contract's columns, typed; blank cells are null.

    Raises RegistryError naming file and line of every cell that the contract does not allow.
    """
    path, promised = REGISTRY / name, contract(table)
    check_records(path, list(promised.columns))
    text = pl.read_csv(path, infer_schema=False)
    typed = text.with_columns(
        pl.col(c).str.to_date("%Y-%m-%d", strict=False)
        for c, kind in promised.polars_schema.items()
        if kind == pl.Date
    ).with_columns(
        pl.col(c).cast(kind, strict=False)
        for c, kind in promised.polars_schema.items()
        if kind.is_integer()
    )
    check_cells(path, text, typed, promised)
    return typed


def countries() -> pl.DataFrame:
    """Every spelling of every country: ISO 3166-1 names and the reviewed aliases."""
    iso = [
        (str(spelling), c.alpha_2, c.alpha_3, getattr(c, "common_name", c.name), "iso")
        for c in pycountry.countries
        for spelling in {getattr(c, k, c.name) for k in ("name", "official_name", "common_name")}
    ]
    columns = list(contract("raw.registry_countries").columns)
    aliases = pl.read_csv(REGISTRY / "country_aliases.csv", infer_schema=False).select(
        *columns[:4], pl.lit("alias").alias("basis")
    )
    frame = pl.DataFrame(iso, schema=columns, orient="row")
    return pl.concat([aliases, frame]).unique("spelling", keep="first", maintain_order=True)


def ai_index_figures() -> pl.DataFrame:
    """The figures that the AI Index card maps, with positions instead of header names."""
    rows = [_figure(figure) for figure in cards()["ai_index"].map["figures"]]
    return pl.DataFrame(rows, schema=contract("raw.ai_index_figures").polars_schema)


def _figure(figure: dict[str, Any]) -> dict[str, Any]:
    header: list[str] = figure["header"]
    period = figure.get("period")
    return {
        **{k: figure[k] for k in ("edition", "figure", "revision", "series", "unit")},
        "subject_kind": figure["subject_kind"],
        "value_index": header.index(figure["value"]),
        "subject_index": header.index(figure["subject"]),
        "period_index": header.index(period) if period else None,
        "fixed_period": figure.get("fixed_period"),
    }


REFERENCE: dict[str, Callable[[], pl.DataFrame]] = {
    "raw.registry_labs": lambda: read_registry("labs.csv", "raw.registry_labs"),
    "raw.registry_namespaces": lambda: read_registry("namespaces.csv", "raw.registry_namespaces"),
    "raw.registry_model_renames": lambda: read_registry(
        "model_renames.csv", "raw.registry_model_renames"
    ),
    "raw.registry_lineage_exceptions": lambda: read_registry(
        "lineage_exceptions.csv", "raw.registry_lineage_exceptions"
    ),
    "raw.registry_families": lambda: read_registry("families.csv", "raw.registry_families"),
    "raw.registry_family_rules": lambda: read_registry(
        "family_rules.csv", "raw.registry_family_rules"
    ),
    "raw.registry_model_aliases": lambda: read_registry(
        "model_aliases.csv", "raw.registry_model_aliases"
    ),
    "raw.registry_countries": countries,
    "raw.ai_index_figures": ai_index_figures,
}


def load_reference(con: duckdb.DuckDBPyConnection) -> None:
    """Fills the raw tables that come from this project and from no snapshot."""
    frames = {table: read() for table, read in REFERENCE.items()}
    check_registry(
        frames["raw.registry_labs"],
        frames["raw.registry_namespaces"],
        set(frames["raw.registry_countries"]["country_code"]),
    )
    check_lineage(frames["raw.registry_model_renames"], frames["raw.registry_lineage_exceptions"])
    check_families(
        frames["raw.registry_families"],
        frames["raw.registry_family_rules"],
        frames["raw.registry_labs"],
    )
    check_model_aliases(frames["raw.registry_model_aliases"])
    for table, frame in frames.items():
        insert_frame(con, contract(table), frame)
