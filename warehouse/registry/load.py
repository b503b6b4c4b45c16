"""Reference data of the project itself: registry, country spellings, figure map, claims.

Each goes into a raw table, so that transforms read it like any other input.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl
import pycountry

from warehouse.ai_index.figures import figure_rows, revision_rows, subject_rows
from warehouse.claims.rows import claim_rows, trial_rows
from warehouse.contracts.table import contract
from warehouse.contracts.vocabulary import vocabulary
from warehouse.database.duckdb_file import insert_frame
from warehouse.database.read_files import csv_frame
from warehouse.registry.checks import check_registry
from warehouse.registry.read import RegistryError, read_file

REGISTRY = Path(__file__).parent / "data"


def read_registry(name: str) -> pl.DataFrame:
    """One registry CSV, as `namespaces`, with exactly its contract's columns; blank cells are null.

    Raises RegistryError naming file and line of every cell that the contract does not allow.
    """
    frame, breaches = read_file(REGISTRY / f"{name}.csv", contract(f"raw.registry_{name}"))
    if breaches:
        raise RegistryError(breaches)
    return frame


def countries() -> pl.DataFrame:
    """Every spelling of every country: ISO 3166-1 names and the reviewed aliases."""
    iso = [
        (str(spelling), c.alpha_2, c.alpha_3, getattr(c, "common_name", c.name), "iso")
        for c in pycountry.countries
        for spelling in {getattr(c, k, c.name) for k in ("name", "official_name", "common_name")}
    ]
    columns = list(contract("raw.registry_countries").columns)
    aliases = csv_frame(REGISTRY / "country_aliases.csv").select(
        *columns[:4], pl.lit("alias").alias("basis")
    )
    frame = pl.DataFrame(iso, schema=columns, orient="row")
    return pl.concat([aliases, frame]).unique("spelling", keep="first", maintain_order=True)


def first_party_namespaces() -> list[str]:
    """Hub namespaces of labs, universities and communities as the registry knows them, sorted."""
    rows = read_registry("namespaces")
    kinds = pl.col("kind").is_in(list(vocabulary("first_party_kind")))
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
    "published_figures",
)


def registry_tables(folder: Path | None = None) -> dict[str, pl.DataFrame]:
    """The raw tables of the registry by name; RegistryError lists every breach of every file.

    `folder`: another folder with the same files, such as an edited copy.
    """
    folder = folder or REGISTRY
    read = {
        name: read_file(folder / f"{name}.csv", contract(f"raw.registry_{name}"))
        for name in REGISTRY_FILES
    }
    if breaches := [breach for _, found in read.values() for breach in found]:
        raise RegistryError(breaches)
    files = {name: frame for name, (frame, _) in read.items()}
    check_registry(files, known_countries := countries())
    return {f"raw.registry_{n}": f for n, f in {**files, "countries": known_countries}.items()}


def reference_tables() -> dict[str, pl.DataFrame]:
    """The raw tables that come from this project and from no snapshot, by name."""
    return {
        **registry_tables(),
        "raw.ai_index_figures": figure_rows(),
        "raw.ai_index_subjects": subject_rows(),
        "raw.ai_index_revisions": revision_rows(),
        "raw.claims": claim_rows(),
        "raw.claim_trials": trial_rows(),
    }


def load_reference(con: duckdb.DuckDBPyConnection) -> None:
    """Fills the raw tables that come from this project and from no snapshot."""
    for table, frame in reference_tables().items():
        insert_frame(con, contract(table), frame)
