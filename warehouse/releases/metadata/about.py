"""Texts that several descriptions of a release share."""

from __future__ import annotations

import json

from warehouse.releases.manifest import LicenseEntry, Manifest, TableEntry

NAME = "origin-observatory"
TITLE = "Origin Observatory: where open AI models come from and how they rank"
DESCRIPTION = (
    "Daily observations of the Hugging Face Hub, LMArena's leaderboards and Epoch AI's tables, "
    "tied to the labs behind the models and the countries of these labs. A share or rank carries "
    "its definition in columns; null means not recorded, never 0."
)
KEYWORDS = ("open models", "AI", "Hugging Face Hub", "LMArena", "rankings", "country of origin")

# Terms as the cards write them -> SPDX id and deed. For others, the producer's statement is used.
KNOWN = {
    "Apache-2.0": ("Apache-2.0", "https://www.apache.org/licenses/LICENSE-2.0"),
    "CC BY 4.0": ("CC-BY-4.0", "https://creativecommons.org/licenses/by/4.0/"),
    "CC BY-ND 4.0": ("CC-BY-ND-4.0", "https://creativecommons.org/licenses/by-nd/4.0/"),
}


def version(manifest: Manifest) -> str:
    """The release as a semantic version: 2026.8.15+eb29c93bae16."""
    day = manifest.as_of
    return f"{day.year}.{day.month}.{day.day}+{manifest.release_id[-12:]}"


def license_address(license: LicenseEntry) -> str:
    """Address of the terms: the deed of a known license, else the producer's statement."""
    return KNOWN[license.raw][1] if license.raw in KNOWN else license.statement_url


def credit(manifest: Manifest) -> str:
    """How to cite the release as a whole."""
    sample = ", SAMPLE of public figures" if manifest.is_sample else ""
    return f"{TITLE}. Release {manifest.release_id}, as of {manifest.as_of}{sample}."


def all_licenses(manifest: Manifest) -> tuple[LicenseEntry, ...]:
    """The terms of every source with data in a table, by source."""
    found = {x.source: x for table in manifest.tables for x in table.licenses}
    return tuple(found[source] for source in sorted(found))


def about_table(table: TableEntry) -> str:
    """A table in one paragraph."""
    return f"{table.description} Grain: {table.grain}."


def to_text(document: dict[str, object]) -> str:
    """A document as stable JSON."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def offered(manifest: Manifest) -> list[TableEntry]:
    """The tables for a catalog: marts, then core; without raw and empty tables."""
    layers = ("mart.", "core.")
    filled = [table for table in manifest.tables if table.rows]
    return [table for layer in layers for table in filled if table.name.startswith(layer)]
