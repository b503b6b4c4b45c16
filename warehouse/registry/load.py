"""Reference data of the project itself: registry, country spellings, figure map, claims.

Each goes into a raw table, so that transforms read it like any other input.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import duckdb
import polars as pl
import pycountry

from warehouse.ai_index.figures import figure_rows, revision_rows, subject_rows
from warehouse.claims.claim import claim_rows, trial_rows
from warehouse.contracts.table import contract
from warehouse.database.duckdb_file import insert_frame
from warehouse.registry.arena_checks import check_arena
from warehouse.registry.checks import check_cells, check_lineage, check_records, check_registry
from warehouse.registry.model_checks import check_ai_index, check_families, check_model_aliases

REGISTRY = Path(__file__).parent / "data"
BOOLEANS = {"true": True, "false": False}


def read_registry(name: str, table: str) -> pl.DataFrame:
    """One registry CSV with exactly its contract's columns, typed; blank cells are null.

    Raises RegistryError naming file and line of every cell that the contract does not allow.
    """
    path, promised = REGISTRY / name, contract(table)
    check_records(path, list(promised.columns))
    text = pl.read_csv(path, infer_schema=False)
    typed = (
        text.with_columns(
            pl.col(c).str.to_date("%Y-%m-%d", strict=False)
            for c, kind in promised.polars_schema.items()
            if kind == pl.Date
        )
        .with_columns(
            pl.col(c).cast(kind, strict=False)
            for c, kind in promised.polars_schema.items()
            if kind.is_integer()
        )
        .with_columns(
            pl.col(c).replace_strict(BOOLEANS, default=None, return_dtype=pl.Boolean)
            for c, kind in promised.polars_schema.items()
            if kind == pl.Boolean
        )
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


def first_party_namespaces() -> list[str]:
    """Hub namespaces of labs, universities and communities as the registry knows them, sorted."""
    rows = read_registry("namespaces.csv", "raw.registry_namespaces")
    kinds = pl.col("kind").is_in(["lab", "academia", "community"])  # the others need roots
    ours = (pl.col("system") == "hub") & kinds & pl.col("known_to").is_null()
    return rows.filter(ours)["namespace"].unique().sort().to_list()


REGISTRY_FILES = (
    "labs",
    "namespaces",
    "model_renames",
    "lineage_exceptions",
    "families",
    "family_rules",
    "model_aliases",
    "arena_categories",
    "arena_exclusions",
    "arena_licenses",
    "arena_scale_breaks",
    "ai_index_editions",
    "ai_index_residuals",
    "hub_sizes",
    "epoch_sizes",
)
REFERENCE: dict[str, Callable[[], pl.DataFrame]] = {
    **{
        f"raw.registry_{name}": partial(read_registry, f"{name}.csv", f"raw.registry_{name}")
        for name in REGISTRY_FILES
    },
    "raw.registry_countries": countries,
    "raw.ai_index_figures": figure_rows,
    "raw.ai_index_subjects": subject_rows,
    "raw.ai_index_revisions": revision_rows,
    "raw.claims": claim_rows,
    "raw.claim_trials": trial_rows,
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
    check_ai_index(
        frames["raw.registry_ai_index_editions"],
        frames["raw.registry_ai_index_residuals"],
        frames["raw.registry_countries"],
    )
    check_arena(
        frames["raw.registry_arena_categories"],
        frames["raw.registry_arena_exclusions"],
        frames["raw.registry_arena_licenses"],
        frames["raw.registry_arena_scale_breaks"],
    )
    for table, frame in frames.items():
        insert_frame(con, contract(table), frame)
