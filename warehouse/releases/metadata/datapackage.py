"""`datapackage.json`: the release as a Frictionless Data Package (datapackage.org, version 2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from warehouse.contracts.table import Column, Contract
from warehouse.releases.manifest import LicenseEntry, Manifest, SourceEntry, TableEntry
from warehouse.releases.metadata.about import (
    DESCRIPTION,
    KEYWORDS,
    KNOWN,
    NAME,
    TITLE,
    about_table,
    all_licenses,
    license_address,
    offered,
    to_text,
    version,
)

# The physical types of the contracts as types of Table Schema.
TYPES: Mapping[str, str] = {
    "BOOLEAN": "boolean",
    "INTEGER": "integer",
    "BIGINT": "integer",
    "DOUBLE": "number",
    "DATE": "date",
    "TIMESTAMP": "datetime",
    "VARCHAR": "string",
}


def datapackage(manifest: Manifest, tables: Mapping[str, Contract]) -> str:
    """One resource per table that is offered, with schema, licenses and sources.

    It has no `bytes` and `hash`: frictionless measures them wrongly for Parquet. The manifest and
    croissant.json have them.
    """
    known = {source.source: source for source in manifest.sources}
    return to_text(
        {
            "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
            "name": NAME,
            "id": manifest.release_id,
            "title": TITLE,
            "description": DESCRIPTION,
            "version": version(manifest),
            "created": f"{manifest.as_of}T00:00:00Z",
            "keywords": list(KEYWORDS),
            "licenses": _licenses(all_licenses(manifest)),
            "sources": [_source(known[x.source]) for x in all_licenses(manifest)],
            "resources": [
                _resource(table, known, {t.name: tables[t.name] for t in offered(manifest)})
                for table in offered(manifest)
            ],
        }
    )


def _resource(
    table: TableEntry, known: Mapping[str, SourceEntry], included: Mapping[str, Contract]
) -> dict[str, Any]:
    return {
        "name": table.name,
        "type": "table",
        "path": table.path,
        "format": "parquet",
        "mediatype": "application/vnd.apache.parquet",
        "description": about_table(table),
        "usageWarnings": list(table.warnings),
        "licenses": _licenses(table.licenses),
        "sources": [_source(known[x.source]) for x in table.licenses],
        "schema": _schema(included[table.name], included),
    }


def _schema(contract: Contract, included: Mapping[str, Contract]) -> dict[str, Any]:
    """Table Schema. A key with nulls is left out, since Frictionless does not allow it."""
    fields = [_field(name, column) for name, column in contract.columns.items()]
    schema: dict[str, Any] = {"fields": fields, "missingValues": [""]}
    if not any(contract.columns[c].nullable for c in contract.key):
        schema["primaryKey"] = list(contract.key)
    if keys := [
        k for name, c in contract.columns.items() if (k := _foreign_key(name, c, included))
    ]:
        schema["foreignKeys"] = keys
    return schema


def _foreign_key(
    name: str, column: Column, included: Mapping[str, Contract]
) -> dict[str, Any] | None:
    """The reference of a column, if it is to the whole key of a table of this release."""
    table, _, target = (column.references or "").rpartition(".")
    if table not in included or included[table].key != (target,):
        return None
    return {"fields": [name], "reference": {"resource": table, "fields": [target]}}


def _field(name: str, column: Column) -> dict[str, Any]:
    limits = {
        "required": True if not column.nullable else None,
        "enum": list(column.values) if column.values else None,
        "minimum": _limit(column, column.min),
        "maximum": _limit(column, column.max),
    }
    field: dict[str, Any] = {
        "name": name,
        "type": TYPES[column.type],
        "description": column.description,
    }
    if column.unit:
        field["unit"] = column.unit
    if constraints := {rule: value for rule, value in limits.items() if value is not None}:
        field["constraints"] = constraints
    return field


def _limit(column: Column, value: float | None) -> float | None:
    """A limit in the column's own type."""
    return int(value) if value is not None and TYPES[column.type] == "integer" else value


def _licenses(licenses: Iterable[LicenseEntry]) -> list[dict[str, str]]:
    """Each distinct license once: its SPDX id if it has one, its address and its name."""
    found = {}
    for one in licenses:
        named = {"name": KNOWN[one.raw][0]} if one.raw in KNOWN else {}
        address = license_address(one)
        found[one.raw, address] = named | {"path": address, "title": one.raw}
    return list(found.values())


def _source(source: SourceEntry) -> dict[str, str]:
    place = {"path": source.homepage} if source.homepage.startswith("https://") else {}
    return {"title": source.citation} | place
